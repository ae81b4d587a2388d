"""Streams in Anthropic Messages, read into events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
)
from gateway.formats.messages.stream import Reader
from gateway.formats.passage import EventTap
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.messages import wires

HERE = ApiFormat.ANTHROPIC_MESSAGES
REPORTED, ESTIMATED = UsageSource.REPORTED, UsageSource.ESTIMATED
BEGUN: list[Event] = [Began("msg_1", "claude"), Measured(Usage(10, 1, source=ESTIMATED))]
TOLD = Measured(Usage(10, 5, source=REPORTED))
TEXT = [wires.block(0, type="text", text=""), wires.text(0, "Hi")]


def read(*events: bytes, reader: Reader | None = None) -> list[Event]:
    reader = reader or Reader()
    found = [said for event in events for said in reader.read(event)]
    return [*found, *reader.end()]


def test_a_whole_stream_is_read() -> None:
    assert read(
        wires.start(),
        wires.PING,
        *(
            wires.block(0, type="thinking", thinking="", signature=""),
            wires.delta(0, type="thinking_delta", thinking="Hm"),
        ),
        *(wires.delta(0, type="signature_delta", signature="EqQ"), wires.stop(0)),
        *(wires.block(1, type="text", text=""), wires.text(1, "Let me "), wires.text(1, "see."), wires.stop(1)),
        wires.block(2, type="tool_use", id="t", name="weather", input={}),
        *(wires.delta(2, type="input_json_delta", partial_json=piece) for piece in ("", '{"n": 1', "E400}")),
        wires.stop(2),
        *(wires.end("tool_use"), wires.DONE),
    ) == [
        *BEGUN,
        *(PartBegan(0, Kind.THINKING), Delta(0, "Hm"), Signed(0, "EqQ", HERE), PartEnded(0)),
        *(PartBegan(1, Kind.TEXT), Delta(1, "Let me "), Delta(1, "see."), PartEnded(1)),
        *(PartBegan(2, Kind.TOOL_CALL, "t", "weather"), Delta(2, '{"n": 1'), Delta(2, "E400}"), PartEnded(2)),
        *(TOLD, Stopped(Stop.TOOL_CALLS), Ended()),
    ]


def test_a_redacted_thought_is_a_signature_alone() -> None:
    found = read(wires.start(), wires.block(0, type="redacted_thinking", data="EmI"), wires.stop(0))

    assert found == [*BEGUN, PartBegan(0, Kind.THINKING), Signed(0, "redacted:EmI", HERE), PartEnded(0)]


def test_what_a_block_has_from_the_beginning_is_part_of_it() -> None:
    assert read(wires.start(), wires.block(0, type="text", text="Hi"), wires.stop(0))[2:] == [
        *(PartBegan(0, Kind.TEXT), Delta(0, "Hi"), PartEnded(0)),
    ]
    whole = wires.block(0, type="tool_use", id="t", name="f", input={"a": 1})
    more = wires.delta(0, type="input_json_delta", partial_json="{}")
    begun = PartBegan(0, Kind.TOOL_CALL, "t", "f")

    assert read(wires.start(), whole, wires.stop(0))[2:] == [begun, Delta(0, '{"a": 1}'), PartEnded(0)]
    assert read(wires.start(), whole, more, wires.stop(0))[2:] == [begun, Delta(0, "{}"), PartEnded(0)]


@pytest.mark.parametrize("given", [{"input": "a\nb"}, {}])
def test_the_input_of_a_tool_for_free_text_comes_as_that_text(given: dict[str, str]) -> None:
    more = [wires.delta(0, type="input_json_delta", partial_json=piece) for piece in ('{"inp', 'ut": "a\\n', 'b"}')]
    begun = wires.block(0, type="tool_use", id="t", name="patch__free_text", input=given)

    assert read(wires.start(), begun, *([] if given else more), wires.stop(0))[2:] == [
        PartBegan(0, Kind.TOOL_CALL, "t", "patch", is_custom=True),
        *(Delta(0, "a\nb"), PartEnded(0)),
    ]


def test_blocks_of_the_providers_own_tools_are_lost_by_name() -> None:
    reader = Reader()

    found = read(
        wires.start(),
        *(wires.block(0, type="server_tool_use", id="s", name="web_search", input={}), wires.stop(0)),
        wires.delta(0, type="input_json_delta", partial_json='{"query"'),
        *(wires.block(1, type="web_search_tool_result", tool_use_id="s", content=[]), wires.stop(1)),
        *(wires.block(2, type="text", text=""), wires.delta(2, type="citations_delta", citation={})),
        *(wires.text(2, "Hi"), wires.stop(2)),
        reader=reader,
    )

    assert found == [*BEGUN, PartBegan(0, Kind.TEXT), Delta(0, "Hi"), PartEnded(0)]
    assert reader.lost == {"messages.server_tool_use", "messages.web_search_tool_result", "messages.citations"}


def test_a_part_that_was_not_ended_ends_before_the_stop() -> None:
    assert read(wires.start(), *TEXT, wires.end(), wires.DONE)[4:] == [
        *(TOLD, PartEnded(0), Stopped(Stop.END), Ended()),
    ]


def test_the_sequence_that_ended_an_answer_is_told() -> None:
    ending = wires.event("message_delta", delta={"stop_reason": "stop_sequence", "stop_sequence": "END"}, usage={})

    assert read(wires.start(), ending)[-2:] == [Stopped(Stop.STOP_SEQUENCE, "END"), Ended()]


def test_a_refusal_may_be_explained() -> None:
    delta = {"stop_reason": "refusal", "stop_details": {"type": "refusal", "explanation": "Not that."}}

    assert read(wires.start(), wires.event("message_delta", delta=delta))[-5:] == [
        *(PartBegan(0, Kind.REFUSAL), Delta(0, "Not that."), PartEnded(0)),
        *(Stopped(Stop.REFUSAL), Ended()),
    ]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert Ended() not in read(wires.start(), *TEXT, wires.stop(0))
    assert read(wires.start(), *TEXT, wires.stop(0), wires.end())[-1] == Ended()
    assert read() == []


def test_after_the_end_nothing_comes() -> None:
    reader = Reader()

    assert read(wires.start(), wires.end(), wires.DONE, reader=reader).count(Ended()) == 1
    assert read(wires.start(), *TEXT, wires.DONE, reader=reader) == []


def test_an_error_is_told_and_nothing_after_it() -> None:
    error = wires.event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    reader = Reader()

    assert read(wires.start(), error, wires.DONE, reader=reader) == [*BEGUN, Failed("Overloaded")]
    assert read(wires.event("error")) == [Failed("the provider reported an error")]


def test_a_stream_without_its_beginning_is_begun() -> None:
    assert read(*TEXT) == [Began("", ""), PartBegan(0, Kind.TEXT), Delta(0, "Hi")]
    assert read(wires.DONE) == [Began("", ""), Stopped(Stop.END), Ended()]


def test_a_usage_that_is_not_told_is_estimated_from_the_text() -> None:
    ending = wires.event("message_delta", delta={"stop_reason": "end_turn"})

    found = read(wires.start(), wires.block(0, type="text", text=""), wires.text(0, "x" * 401), ending)

    assert Measured(Usage(10, 101, source=ESTIMATED)) in found


@settings(max_examples=100)
@given(st.lists(st.binary(), max_size=3))
def test_no_bytes_make_the_reader_raise(payloads: list[bytes]) -> None:
    read(*(b"data: " + payload + b"\n\n" for payload in payloads), *payloads)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=3) | st.just(2**70),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "text", "usage", "stop_reason", "index"]), inner)
    ),
    max_leaves=4,
)
KINDS = st.sampled_from(
    [
        *("message_start", "message_delta", "content_block_start", "content_block_delta"),
        *("content_block_stop", "message_stop", "error", "ping", "new"),
    ]
)
MEMBERS = st.sampled_from(["delta", "content_block", "message", "usage", "error", "index"])
BLOCK = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(["text", "tool_use", "thinking", "redacted_thinking", "text_delta", "input_json_delta"]),
    st.dictionaries(st.sampled_from(["text", "input", "id", "name", "data", "partial_json", "signature"]), JSON),
)


@settings(max_examples=100)
@given(st.lists(st.tuples(KINDS, st.dictionaries(MEMBERS, JSON | BLOCK | st.just(0))), max_size=6))
def test_whatever_the_members_are_the_events_keep_their_order(said: list[tuple[str, dict[str, Any]]]) -> None:
    found = read(*(f"data: {json.dumps({**fields, 'type': kind})}\n\n".encode() for kind, fields in said))

    begun = [event.index for event in found if isinstance(event, PartBegan)]
    ended = [event.index for event in found if isinstance(event, PartEnded)]
    assert begun == list(range(len(begun)))
    assert len(set(ended)) == len(ended)
    assert set(ended) <= set(begun)
    assert sum(isinstance(event, Began) for event in found) <= 1
    assert sum(isinstance(event, Stopped) for event in found) <= 1
    last = [event for event in found if isinstance(event, Ended | Failed)]
    assert last in ([], found[-1:])


def test_a_translated_stream_that_is_cut_is_charged_for_the_text_that_came() -> None:
    tap = EventTap()
    for said in read(wires.start(), wires.block(0, type="text", text=""), wires.text(0, "x" * 401)):
        tap.note(said)

    assert tap.usage == Usage(10, 101, source=ESTIMATED)
