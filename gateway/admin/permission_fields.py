"""What somebody may use, in a form: for each list a choice of all, some or none, and the list for some."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.errors import InvalidFields

LISTS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "models": ("allowed_models", "model"),
        "providers": ("allowed_providers", "provider"),
        "formats": ("allowed_formats", "API format"),
    }
)
"""By the name of the choice: the field it is about, and one of what the list holds."""

SHOWN = LISTS.keys() | {field for field, _ in LISTS.values()}
NEW: Mapping[str, str] = MappingProxyType(dict.fromkeys(LISTS, "all"))


def given(form: Mapping[str, str]) -> dict[str, object]:
    """A choice and its list as one value; fields without a choice are left out. Raises InvalidFields."""
    found: dict[str, object] = {}
    faults = {}
    for choice, (field, one) in LISTS.items():
        listed = form.get(field, "").strip()
        if form.get(choice) == "listed" and not listed:
            faults[field] = f"must name at least one {one}"
        elif choice in form:
            found[field] = {"all": None, "none": []}.get(form[choice], listed)
    if faults:
        raise InvalidFields(faults)
    return found


def values(row: Any) -> dict[str, str]:
    """The lists of an API key or a user as the form shows them."""
    found = {}
    for choice, (field, _) in LISTS.items():
        listed = getattr(row, field)
        found[choice] = "all" if listed is None else "listed" if listed else "none"
        found[field] = "\n".join(listed or ())
    return found
