from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.chat.stream import Reader
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
    Text,
    Thinking,
    ToolCall,
)
from gateway.formats.sse import plain_event
from gateway.model.registry import ApiFormat
from tests.formats.answers import answer_of, parts_of, read

DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    return plain_event(msgspec.json.encode({"id": "a", "model": "m", "created": 5, "choices": [choice]} | fields))


def call(**fields: Any) -> bytes:
    return chunk({"tool_calls": [fields]})


def function(name: str | None = None, arguments: str | None = None) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


END = chunk(reason="stop") + DONE


def test_text_is_one_part_and_the_ending_comes_after_it() -> None:
    events = read(Reader(), chunk({"role": "assistant", "content": ""}) + chunk({"content": "a"}) + END)

    assert events == [
        Began("a", "m", 5),
        PartBegan(0, Kind.TEXT),
        Delta(0, "a"),
        PartEnded(0),
        Stopped(Stop.END),
        Ended(),
    ]


def test_usage_is_taken_from_any_chunk_and_read_on_after_the_reason() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 2}}
    events = read(
        Reader(), chunk({"content": "a"}, usage=usage) + chunk(reason="stop") + chunk(choices=[], usage=usage) + DONE
    )

    measured = [event.usage for event in events if isinstance(event, Measured)]
    assert [(usage.input, usage.cache_read, usage.output) for usage in measured] == [(7, 2, 4)] * 2
    assert events[-1] == Ended()


def test_the_last_mark_may_be_missing_once_the_reason_was_told() -> None:
    assert read(Reader(), chunk({"content": "a"}, "length"))[-2:] == [Stopped(Stop.LENGTH), Ended()]


def test_a_stream_that_breaks_off_has_no_end() -> None:
    events = read(Reader(), chunk({"content": "a"}))

    assert events == [Began("a", "m", 5), PartBegan(0, Kind.TEXT), Delta(0, "a")]


def test_the_last_mark_without_a_reason_is_an_end() -> None:
    assert read(Reader(), chunk({"content": "a"}) + DONE)[-3:] == [PartEnded(0), Stopped(Stop.END), Ended()]
    assert read(Reader(), DONE) == []


def test_deltas_of_several_calls_stay_apart_by_index() -> None:
    stream = (
        call(index=0, id="x", function=function("f", ""))
        + call(index=1, id="y", function=function("g", '{"b"'))
        + call(index=0, function=function(arguments='{"a"'))
        + call(index=1, function=function(arguments=":2}"))
        + call(index=0, function=function(arguments=":1}"))
        + chunk(reason="tool_calls")
        + DONE
    )

    answer = answer_of(read(Reader(), stream))

    assert answer.parts == (ToolCall("x", "f", '{"a":1}'), ToolCall("y", "g", '{"b":2}'))
    assert answer.stop == Stop.TOOL_CALLS


@pytest.mark.parametrize(
    "stream",
    [
        call(id="x", function=function("f", '{"a"')) + call(function=function(arguments=":1}")),
        call(index=0, id="x", function=function("f", '{"a":1}')),
        call(index=0, id="x", function=function("f", '{"a"')) + call(index=0, id="x", function=function("f", ":1}")),
        call(index=0, id="x", function=function("f", "")) + call(index=0, id="x", function=function("f", '{"a":1}')),
    ],
    ids=["without an index", "whole in one chunk", "everything repeated", "name repeated before the arguments"],
)
def test_a_call_is_read_however_a_server_tells_it(stream: bytes) -> None:
    assert answer_of(read(Reader(), stream + END)).parts == (ToolCall("x", "f", '{"a":1}'),)


def test_a_name_may_come_in_pieces() -> None:
    stream = call(index=0, id="x", function=function("get_")) + call(index=0, function=function("time"))

    assert answer_of(read(Reader(), stream + END)).parts == (ToolCall("x", "get_time", ""),)


def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids() -> None:
    stream = call(index=0, id="x", function=function("f", "{}")) + call(index=0, id="y", function=function("f", "{}"))

    assert answer_of(read(Reader(), stream + END)).parts == (ToolCall("x", "f", "{}"), ToolCall("y", "f", "{}"))


def test_calls_without_an_id_get_one_of_their_own() -> None:
    stream = call(index=0, function=function("f", "{}")) + call(index=1, function=function("f", "{}"))

    first, second = answer_of(read(Reader(), stream + END)).parts

    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id.startswith("call_")
    assert first.id != second.id


def test_arguments_that_are_an_object_stay_the_text_that_it_came_as() -> None:
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"x","function":'
        b'{"name":"f","arguments":{"n": 1180591620717411303424}}}]},"finish_reason":"stop"}]}\n\n'
    )

    answer = answer_of(read(Reader(), stream))

    assert answer.parts == (ToolCall("x", "f", '{"n": 1180591620717411303424}'),)
    assert answer.stop == Stop.TOOL_CALLS


