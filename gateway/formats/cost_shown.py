"""The cost of a call beside its usage, for clients of chat that ask for it with a header."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.metering import Tap
from gateway.formats.side import StreamSide
from gateway.formats.sse import EventSplitter, event_payload, plain_event
from gateway.model.calls import Usage
from gateway.money import exact_dollars

CostOf = Callable[[Usage], int | None]
"""The list cost of a usage, in nano-dollars; None where the model has no price."""

_USAGE = b'"usage"'


def with_cost(body: bytes, cost: int | None) -> bytes:
    """An answer or a chunk with `cost` (dollars) and `cost_nano` in its usage; as it is where that is not there."""
    if cost is None or _USAGE not in body:
        return body
    try:
        fields = bodies.parse_object(body)
        usage = bodies.parse_object(bytes(fields.get("usage", b"null")))
    except BadInput:
        return body
    usage["cost"], usage["cost_nano"] = bodies.exactly(exact_dollars(cost)), bodies.raw(cost)
    fields["usage"] = bodies.exactly(bodies.encode_object(usage).decode())
    return bodies.encode_object(fields)


class CostSide:
    """A StreamSide that has the cost in every chunk that tells usage."""

    __slots__ = ("_cost_of", "_inner", "ping", "tells_errors")

    def __init__(self, inner: StreamSide, cost_of: CostOf) -> None:
        self._inner = inner
        self._cost_of = cost_of
        self.ping = inner.ping
        self.tells_errors = inner.tells_errors

    @property
    def tap(self) -> Tap:
        return self._inner.tap

    @property
    def lost(self) -> tuple[str, ...]:
        return self._inner.lost

    def pass_on(self, event: bytes) -> bytes:
        return self._with_cost(self._inner.pass_on(event))

    def pass_block(self, block: bytes) -> bytes | None:
        passed = self._inner.pass_block(block)
        return None if passed is None else self._with_cost(passed)

    def rest(self, rest: bytes) -> bytes:
        return self._with_cost(self._inner.rest(rest))

    def _with_cost(self, passed: bytes) -> bytes:
        usage = self.tap.usage
        if usage is None or _USAGE not in passed:
            return passed
        splitter, cost = EventSplitter(), self._cost_of(usage)
        return b"".join(_event(event, cost) for event in splitter.feed(passed)) + splitter.rest()


def _event(event: bytes, cost: int | None) -> bytes:
    payload = event_payload(event)
    told = with_cost(payload, cost)
    return event if told == payload else plain_event(told)
