"""The cards to choose a provider from, and the form that one of them begins with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from gateway.admin import passwords
from gateway.admin.pools import shade
from gateway.admin.site import Site
from gateway.admin.visits import FormView, Visit
from gateway.control.presets import OFFERED, Preset
from gateway.model.registry import ApiFormat, Pool

SHOWN = frozenset(
    {
        *(
            "name",
            "pool",
            "base_url",
            "api_format",
            "api_key",
            "models",
            "rpm_limit",
            "timeout_seconds",
            "local_upstream",
        ),
        passwords.FIELD,
    }
)
_INITIALS: Mapping[str, str] = MappingProxyType({"openrouter": "OR", "xai": "xA", "lm_studio": "LM", "custom": "+"})
_SAMPLE = "https://api.example.com/v1"
_SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        "azure": "https://NAME.openai.azure.com/openai/v1",
        "azure_deployments": "https://NAME.openai.azure.com/openai",
    }
)
"""Base URLs that everybody has an own one of."""
_OF_YOUR_OWN: Mapping[str, str] = MappingProxyType(
    {"azure": "models of your resource", "azure_deployments": "by deployment"}
)


class PresetCard(msgspec.Struct, frozen=True):
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
        "base_url_sample": _SAMPLES.get(chosen.code, _SAMPLE) if chosen else _SAMPLE,
        "base_url_help": _base_url_help(chosen),
        "formats": _formats(chosen),
        "formats_help": _formats_help(chosen),
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


def _base_url_help(preset: Preset | None) -> str:
    if preset and preset.code in _SAMPLES:
        return f"With the name of your own resource: {_SAMPLES[preset.code]}."
    return "The address that the provider's documentation gives, without /chat/completions; most end in /v1."


def _formats(preset: Preset | None) -> tuple[tuple[str, str], ...]:
    """The first is what the preset knows: each format gets an endpoint of its own."""
    known = [one.api_format for one in preset.endpoints] if preset else [ApiFormat.OPENAI_CHAT]
    first = known[0].value if len(known) == 1 else f"all {len(known)} that the provider is known to speak"
    others = (one.value for one in ApiFormat if len(known) > 1 or one not in known)
    return (("", first), *((name, name) for name in others))


def _formats_help(preset: Preset | None) -> str:
    if preset and len(preset.endpoints) > 1:
        return f"Those are {', '.join(one.api_format for one in preset.endpoints)}."
    return "What the server speaks. Endpoints of other formats can be added on the provider's page."


def _card(preset: Preset) -> PresetCard:
    host = urlsplit(preset.base_url).netloc or _OF_YOUR_OWN.get(preset.code, "any compatible server")
    return PresetCard(
        code=preset.code,
        label=preset.label,
        words="on this machine" if preset.is_local else host,
        initials=_INITIALS.get(preset.code, preset.label[:2]),
        shade=6 if preset.code == "custom" else shade(preset.code),
    )
