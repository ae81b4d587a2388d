"""One call as data: made once from a request, never changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
from msgspec.structs import force_setattr

from gateway.formats.errors import OPENAI, Family
from gateway.formats.metering import estimated
from gateway.formats.request import Request
from gateway.formats.table import FORMATS
from gateway.hiding import hiding
from gateway.model.calls import Attempt, CallSource, Skip, Usage
from gateway.model.people import ApiKey
from gateway.proxy.kept import Kept
from gateway.proxy.said import SAYS_NOTHING, Said, said_by
from gateway.routing.candidates import Plan
from gateway.routing.limits import Grant
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Lane
from gateway.routing.spends import Hold
from gateway.store.stored_responses import StoredResponse

Header = tuple[bytes, bytes]


class Arrival(msgspec.Struct, frozen=True):
    """What is known of a request before its body is read. `received` is monotonic, `started_at` Unix ms.

    `family` is how errors are told to whoever sent it; `said` follows from `headers`.
    """

    id: str
    received: float
    started_at: int
    path: str
    headers: tuple[Header, ...]
    client_ip: str
    family: Family = OPENAI
    query: bytes = b""
    said: Said = SAYS_NOTHING

    __repr__ = hiding("headers", "query", "said")

    def __post_init__(self) -> None:
        force_setattr(self, "said", said_by(self.headers))

    def header(self, name: bytes) -> str | None:
        """The value of the first header of this lower-case name."""
        for found, value in self.headers:
            if found == name:
                return value.decode("latin-1")
        return None


class Upload(Protocol):
    """A body that is sent on while it arrives."""

    content_type: str

    def length(self, model: str) -> int | None:
        """Bytes of it with this model's name in it; None where that is not known yet."""
        ...

    def content(self, model: str) -> AsyncIterator[bytes]:
        """It from its beginning, with this model's name in it. Raises a GatewayError where it is not to be had."""
        ...


class Call(msgspec.Struct, frozen=True):
    """One request from a client, authenticated and understood as far as routing needs.

    `pinned` is the one backend that can serve it, as it keeps what the call goes on from; empty for any.
    `upload` is its body where that is no JSON; `request` then has the small fields of it. `size` is that of a JSON
    body, in bytes.
    """

    arrival: Arrival
    api_key: ApiKey
    request: Request
    source: CallSource = CallSource.API
    pinned: str = ""
    upload: Upload | None = None
    size: int = 0

    __repr__ = hiding("upload")

    @property
    def id(self) -> str:
        return self.arrival.id


class Trail(msgspec.Struct):
    """What became of a call on its way: filled while it is forwarded, written down at its end.

    `target` and `plan` are what was decided first, `sent_at` is when the first byte went to a provider (monotonic).
    `admitted` is what it took of its API key's limits and `answering` what it took at the backend that answers: both
    are settled with the tokens that it used. `hold` is the money that it reserved of its API key and user;
    `was_reserved` where that is written down. `asking` is where it has been sent and is not answered yet.
    `kept` is what is put aside of the answer.
    """

    attempts: list[Attempt] = msgspec.field(default_factory=list)
    skips: dict[str, Skip] = msgspec.field(default_factory=dict)
    target: Target | None = None
    plan: Plan | None = None
    sent_at: float | None = None
    admitted: Grant | None = None
    answering: Grant | None = None
    hold: Hold | None = None
    was_reserved: bool = False
    asking: Lane | None = None
    kept: Kept = msgspec.field(default_factory=Kept)

    def skip(self, *skips: Skip) -> None:
        """Keep the first reason of each backend: later ones are often its echo."""
        for found in skips:
            self.skips.setdefault(found.backend_id, found)


def stored_by(call: Call, answer_id: str, backend_id: str, model: str) -> StoredResponse:
    """Whose the answer to the call is, that a backend keeps under its own id for it."""
    return StoredResponse(
        id=answer_id,
        api_key_id=call.api_key.id,
        user_id=call.api_key.user_id,
        backend_id=backend_id,
        model=model,
        created_at=call.arrival.started_at,
    )


def estimate(call: Call, answered: int) -> Usage:
    """What the call used, as far as can be known without the provider: `answered` are characters of the answer.

    What no provider charges for used nothing.
    """
    row = FORMATS[call.request.api_format]
    return Usage() if call.request.action in row.free else estimated(row.asked_characters(call.request), answered)
