"""How an application hears that its client has hung up, without waiting for it in a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NAME = "gateway.leaving"

Leaving = Callable[[Callable[[], None] | None], bool]
"""Has a callback run once, when the client leaves before its answer is whole; None takes it back.

False where the client has left already: then nothing runs.
"""


def offered(leaving: Leaving) -> dict[str, dict[object, object]]:
    """A scope's extensions with it."""
    return {NAME: {"tell": leaving}}


def of_scope(scope: Mapping[str, Any]) -> Leaving:
    """What this server offers to every request's application."""
    found: Leaving = scope["extensions"][NAME]["tell"]
    return found
