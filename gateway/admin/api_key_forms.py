"""An API key as the fields of a form. What it may use is a choice of all, some or none, and a list for some."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.admin.wording import day
from gateway.errors import InvalidFields
from gateway.model.people import ApiKey, Period
from gateway.money import exact_dollars

_NUMBERS = ("rpm_limit", "tpm_limit", "max_concurrent")
_MONEY = ("budget", "budget_period")
_WORDS = ("default_agent", "default_business", "default_capability")
_FIELDS = frozenset({"name", "user_id", "expires_at", "capabilities", "version", *_MONEY, *_NUMBERS, *_WORDS})
_LISTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "models": ("allowed_models", "model"),
        "providers": ("allowed_providers", "provider"),
        "formats": ("allowed_formats", "API format"),
    }
)
"""By the name of the choice: the field it is about, and one of what the list holds."""

SHOWN = (_FIELDS - {"version"}) | _LISTS.keys() | {field for field, _ in _LISTS.values()}
NEW = {**dict.fromkeys(_LISTS, "all"), "budget_period": Period.MONTHLY.value}


def typed(form: Mapping[str, str]) -> dict[str, str]:
    """The posted fields that are of this form."""
    return {name: value for name, value in form.items() if name in SHOWN or name == "version"}


def given(form: Mapping[str, str]) -> dict[str, object]:
    """The form in the terms of the noun: a choice and its list become one value, and no choice none."""
    found: dict[str, object] = {name: value for name, value in form.items() if name in _FIELDS}
    faults = {}
    for choice, (field, one) in _LISTS.items():
        listed = form.get(field, "").strip()
        if form.get(choice) == "listed" and not listed:
            faults[field] = f"must name at least one {one}"
        elif choice in form:
            found[field] = {"all": None, "none": []}.get(form[choice], listed)
    if faults:
        raise InvalidFields(faults)
    return found


def values(key: ApiKey) -> dict[str, str]:
    """The key as the form shows it."""
    found = {
        "name": key.name,
        "user_id": key.user_id or "",
        "expires_at": "" if key.expires_at is None else day(key.expires_at),
        "capabilities": ", ".join(key.capabilities),
        "version": str(key.version),
        "budget": "" if key.budget_nano is None else exact_dollars(key.budget_nano),
        "budget_period": key.budget_period.value,
        **{name: _number(getattr(key, name)) for name in _NUMBERS},
        **{name: getattr(key, name) for name in _WORDS},
    }
    for choice, (field, _) in _LISTS.items():
        listed = getattr(key, field)
        found[choice] = "all" if listed is None else "listed" if listed else "none"
        found[field] = "\n".join(listed or ())
    return found


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
