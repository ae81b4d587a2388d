"""What this server tells an application of a request beside ASGI, so that nobody waits for it in a task of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

_NAME = "gateway.offers"

Leaving = Callable[[Callable[[], None] | None], bool]
"""Has a callback run once, when the client leaves before its answer is whole; None takes it back.

False where the client has left already: then nothing runs.
"""


class Offers(msgspec.Struct, frozen=True):
    """`leaving` tells when the client leaves; `whole_body` takes the body where all of it is here, None elsewhere."""

    leaving: Leaving
    whole_body: Callable[[], bytes | None]


def extension(offers: Offers) -> dict[str, dict[object, object]]:
    """For a scope's extensions."""
    return {_NAME: {"offers": offers}}


def of_scope(scope: Mapping[str, Any]) -> Offers:
    """What there is for this request."""
    found: Offers = scope["extensions"][_NAME]["offers"]
    return found
