"""Streams in OpenAI Responses, written: the official types and the official accumulator are the judges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import Omit
from openai.lib.streaming.responses._responses import ResponseStreamState

from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Failed,
    Kind,
    Measured,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Signed,
    Stop,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from gateway.formats.responses.stream import Writer
from gateway.formats.responses.surface import StreamTap
from gateway.formats.sse import EventSplitter
from gateway.model.calls import Usage, UsageSource
from tests.formats.responses.answers import (
    CLAUDE,
    HERE,
    OFFICIAL,
    PARTS,
    TOLD,
    USED,
    events_of,
    joined,
    payloads,
    read,
    stop_of,
)
from tests.formats.responses.wires import USAGE

BEGAN = Began("resp_1", "gpt", 5)


def stream(*events: Event) -> bytes:
    writer = Writer(TOLD)
    return b"".join(writer.write(event) for event in events)


def kinds(*events: Event) -> list[str]:
    return [payload["type"].removeprefix("response.") for payload in payloads(stream(*events))]


def accumulated(sent: bytes) -> Any:
    """The answer as the SDK's own stream helper puts it together."""
    state: Any = ResponseStreamState(input_tools=Omit(), text_format=Omit())
    told = [event for payload in payloads(sent) for event in state.handle_event(OFFICIAL.validate_python(payload))]
    return told[-1].response


def test_text_is_told_in_the_order_of_the_format() -> None:
    assert kinds(*events_of([Text("Hello")])) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_thoughts_and_calls_are_told_in_the_order_of_the_format() -> None:
    parts = [Thinking("h", "proof", HERE, "rs_1"), ToolCall("a", "f", "{"), ToolCall("b", "g", "x", is_custom=True)]

    assert kinds(*events_of(parts)) == [
        *("created", "in_progress"),
        *("output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"),
        *("reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"),
        *("output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"),
        *("output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done", "output_item.done"),
        "completed",
    ]


def test_a_refusal_is_told_in_the_order_of_the_format() -> None:
    assert kinds(*events_of([Refusal("n")]))[2:-1] == [
        *("output_item.added", "content_part.added", "refusal.delta"),
        *("refusal.done", "content_part.done", "output_item.done"),
    ]


@given(PARTS)
@settings(max_examples=60)
def test_every_event_is_one_of_the_official_ones_and_they_are_numbered(parts: tuple[Part, ...]) -> None:
    found = payloads(stream(*events_of(parts)))

    for payload in found:
        OFFICIAL.validate_python(payload, strict=True)
    assert [payload["sequence_number"] for payload in found] == list(range(len(found)))


@given(PARTS)
@settings(max_examples=60)
def test_the_official_client_puts_the_answer_together(parts: tuple[Part, ...]) -> None:
    sent = stream(*events_of(parts))

    answer = accumulated(sent)

    assert answer.output_text == "".join(part.text for part in parts if isinstance(part, Text))
    assert [(item.call_id, item.name, item.arguments) for item in answer.output if item.type == "function_call"] == [
        (part.id, part.name, part.arguments) for part in parts if isinstance(part, ToolCall) and not part.is_custom
    ]
    assert [item.input for item in answer.output if item.type == "custom_tool_call"] == [
        part.arguments for part in parts if isinstance(part, ToolCall) and part.is_custom
    ]


@given(PARTS, st.data())
@settings(max_examples=100)
def test_what_is_written_is_read_again_however_it_is_cut(parts: tuple[Part, ...], data: st.DataObject) -> None:
    events = events_of(parts)
    sent = stream(*events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=5)))

    chunks = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    assert joined(read(*chunks)) == joined(events)


