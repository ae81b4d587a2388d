"""Counting tokens where no provider can: an estimate is an answer, and better than none."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.errors import (
    BadInput,
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unavailable,
    UpstreamFailed,
    UpstreamRefused,
)
from gateway.formats.metering import estimated
from gateway.formats.table import FORMATS
from gateway.model.calls import CallStatus
from gateway.proxy.attempt import WholeAnswer
from gateway.proxy.call import Call
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Outcome

COUNTED = Outcome(CallStatus.COMPLETED, 200)
"""How such a call ends: nothing was used."""

_UNABLE = (Unavailable, UpstreamFailed, DeadlineExceeded, UpstreamRefused)


def instead_of(call: Call, error: GatewayError) -> bytes | None:
    """The answer to give in place of an error; None where the call counts nothing, or may not be made at all."""
    row = FORMATS[call.request.api_format]
    if call.request.action not in row.free or row.count_answer is None:
        return None
    return _answer(call) if _is_theirs(error) else None


def _is_theirs(error: GatewayError) -> bool:
    """Whether it is the backends that cannot count. A limit of ours says which it is, and holds."""
    if isinstance(error, RateLimited):
        return not error.details
    return isinstance(error, _UNABLE) or (isinstance(error, BadInput) and error.code == "format_not_served")


def _answer(call: Call) -> bytes:
    row = FORMATS[call.request.api_format]
    assert row.count_answer is not None
    return row.count_answer(max(1, estimated(row.asked_characters(call.request), 0).input))


def in_place_of(relay: Relay) -> Relay:
    """The same relay; where it would relay a refusal that means that the provider cannot count, one of an estimate."""
    row, reply = FORMATS[relay.call.request.api_format], relay.reply
    is_counting = relay.call.request.action in row.free and row.count_answer is not None
    if not (is_counting and reply.is_refusal and reply.answer.status in _NOT_THERE):
        return relay
    counted = WholeAnswer(200, ((b"content-type", b"application/json"),), _answer(relay.call), None, 0)
    return replace(relay, reply=replace(reply, answer=counted, is_refusal=False))


_NOT_THERE = frozenset({404, 405})
