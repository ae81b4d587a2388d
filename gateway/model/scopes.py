"""What a management token may do: `read` and `write` for everything, or `models:read`, `models:write` for one noun."""

from __future__ import annotations

from collections.abc import Sequence

READ, WRITE = "read", "write"
NOUNS = (
    "announcements",
    "api-keys",
    "audit",
    "backends",
    "endpoints",
    "events",
    "explain",
    "mappings",
    "models",
    "pools",
    "prices",
    "provider-keys",
    "providers",
    "requests",
    "retention",
    "route-rules",
    "sessions",
    "settings",
    "state",
    "tokens",
    "usage",
    "users",
)
SCOPES = (READ, WRITE, *(f"{noun}:{access}" for noun in NOUNS for access in (READ, WRITE)))


def is_within(scopes: Sequence[str] | None, needed: str) -> bool:
    """Whether `scopes` (None: everything) allow what needs the scope `needed`, such as `models:read`.

    Who may write may read as well. What needs no scope at all ("") is open to every token.
    """
    if scopes is None or not needed:
        return True
    noun, _, access = needed.rpartition(":")
    enough = (access,) if access == WRITE else (READ, WRITE)
    return any(scope in scopes for one in enough for scope in (one, f"{noun}:{one}"))
