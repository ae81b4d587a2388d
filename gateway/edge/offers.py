"""What this server tells an application of a request beside ASGI, so that nobody waits for it in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

_NAME = "gateway.offers"


class Offers(Protocol):
    """`task` is the one that answers the request. `has_begun` is whether an answer is on its way."""

    task: asyncio.Task[None]

    @property
    def has_begun(self) -> bool: ...

    def follow_client(self, *, is_following: bool) -> None:
        """While it follows, the task is cancelled when the client leaves, at once if it has left already.

        A task that nobody else cancels is simply over with that.
        """

    def whole_body(self) -> bytes | None:
        """The request's body, taken out, where all of it is here; None elsewhere."""
        ...

    def respond(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole answer in one write; False where the client has to take something else first."""
        ...

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        """The same of an answer of which more follows; it is sent as ASGI has it."""
        ...


def offer(scope: Any, offers: Offers) -> None:
    scope[_NAME] = offers


def withdraw(scope: Any) -> None:
    """Whoever offers knows the scope, and the scope whoever offers: cut here, all of it is gone at once."""
    scope.pop(_NAME, None)


def of_scope(scope: Mapping[str, Any]) -> Offers:
    """What there is for this request."""
    found: Offers = scope[_NAME]
    return found