def test_calls_of_older_servers_and_of_free_text_are_read() -> None:
    older = chunk({"function_call": function("f", "{")}) + chunk({"function_call": function(None, "}")})
    free = call(index=0, id="x", type="custom", custom={"name": "f", "input": "a"}) + call(
        index=0, custom={"input": "b"}
    )

    (call_of_old,) = answer_of(read(Reader(), older + chunk(reason="function_call"))).parts
    assert isinstance(call_of_old, ToolCall)
    assert (call_of_old.name, call_of_old.arguments) == ("f", "{}")
    assert answer_of(read(Reader(), free + END)).parts == (ToolCall("x", "f", "ab", is_custom=True),)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_thoughts_come_under_either_name(name: str) -> None:
    stream = chunk({name: "h"}) + chunk({name: "m"}) + chunk({"content": "so"}) + END

    assert answer_of(read(Reader(), stream)).parts == (Thinking("hm"), Text("so"))


def test_thoughts_that_are_told_twice_are_read_once_and_signed() -> None:
    def detail(**fields: str) -> dict[str, Any]:
        return {"reasoning_details": [{"type": "reasoning.text", "index": 0} | fields]}

    stream = (
        chunk({"reasoning": "h"} | detail(text="h"))
        + chunk({"reasoning": "m"} | detail(text="m"))
        + chunk(detail(text="", signature="S"))
        + chunk({"content": "so"})
        + END
    )

    parts = answer_of(read(Reader(), stream)).parts

    assert parts == (Thinking("hm", "S", ApiFormat.OPENAI_CHAT), Text("so"))


def test_thoughts_that_come_only_in_details_are_read() -> None:
    stream = chunk({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]}) + END

    assert answer_of(read(Reader(), stream)).parts == (Thinking("hm"),)


def test_googles_signature_comes_directly_before_its_call() -> None:
    google = {"google": {"thought_signature": "S"}}
    events = read(Reader(), call(index=0, id="x", function=function("f", "{}"), extra_content=google) + END)

    assert events[1:6] == [
        PartBegan(0, Kind.THINKING),
        Signed(0, "S", ApiFormat.GEMINI_GENERATE),
        PartEnded(0),
        PartBegan(1, Kind.TOOL_CALL, "x", "f"),
        Delta(1, "{}"),
    ]


def test_a_refusal_is_a_part_of_its_own() -> None:
    answer = answer_of(read(Reader(), chunk({"refusal": "n"}) + chunk({"refusal": "o"}) + END))

    assert answer.stop == Stop.REFUSAL


@pytest.mark.parametrize(
    "stream",
    [
        plain_event(b'{"error":{"message":"too much"}}'),
        plain_event(b'{"error":"too much"}'),
        chunk({"content": "a"}) + plain_event(b'{"id":"a","choices":[],"error":{"message":"too much"}}'),
    ],
)
def test_an_error_in_the_stream_is_the_last_that_is_said(stream: bytes) -> None:
    assert read(Reader(), stream + END)[-1] == Failed("too much")


def test_an_answer_that_ended_by_an_error_failed_and_what_it_used_counts() -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    *_, measured, failed = read(Reader(), chunk({"content": "a"}, "error", usage=usage) + DONE)

    assert isinstance(measured, Measured)
    assert isinstance(failed, Failed)


def test_what_has_no_place_is_named() -> None:
    reader = Reader()
    stream = (
        chunk({"content": "a", "annotations": [{"type": "url_citation"}], "audio": {"id": "x"}})
        + chunk(choices=[{"index": 1, "delta": {"content": "other"}}])
        + chunk(choices=[{"index": 0, "delta": {}, "logprobs": {"content": []}}])
        + b"data: {\n\n"
        + END
    )

    assert answer_of(read(reader, stream)).parts == (Text("a"),)
    assert reader.lost == {"annotations", "audio", "choices", "logprobs", "chunks"}


def test_comments_say_nothing() -> None:
    assert read(Reader(), b": OPENROUTER PROCESSING\n\nevent: x\n\n") == []


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "choices",
                        "delta",
                        "content",
                        "tool_calls",
                        "index",
                        "id",
                        "function",
                        "name",
                        "arguments",
                        "usage",
                    ),
                    *(
                        "finish_reason",
                        "reasoning",
                        "reasoning_details",
                        "refusal",
                        "error",
                        "extra_content",
                        "created",
                    ),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=100)
@given(
    st.lists(
        st.binary(max_size=30).map(plain_event) | values.map(lambda value: plain_event(msgspec.json.encode(value)))
    )
)
def test_whatever_a_provider_sends_nothing_is_raised_and_no_part_stays_open(stream: list[bytes]) -> None:
    events = read(Reader(), b"".join(stream))

    assert not any(isinstance(event, Failed) for event in events[:-1])
    if events and isinstance(events[-1], Ended):
        answer_of(events)
    stopped = [place for place, event in enumerate(events) if isinstance(event, Stopped)]
    if stopped:
        parts_of(_saying(events[1 : stopped[0]]))


def _saying(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Measured)]


@settings(max_examples=100)
@given(st.lists(values, max_size=3))
def test_deltas_of_any_shape_raise_nothing(deltas: list[Any]) -> None:
    choices = [plain_event(msgspec.json.encode({"choices": [{"delta": delta}]})) for delta in deltas]

    read(Reader(), b"".join(choices) + END)
