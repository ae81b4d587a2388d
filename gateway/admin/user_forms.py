"""A user as the fields of a form."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.admin import permission_fields
from gateway.admin.field_forms import FormPlan, Group, text_of
from gateway.control import time_zones, users
from gateway.model.people import User
from gateway.money import exact_dollars

_GROUPS = {
    "Who": ("username", "email", "role", "time_zone", "is_active"),
    "Limits over all API keys of the person": ("rpm_limit", "tpm_limit", "max_concurrent", "quota", "quota_period"),
}
_CAPABILITIES = {"Backends must be able to": ("capabilities",)}
_WORDS = {
    "username": "User name",
    "is_active": "Active",
    "rpm_limit": "Requests per minute",
    "tpm_limit": "Tokens per minute",
    "max_concurrent": "Calls at once",
    "quota": "Quota in dollars",
    "quota_period": "Begins anew",
    "capabilities": "By model",
}
_HELP = {
    "username": "To sign in with; kept in lower case.",
    "email": "Where to reach the person; nothing is sent.",
    "role": "An admin may do everything here, a user has a home with own API keys.",
    "time_zone": "In which times are shown to the person; UTC stands for the browser's own.",
    "is_active": "May sign in, and the API keys work.",
    "rpm_limit": "Empty: no limit; 0 refuses.",
    "tpm_limit": "Empty: no limit; 0 refuses.",
    "max_concurrent": "Empty: no limit; 0 refuses.",
    "quota": "What all the keys may spend together. Empty: no limit; 0 refuses.",
    "quota_period": "At midnight UTC.",
    "capabilities": "One model a line, such as gpt-5 = tools, vision; * stands for every model.",
}
_PERIODS = (("daily", "Every day"), ("weekly", "Every week, on Monday"), ("monthly", "Every month"), ("none", "Never"))
_ROLES = (("user", "User"), ("admin", "Admin"))
_PLAIN = FormPlan(users.FIELDS, MappingProxyType({**_GROUPS, **_CAPABILITIES}), _WORDS, _HELP)
_FIELDS = _PLAIN.names | {"password"}

SHOWN = (_PLAIN.shown | {"password"} | permission_fields.SHOWN) - {"version"}
NEW = {
    **permission_fields.NEW,
    "role": "user",
    "is_active": "on",
    "time_zone": time_zones.UTC,
    "quota_period": "monthly",
}


def groups() -> tuple[Group, ...]:
    """Fields that the page lays out by heading; the last group comes after what one may use."""
    zones = tuple((zone, zone.replace("_", " ")) for zone in time_zones.every())
    return _PLAIN.looks({"time_zone": zones, "quota_period": _PERIODS, "role": _ROLES})


def typed(form: Mapping[str, str]) -> dict[str, str]:
    """The posted fields that are of this form, without the password, which is never shown again."""
    names = (SHOWN | {"version"}) - {"password"}
    return {name: value for name, value in form.items() if name in names}


def given(form: Mapping[str, str]) -> dict[str, object]:
    """The form in the terms of the noun. An empty password leaves the old one."""
    found = {name: value for name, value in form.items() if name in _FIELDS}
    if not found.get("password"):
        found.pop("password", None)
    return {**found, **permission_fields.given(form)}


def values(user: User) -> dict[str, str]:
    """The user as the form shows it."""
    by_name = {field.name: field for field in users.FIELDS}
    plain = {name: text_of(by_name[name], getattr(user, name)) for name in _PLAIN.shown - {"quota", "quota_period"}}
    return {
        **permission_fields.values(user),
        **plain,
        "quota": "" if user.quota_nano is None else exact_dollars(user.quota_nano),
        "quota_period": user.quota_period.value,
        "version": str(user.version),
    }
