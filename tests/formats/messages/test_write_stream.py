"""Streams of any format, written in Anthropic Messages."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import NOT_GIVEN
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from pydantic import TypeAdapter

from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Failed,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Signed,
    Stop,
    Stopped,
    Told,
)
from gateway.formats.messages.stream import Writer
from gateway.formats.signatures import marked
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.messages.judges import judged_events

GEMINI = ApiFormat.GEMINI_GENERATE
TOLD = Told("call1", "asked-model", Usage(7, 3, source=UsageSource.ESTIMATED), wants_usage=False, now=1)
USAGE = Measured(Usage(10, 5, 3, 2, 1, UsageSource.REPORTED, 4))
BEGAN = Began("msg_1", "served-model")
_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def written(*events: Event) -> list[dict[str, Any]]:
    writer = Writer(TOLD)
    return judged_events(b"".join(map(writer.write, events)))


def part(*events: Event) -> list[dict[str, Any]]:
    """What is written of the events of parts, between beginning and end."""
    return written(BEGAN, *events)[1:]


def whole(*events: Event) -> Any:
    """What the SDK makes of a whole stream."""
    snapshot, inputs = None, {}
    for payload in written(BEGAN, *events):
        event = _EVENT.validate_python(payload)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=inputs, output_format=NOT_GIVEN)
    return snapshot


def test_the_beginning_has_an_estimate_of_the_input() -> None:
    (begun,) = written(BEGAN)

    assert begun["message"]["usage"]["input_tokens"] == 7
    assert begun["message"] | {"usage": None} == {
        **{"id": "msg_1", "type": "message", "role": "assistant", "model": "asked-model", "content": []},
        **{"stop_reason": None, "stop_sequence": None, "usage": None},
    }
    assert written(Began("", ""))[0]["message"]["id"] == "msg_call1"


def test_there_is_always_some_input() -> None:
    writer = Writer(Told("c", "m", Usage(), wants_usage=False, now=1))

    (begun,) = judged_events(writer.write(BEGAN))

    assert begun["message"]["usage"]["input_tokens"] == 1


def test_text_is_a_block_of_its_own() -> None:
    assert part(PartBegan(0, Kind.TEXT), Delta(0, 'H"é\n'), Delta(0, ""), PartEnded(0)) == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 'H"é\n'}},
        {"type": "content_block_stop", "index": 0},
    ]


def test_a_thought_is_signed_at_its_end() -> None:
    events = (PartBegan(0, Kind.THINKING), Signed(0, "S", GEMINI), Delta(0, "Hm"), PartEnded(0))

    assert [said.get("content_block") or said.get("delta") for said in part(*events)] == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm"},
        {"type": "signature_delta", "signature": "gw1.gemini_generate.S"},
        None,
    ]


@pytest.mark.parametrize(
    ("signed", "block"),
    [
        ([Signed(0, "S", GEMINI)], {"type": "redacted_thinking", "data": "gw1.gemini_generate.S"}),
        (
            [Signed(0, "redacted:D", ApiFormat.ANTHROPIC_MESSAGES)],
            {"type": "redacted_thinking", "data": "D"},
        ),
        ([], {"type": "thinking", "thinking": "", "signature": ""}),
    ],
)
def test_a_thought_without_text_is_redacted(signed: list[Event], block: dict[str, Any]) -> None:
    begun, ended = part(PartBegan(0, Kind.THINKING), *signed, PartEnded(0))

    assert (begun["content_block"], ended["type"]) == (block, "content_block_stop")


def test_blocks_have_rising_indexes_in_the_order_they_are_told() -> None:
    found = part(
        *(PartBegan(0, Kind.THINKING), PartBegan(1, Kind.TEXT), Delta(1, "a"), PartEnded(1)),
        *(Signed(0, "S", GEMINI), PartEnded(0), PartBegan(2, Kind.TOOL_CALL, "t", "f"), PartEnded(2)),
    )

    assert [said["index"] for said in found if said["type"] == "content_block_start"] == [0, 1, 2]
    assert [said["content_block"]["type"] for said in found if said["type"] == "content_block_start"] == [
        *("text", "redacted_thinking", "tool_use"),
    ]


def test_the_end_tells_why_and_the_whole_usage() -> None:
    changed, last = part(Stopped(Stop.STOP_SEQUENCE, "END"), USAGE, Ended())

    assert changed["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert changed["usage"]["input_tokens"] == 10
    assert (changed["usage"]["cache_read_input_tokens"], changed["usage"]["cache_creation_input_tokens"]) == (3, 6)
    assert last == {"type": "message_stop"}


def test_a_usage_that_nobody_told_is_estimated() -> None:
    *_, changed, _ = part(PartBegan(0, Kind.TEXT), Delta(0, "x" * 9), PartEnded(0), Stopped(Stop.END), Ended())

    assert (changed["usage"]["input_tokens"], changed["usage"]["output_tokens"]) == (7, 3)


@pytest.mark.parametrize(
    ("kind", "stop", "reason"),
    [
        (Kind.TEXT, Stop.END, "end_turn"),
        (Kind.TOOL_CALL, Stop.END, "tool_use"),
        (Kind.TOOL_CALL, Stop.LENGTH, "max_tokens"),
        (Kind.REFUSAL, Stop.END, "refusal"),
        (Kind.TEXT, Stop.FILTER, "refusal"),
    ],
)
def test_the_reason_says_what_was_in_the_answer(kind: Kind, stop: Stop, reason: str) -> None:
    *_, changed, _ = part(PartBegan(0, kind), PartEnded(0), Stopped(stop), Ended())

    assert changed["delta"]["stop_reason"] == reason


def test_nothing_is_written_of_a_failure_and_no_end_of_a_stream_that_broke() -> None:
    assert part(PartBegan(0, Kind.TEXT), Stopped(Stop.END), Failed("Overloaded")) == [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]


def test_events_of_parts_that_are_not_open_are_nothing() -> None:
    assert part(Delta(3, "x"), Signed(3, "S", GEMINI), PartEnded(3)) == []


def test_a_ping_is_an_event_that_the_sdk_passes_over() -> None:
    assert Writer(TOLD).ping == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_the_sdk_gathers_a_message_from_parts_that_are_told_in_turns() -> None:
    found = whole(
        *(PartBegan(0, Kind.TEXT), Delta(0, "Let me see."), PartEnded(0)),
        *(PartBegan(1, Kind.TOOL_CALL, "a", "f"), PartBegan(2, Kind.TOOL_CALL, "b", "g")),
        *(Delta(1, '{"x"'), Delta(2, '{"y"'), Delta(1, ": 1}"), Delta(2, ": 2}"), PartEnded(1), PartEnded(2)),
        *(USAGE, Stopped(Stop.TOOL_CALLS), Ended()),
    )

    assert [(block.type, getattr(block, "input", None)) for block in found.content] == [
        *(("text", None), ("tool_use", {"x": 1}), ("tool_use", {"y": 2})),
    ]
    assert (found.stop_reason, found.usage.input_tokens, found.usage.output_tokens) == ("tool_use", 10, 5)


def test_an_unsigned_thought_is_known_again_when_it_comes_back() -> None:
    """It came from a provider of chat, which wants to read it again and which no provider of this format could."""
    said = part(PartBegan(0, Kind.THINKING), Delta(0, "hm"), PartEnded(0))
    signed = [event["delta"] for event in said if event.get("delta", {}).get("type") == "signature_delta"]
    unsigned = marked("", ApiFormat.OPENAI_CHAT, ApiFormat.ANTHROPIC_MESSAGES)
    assert [delta["signature"] for delta in signed] == [unsigned]
