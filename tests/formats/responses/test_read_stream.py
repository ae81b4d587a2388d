"""Streams in OpenAI Responses are read into events: nothing twice, and nothing lost."""

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
from gateway.formats.responses.stream import Reader
from tests.formats.responses.answers import CLAUDE, HERE, USED, joined, read
from tests.formats.responses.wires import event, function_call, message, output_text, response

CREATED = event("response.created", response=response(status="in_progress", usage=None))
BEGAN = Began("resp_1", "gpt", 1_700_000_000)
COMPLETED = event("response.completed", response=response())
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


def added(place: int, item: dict[str, Any]) -> bytes:
    return event("response.output_item.added", output_index=place, item=item)


def done(place: int, item: dict[str, Any]) -> bytes:
    return event("response.output_item.done", output_index=place, item=item)


def text(words: str, place: int = 0, content: int = 0) -> bytes:
    return event(
        "response.output_text.delta",
        output_index=place,
        content_index=content,
        item_id="msg_1",
        delta=words,
        logprobs=[],
    )


def arguments(words: str, place: int = 0) -> bytes:
    return event("response.function_call_arguments.delta", output_index=place, item_id="fc_1", delta=words)


def summary(words: str, section: int = 0) -> bytes:
    return event(
        "response.reasoning_summary_text.delta", output_index=0, item_id="rs_1", summary_index=section, delta=words
    )


def ends(stop: Stop = Stop.END) -> list[Event]:
    return [Measured(USED), Stopped(stop), Ended()]


def heard(*chunks: bytes) -> list[Event]:
    """What is said between the beginning and the end."""
    found = joined(read(CREATED, *chunks, COMPLETED))
    assert found[0] == BEGAN and found[-1] == Ended()
    return [one for one in found[1:-1] if not isinstance(one, Measured | Stopped)]


def test_text_comes_piece_by_piece() -> None:
    stream = (
        CREATED,
        event("response.in_progress", response=response(status="in_progress")),
        added(0, message(status="in_progress")),
        event("response.content_part.added", output_index=0, content_index=0, item_id="msg_1", part=output_text("")),
        text("Hel"),
        text("lo"),
        event("response.output_text.done", output_index=0, content_index=0, item_id="msg_1", text="Hello"),
        event(
            "response.content_part.done", output_index=0, content_index=0, item_id="msg_1", part=output_text("Hello")
        ),
        done(0, message(output_text("Hello"))),
        event("response.completed", response=response(message(output_text("Hello")))),
    )

    assert read(*stream) == [
        BEGAN,
        PartBegan(0, Kind.TEXT),
        Delta(0, "Hel"),
        Delta(0, "lo"),
        PartEnded(0),
        *ends(),
    ]


@pytest.mark.parametrize(
    "last",
    [
        (event("response.content_part.done", output_index=0, content_index=0, part=output_text("Hello")),),
        (done(0, message(output_text("Hello"))),),
    ],
)
def test_text_that_comes_only_at_an_end_comes_all_the_same(last: tuple[bytes, ...]) -> None:
    assert heard(added(0, message()), *last, *last) == [PartBegan(0, Kind.TEXT), Delta(0, "Hello"), PartEnded(0)]


def test_an_answer_that_is_told_at_its_end_only_is_read_there() -> None:
    output = (message(output_text("Hello")), function_call())
    found = read(CREATED, event("response.completed", response=response(*output)))

    assert found == [
        BEGAN,
        PartBegan(0, Kind.TEXT),
        Delta(0, "Hello"),
        PartEnded(0),
        PartBegan(1, Kind.TOOL_CALL, "call_1", "weather"),
        Delta(1, '{"place":"Bern"}'),
        PartEnded(1),
        *ends(Stop.TOOL_CALLS),
    ]


