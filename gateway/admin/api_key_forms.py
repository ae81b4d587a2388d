"""An API key as the fields of a form. What it may use is a choice of all, some or none, and a list for some."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.admin import permission_fields
from gateway.admin.wording import day
from gateway.model.people import ApiKey, Period
from gateway.money import exact_dollars

_NUMBERS = ("rpm_limit", "tpm_limit", "max_concurrent")
_MONEY = ("budget", "budget_period")
_WORDS = ("default_agent", "default_business", "default_capability")
_BOXES = ("is_locked", "deletes_itself")
_FIELDS = frozenset(
    {"name", "note", "user_id", "expires_at", "capabilities", "version", *_MONEY, *_NUMBERS, *_WORDS, *_BOXES}
)
SHOWN = (_FIELDS - {"version"}) | permission_fields.SHOWN
NEW = {**permission_fields.NEW, "budget_period": Period.MONTHLY.value}


def typed(form: Mapping[str, str]) -> dict[str, str]:
    """The posted fields that are of this form."""
    return {name: value for name, value in form.items() if name in SHOWN or name == "version"}


def given(form: Mapping[str, str]) -> dict[str, object]:
    """The form in the terms of the noun: a choice and its list become one value, and no choice none."""
    return {**{name: value for name, value in form.items() if name in _FIELDS}, **permission_fields.given(form)}


def values(key: ApiKey) -> dict[str, str]:
    """The key as the form shows it."""
    return {
        **permission_fields.values(key),
        "name": key.name,
        "user_id": key.user_id or "",
        "expires_at": "" if key.expires_at is None else day(key.expires_at),
        "capabilities": ", ".join(key.capabilities),
        "version": str(key.version),
        "budget": "" if key.budget_nano is None else exact_dollars(key.budget_nano),
        "budget_period": key.budget_period.value,
        "note": key.note,
        **{name: "on" if getattr(key, name) else "" for name in _BOXES},
        **{name: _number(getattr(key, name)) for name in _NUMBERS},
        **{name: getattr(key, name) for name in _WORDS},
    }


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
