"""The cards to choose a provider from, and the form that one of them begins with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlsplit

from gateway.admin import passwords
from gateway.admin.pools import shade
from gateway.admin.site import Site
from gateway.admin.visits import FormView, Visit
from gateway.control.presets import OFFERED, Preset
from gateway.model.registry import Pool

SHOWN = frozenset(
    {
        *("name", "pool", "base_url", "api_key", "models", "rpm_limit", "timeout_seconds", "local_upstream"),
        passwords.FIELD,
    }
)
_INITIALS: Mapping[str, str] = MappingProxyType({"openrouter": "OR", "xai": "xA", "lm_studio": "LM", "custom": "+"})


@dataclass(frozen=True, slots=True)
class PresetCard:
    code: str
    label: str
    words: str
    initials: str
    shade: int


def values(site: Site, visit: Visit, form: FormView) -> dict[str, object]:
    """What templates/providers/fields.html and presets.html need."""
    chosen = by_code(form.values.get("preset", ""))
    found = _variable(site, chosen) if chosen else ""
    return {
        "form": form,
        "presets": [_card(preset) for preset in OFFERED],
        "chosen": chosen,
        "needs_key": bool(chosen and chosen.needs_key),
        "key_help": _key_help(chosen, found),
        "env_name": found,
        "pool_names": [(pool.name, pool.name) for pool in _pools(site)],
        "asks_password": not passwords.is_recent(site, visit),
    }


def begun(site: Site, code: str) -> FormView:
    """An empty form for this preset; one without a preset for an unknown code."""
    preset = by_code(code)
    if preset is None:
        return FormView(shown=SHOWN)
    variable = _variable(site, preset)
    filled = {
        "preset": preset.code,
        "name": "" if preset.code == "custom" else preset.code,
        "base_url": preset.base_url,
        "api_key": f"env:{variable}" if variable else "",
        "local_upstream": "on" if preset.is_local else "",
    }
    return FormView(filled, shown=SHOWN)


def by_code(code: str) -> Preset | None:
    return next((preset for preset in OFFERED if preset.code == code), None)


def _pools(site: Site) -> list[Pool]:
    return sorted(site.desk.snapshot().registry.pools, key=lambda pool: (pool.tier, pool.name))


def _variable(site: Site, preset: Preset) -> str:
    """The usual variable that is set in our environment, if one is."""
    return next((name for name in preset.env_names if name in site.desk.settings.secrets), "")


def _key_help(preset: Preset | None, variable: str) -> str:
    if variable:
        return f"{variable} is set in the gateway's environment; env:{variable} uses it without copying it."
    if preset and preset.needs_key:
        return f"Made at {preset.website.removeprefix('https://')}. Kept encrypted; env:NAME refers to the environment."
    return "Empty for a server that asks for none. Kept encrypted; env:NAME refers to the environment."


def _card(preset: Preset) -> PresetCard:
    host = urlsplit(preset.base_url).netloc if preset.base_url else "any compatible server"
    return PresetCard(
        code=preset.code,
        label=preset.label,
        words="on this machine" if preset.is_local else host,
        initials=_INITIALS.get(preset.code, preset.label[:2]),
        shade=6 if preset.code == "custom" else shade(preset.code),
    )