def test_arguments_of_several_calls_stay_apart() -> None:
    found = heard(
        added(0, function_call("a", arguments="", id="fc_1")),
        added(1, function_call("b", arguments="", id="fc_2")),
        arguments('{"x"', 0),
        arguments('{"y"', 1),
        arguments(":1}", 0),
        arguments(":2}", 1),
        done(1, function_call("b", arguments='{"y":2}')),
        done(0, function_call("a", arguments='{"x":1}')),
    )

    assert found == [
        PartBegan(0, Kind.TOOL_CALL, "a", "weather"),
        PartBegan(1, Kind.TOOL_CALL, "b", "weather"),
        Delta(0, '{"x"'),
        Delta(1, '{"y"'),
        Delta(0, ":1}"),
        Delta(1, ":2}"),
        PartEnded(1),
        PartEnded(0),
    ]


@pytest.mark.parametrize(
    "stream",
    [
        (added(0, function_call(arguments="")), done(0, function_call())),
        (done(0, function_call()),),
        (added(0, function_call()),),
        (arguments('{"pl'), done(0, function_call())),
    ],
)
def test_arguments_that_come_without_pieces_come_all_the_same(stream: tuple[bytes, ...]) -> None:
    assert heard(*stream) == [
        PartBegan(0, Kind.TOOL_CALL, "call_1", "weather"),
        Delta(0, '{"place":"Bern"}'),
        PartEnded(0),
    ]


def test_a_custom_tool_takes_free_text() -> None:
    call = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "patch", "input": ""}
    found = heard(
        added(0, call),
        event("response.custom_tool_call_input.delta", output_index=0, item_id="ctc_1", delta="free"),
        done(0, {**call, "input": "free"}),
    )

    assert found == [PartBegan(0, Kind.TOOL_CALL, "c", "patch", is_custom=True), Delta(0, "free"), PartEnded(0)]


def test_a_thought_has_its_summary_and_its_signature() -> None:
    whole = [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]
    found = heard(
        added(0, THOUGHT),
        summary("o"),
        summary("ne"),
        summary("two", 1),
        done(0, {**THOUGHT, "summary": whole, "encrypted_content": "proof"}),
    )

    assert found == [
        PartBegan(0, Kind.THINKING, "rs_1"),
        Delta(0, "one\n\ntwo"),
        Signed(0, "proof", HERE),
        PartEnded(0),
    ]


def test_a_thought_is_told_once_where_it_comes_with_its_summary() -> None:
    def thought(words: str) -> bytes:
        return event("response.reasoning_text.delta", output_index=0, item_id="rs_1", content_index=0, delta=words)

    found = heard(added(0, THOUGHT), thought("all"), summary("short"), thought(" of it"), done(0, THOUGHT))

    assert found == [PartBegan(0, Kind.THINKING, "rs_1"), Delta(0, "all of it"), PartEnded(0)]


def test_a_thought_may_be_its_signature_alone() -> None:
    found = heard(added(0, THOUGHT), done(0, {**THOUGHT, "encrypted_content": "gw1.anthropic_messages.sig"}))

    assert found == [PartBegan(0, Kind.THINKING, "rs_1"), Signed(0, "sig", CLAUDE), PartEnded(0)]
    assert heard(added(0, THOUGHT), done(0, THOUGHT)) == []


def test_a_refusal_is_a_part_and_why_it_ended() -> None:
    refusal = event("response.refusal.delta", output_index=0, content_index=0, item_id="msg_1", delta="no")
    found = read(CREATED, added(0, message()), refusal, COMPLETED)

    assert found[1:] == [PartBegan(0, Kind.REFUSAL), Delta(0, "no"), PartEnded(0), *ends(Stop.REFUSAL)]


def test_the_parts_of_one_message_stay_apart() -> None:
    found = heard(added(0, message()), text("a"), text("b", content=1), text("a"), done(0, message()))

    assert found == [
        PartBegan(0, Kind.TEXT),
        Delta(0, "a"),
        PartBegan(1, Kind.TEXT),
        Delta(1, "b"),
        Delta(0, "a"),
        PartEnded(0),
        PartEnded(1),
    ]


@pytest.mark.parametrize(
    ("reason", "stop"), [("max_output_tokens", Stop.LENGTH), ("content_filter", Stop.FILTER), (None, Stop.LENGTH)]
)
def test_an_incomplete_answer_is_an_ending(reason: str | None, stop: Stop) -> None:
    last = event("response.incomplete", response=response(status="incomplete", incomplete_details={"reason": reason}))

    assert read(CREATED, text("x"), last)[-4:] == [PartEnded(0), *ends(stop)]


