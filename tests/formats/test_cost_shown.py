"""The cost beside the usage: exact, and nothing else changed."""

from __future__ import annotations

import json

from gateway.formats.chat.surface import StreamTap
from gateway.formats.cost_shown import CostSide, with_cost
from gateway.formats.passage import SameStream
from gateway.formats.sse import plain_event
from gateway.model.calls import Usage

USAGE = b'{"prompt_tokens": 9, "completion_tokens": 3, "odd": 1.50}'


def test_dollars_are_exact_and_nano_dollars_whole() -> None:
    shown = with_cost(b'{"id": "a", "usage": ' + USAGE + b', "big": 123456789012345678901234567890}', 1_234_567)
    assert b'"cost":0.001234567,"cost_nano":1234567' in shown
    assert b'"odd":1.50' in shown and b'"big":123456789012345678901234567890' in shown


def test_what_has_no_usage_or_no_price_stays_as_it_is() -> None:
    for body in (b'{"choices": []}', b"[1]", b"no json", b'{"usage": null}', b'{"usage": 5}'):
        assert with_cost(body, 5) == body
    assert with_cost(b'{"usage": ' + USAGE + b"}", None) == b'{"usage": ' + USAGE + b"}"


def test_the_chunk_that_tells_usage_has_the_cost_and_every_other_byte_is_as_it_was() -> None:
    side = CostSide(SameStream(StreamTap, hides_usage=False), lambda usage: usage.output * 1000)
    words = b'data: {"choices": [{"delta": {"content": "say \\"usage\\""}}]}\n\n'
    assert side.pass_on(words) == words
    told = side.pass_on(plain_event(b'{"choices": [], "usage": ' + USAGE + b"}"))
    assert json.loads(told.removeprefix(b"data: "))["usage"]["cost_nano"] == 3000
    assert side.pass_on(b"data: [DONE]\n\n") == b"data: [DONE]\n\n"
    assert side.tap.usage == Usage(9, 3, source=side.tap.usage.source if side.tap.usage else None)  # type: ignore[arg-type]
    assert side.rest(b"") == b""
