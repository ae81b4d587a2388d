from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from msgspec.structs import replace
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

from gateway.formats.chat.stream import Writer
from gateway.formats.intermediate import (
    Answer,
    Began,
    Delta,
    Ended,
    Event,
    Failed,
    Kind,
    Measured,
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
from gateway.formats.sse import EventSplitter, event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD, events_of, written
from tests.formats.chat.answering import answers

ANTHROPIC, GEMINI = ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.GEMINI_GENERATE
QUIET = replace(TOLD, wants_usage=False)


def payloads(stream: bytes) -> list[bytes]:
    return [event_payload(event) for event in EventSplitter().feed(stream)]


def chunks(stream: bytes) -> list[Any]:
    *told, done = payloads(stream)
    assert done == b"[DONE]"
    return [msgspec.json.decode(payload) for payload in told]


def streamed(*parts: Any, stop: Stop = Stop.END, **fields: Any) -> bytes:
    return written(Writer(TOLD), events_of(Answer("a", "m", parts, stop, **fields), pieces=2))


def deltas(stream: bytes) -> list[Any]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(stream) if chunk["choices"]]


def test_a_stream_begins_with_the_role_and_ends_with_the_reason_the_usage_and_the_mark() -> None:
    usage = Usage(5, 2, cache_read=3, cache_creation=1, cache_creation_1h=1, reasoning=1, source=UsageSource.REPORTED)
    first, text, end, last = chunks(streamed(Text("x"), usage=usage))

    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert text["choices"][0]["delta"] == {"content": "x"}
    assert end["choices"][0]["finish_reason"] == "stop"
    assert {first["usage"], text["usage"], end["usage"]} == {None}
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 2,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }


def test_a_client_that_did_not_ask_for_usage_is_told_none() -> None:
    stream = written(Writer(QUIET), events_of(Answer("a", "m", (Text("x"),), Stop.END, usage=Usage(1, 1))))

    assert b"usage" not in stream


def test_without_a_word_of_the_provider_the_estimate_is_told() -> None:
    assert chunks(streamed(Text("x")))[-1]["usage"]["prompt_tokens"] == TOLD.estimate.input


def test_an_answer_without_an_id_gets_that_of_the_call() -> None:
    (first, *_) = chunks(written(Writer(TOLD), [Began("", ""), Stopped(Stop.END), Ended()]))

    assert (first["id"], first["model"], first["created"]) == ("chatcmpl-c1", "m", TOLD.now)


def test_a_call_has_its_id_type_and_name_on_its_first_chunk_only() -> None:
    told = deltas(streamed(ToolCall("x", "f", '{"a":1}'), ToolCall("y", "g", "", False), stop=Stop.TOOL_CALLS))

    assert [delta["tool_calls"][0] for delta in told[1:-1]] == [
        {"index": 0, "id": "x", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a"'}},
        {"index": 0, "function": {"arguments": ":1}"}},
        {"index": 1, "id": "y", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_deltas_of_open_calls_keep_their_places() -> None:
    events: list[Event] = [
        Began("a", "m"),
        PartBegan(0, Kind.TOOL_CALL, "x", "f"),
        PartBegan(1, Kind.TOOL_CALL, "y", "g"),
        Delta(1, "2"),
        Delta(0, "1"),
        PartEnded(0),
        PartEnded(1),
        Stopped(Stop.TOOL_CALLS),
        Ended(),
    ]

    told = deltas(written(Writer(TOLD), events))

    assert [
        (delta["tool_calls"][0]["index"], delta["tool_calls"][0]["function"]["arguments"]) for delta in told[3:5]
    ] == [(1, "2"), (0, "1")]


def test_a_signed_thought_is_told_once_more_with_its_signature() -> None:
    told = deltas(streamed(Thinking("hm", "S", ANTHROPIC), Thinking("", "R", ANTHROPIC), Text("so")))

    assert "".join(delta.get("reasoning_content", "") for delta in told) == "hm"
    assert [detail for delta in told for detail in delta.get("reasoning_details", [])] == [
        {
            "type": "reasoning.text",
            "text": "hm",
            "signature": "gw1.anthropic_messages.S",
            "id": None,
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {
            "type": "reasoning.encrypted",
            "data": "gw1.anthropic_messages.R",
            "id": None,
            "format": "anthropic-claude-v1",
            "index": 1,
        },
    ]


def test_googles_signature_stands_on_its_call_and_else_among_the_thoughts() -> None:
    seal = Thinking("", "S", GEMINI)
    with_call = deltas(streamed(seal, ToolCall("x", "f", "{}"), stop=Stop.TOOL_CALLS))
    alone = deltas(streamed(Text("x"), seal))

    assert with_call[1]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "S"}}
    assert not any("reasoning_details" in delta for delta in with_call)
    assert alone[-2]["reasoning_details"][0]["data"] == "gw1.gemini_generate.S"


def test_events_that_say_nothing_to_a_client_write_nothing() -> None:
    writer = Writer(TOLD)
    writer.write(Began("a", "m"))

    assert writer.write(Failed("x")) == b""
    assert writer.write(Delta(9, "x")) == b""
    assert writer.write(Signed(9, "x", ANTHROPIC)) == b""
    assert writer.write(Measured(Usage(1, 1))) == b""
    assert writer.ping == b": ping\n\n"


@settings(max_examples=60)
@given(answers())
def test_the_official_sdk_reads_every_chunk_and_adds_them_up(answer: Answer) -> None:
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    functions = tuple(part for part in answer.parts if not (isinstance(part, ToolCall) and part.is_custom))
    for payload in payloads(written(Writer(TOLD), events_of(replace(answer, parts=functions))))[:-1]:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(payload, strict=True))

    message = state.current_completion_snapshot.choices[0].message
    called = [part for part in functions if isinstance(part, ToolCall)]
    assert (message.content or "") == "".join(part.text for part in functions if isinstance(part, Text))
    assert (message.refusal or "") == "".join(part.text for part in functions if isinstance(part, Refusal))
    assert [
        (call.id, call.function.name, call.function.arguments)  # type: ignore[union-attr]
        for call in message.tool_calls or []
    ] == [(call.id, call.name, call.arguments) for call in called]