def test_servers_that_tell_only_the_id_of_an_item_are_understood() -> None:
    found = heard(
        event("response.output_item.added", item=message(status="in_progress")),
        event("response.output_text.delta", item_id="msg_1", delta="Hello"),
        event("response.content_part.done", item_id="msg_1", content_index=0, part=output_text("Hello")),
        event("response.output_item.done", item=message(output_text("Hello"))),
    )

    assert found == [PartBegan(0, Kind.TEXT), Delta(0, "Hello"), PartEnded(0)]


def test_what_comes_before_the_beginning_begins_it() -> None:
    assert read(text("x"))[:2] == [Began("", ""), PartBegan(0, Kind.TEXT)]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (event("error", message="too fast", code="slow_down"), "too fast"),
        (event("error", error={"message": "too fast"}), "too fast"),
        (b'data: {"error":{"message":"too fast"}}\n\n', "too fast"),
        (event("error"), "the provider reported an error"),
        (event("response.failed", response=response(error={"message": "broken"}, usage=None)), "broken"),
    ],
)
def test_an_error_is_the_last_that_is_heard(told: bytes, words: str) -> None:
    assert read(CREATED, told, text("x"), COMPLETED) == [BEGAN, Failed(words)]


def test_a_failed_answer_tells_what_it_used() -> None:
    assert read(event("response.failed", response=response(error={"message": "x"}))) == [Measured(USED), Failed("x")]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    assert read(CREATED, text("x"))[-1] == Delta(0, "x")


def test_after_the_end_nothing_comes() -> None:
    assert read(COMPLETED, text("x"), COMPLETED)[-1] == Ended()
    assert read(COMPLETED, text("x"), COMPLETED) == read(COMPLETED)


def test_what_has_no_place_is_named() -> None:
    reader = Reader()
    for one in (
        added(0, {"type": "web_search_call", "id": "ws"}),
        event("response.web_search_call.searching", output_index=0),
        event("response.mcp_call_arguments.delta", output_index=0, item_id="x", delta="x"),
        event("response.output_text.annotation.added", output_index=0),
        done(1, message({**output_text("x"), "logprobs": [{"token": "x"}]})),
    ):
        reader.read(one)

    assert reader.lost == {"output.web_search_call", "annotations", "logprobs"}


@pytest.mark.parametrize("sent", [b"data: [DONE]\n\n", b": ping\n\n", b"data:\n\n", b"data: {}\n\n", b"data: 3\n\n"])
def test_signs_of_life_say_nothing(sent: bytes) -> None:
    assert read(sent) == []


KINDS = st.sampled_from(
    [
        *("response.created", "response.output_item.added", "response.output_text.delta", "response.completed"),
        *("response.output_item.done", "response.content_part.done", "response.reasoning_summary_text.delta"),
        *("response.function_call_arguments.delta", "response.failed", "error"),
    ]
)
VALUES = st.recursive(
    st.none() | st.integers(-1, 2) | st.sampled_from(["", "message", "reasoning", "function_call", "output_text"]),
    lambda of: (
        st.lists(of, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "id", "content", "summary", "text", "usage", "output", "call_id", "name"]), of
        )
    ),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from(
        [
            *("item", "part", "response", "delta", "output_index", "content_index", "item_id", "error"),
            *("summary_index", "message"),
        ]
    ),
    VALUES,
)


@given(st.lists(st.builds(lambda kind, fields: json.dumps({"type": kind, **fields}).encode(), KINDS, FIELDS)))
@settings(max_examples=100)
def test_events_of_any_shape_are_read(events: list[bytes]) -> None:
    found = read(*(b"data: " + one + b"\n\n" for one in events))

    begun = [one.index for one in found if isinstance(one, PartBegan)]
    assert begun == list(range(len(begun)))
    assert sum(isinstance(one, Began) for one in found) <= 1


@given(st.lists(st.binary()))
@settings(max_examples=60)
def test_no_bytes_are_too_strange(chunks: list[bytes]) -> None:
    read(*chunks)
    reader = Reader()
    for chunk in chunks:
        reader.read(b"data: " + chunk + b"\n\n")