def test_deltas_of_several_calls_stay_apart() -> None:
    events: list[Event] = [
        BEGAN,
        PartBegan(0, Kind.TOOL_CALL, "a", "f"),
        PartBegan(1, Kind.TOOL_CALL, "b", "g"),
        Delta(0, "{"),
        Delta(1, "["),
        Delta(0, "}"),
        Delta(1, "]"),
        PartEnded(1),
        PartEnded(0),
        Measured(USED),
        Stopped(Stop.TOOL_CALLS),
        Ended(),
    ]
    sent = stream(*events)

    assert [(item.call_id, item.arguments) for item in accumulated(sent).output] == [("a", "{}"), ("b", "[]")]
    assert [event for event in read(sent) if isinstance(event, Delta)] == [
        event for event in events if isinstance(event, Delta)
    ]


def test_a_function_without_arguments_is_called_with_an_empty_object() -> None:
    sent = stream(*events_of([ToolCall("a", "f", "")]))

    assert accumulated(sent).output[0].arguments == "{}"
    assert Delta(0, "{}") in read(sent)


def test_a_thought_without_text_has_no_summary() -> None:
    sent = stream(*events_of([Thinking("", "sig", CLAUDE, "")]))

    item = accumulated(sent).output[0]
    assert (item.id, item.summary, item.encrypted_content) == ("rs_c1_0", [], "gw1.anthropic_messages.sig")
    assert Signed(0, "sig", CLAUDE) in read(sent)


def test_two_thoughts_of_the_same_id_are_two_items() -> None:
    parts = [Thinking("a", "", None, "rs_1"), Thinking("", "proof", HERE, "rs_1")]

    assert [item.id for item in accumulated(stream(*events_of(parts))).output] == ["rs_1", "rs_c1_1"]


def test_the_end_tells_the_whole_answer_and_what_it_used() -> None:
    last = payloads(stream(*events_of([Text("Hello"), ToolCall("a", "f", "{}")])))[-1]["response"]

    assert [item["type"] for item in last["output"]] == ["message", "function_call"]
    assert (last["id"], last["model"], last["created_at"], last["usage"]) == (
        "resp_1",
        "asked",
        1_600_000_000,
        USAGE,
    )


@pytest.mark.parametrize(
    ("stop", "kind"),
    [
        (Stop.LENGTH, "response.incomplete"),
        (Stop.CONTEXT, "response.incomplete"),
        (Stop.FILTER, "response.incomplete"),
        (Stop.REFUSAL, "response.incomplete"),
        (Stop.STOP_SEQUENCE, "response.completed"),
    ],
)
def test_endings_in_the_words_of_the_format(stop: Stop, kind: str) -> None:
    last = payloads(stream(BEGAN, Stopped(stop), Ended()))[-1]

    assert last["type"] == kind
    assert OFFICIAL.validate_python(last, strict=True)
    tap = StreamTap()
    for event in EventSplitter().feed(stream(BEGAN, Stopped(stop), Ended())):
        tap.read(event)
    assert tap.is_finished and not tap.error


def test_without_usage_the_estimate_has_at_least_the_text_that_came() -> None:
    used = payloads(stream(BEGAN, PartBegan(0, Kind.TEXT), Delta(0, "x" * 400), PartEnded(0), Ended()))[-1]["response"][
        "usage"
    ]

    assert (used["input_tokens"], used["output_tokens"]) == (7, 100)


def test_usage_that_comes_after_the_reason_is_told() -> None:
    usage = Usage(input=1, output=2, source=UsageSource.REPORTED)

    last = payloads(stream(BEGAN, Stopped(Stop.END), Measured(usage), Ended()))[-1]

    assert last["response"]["usage"]["total_tokens"] == 3


def test_an_error_is_written_elsewhere() -> None:
    assert Writer(TOLD).write(Failed("x")) == b""
    assert Writer(TOLD).write(Delta(3, "x")) == b""
    assert Writer(TOLD).ping == b": ping\n\n"


def test_the_ending_of_a_stream_needs_no_reason() -> None:
    assert read(stream(BEGAN, Ended()))[-2:] == [Stopped(stop_of(())), Ended()]
