from __future__ import annotations

from typing import Any

import httpx
import msgspec
from google import genai
from google.genai.types import GenerateContentResponse, HttpOptions
from hypothesis import given, settings

from gateway.formats.gemini.stream import Writer
from gateway.formats.intermediate import (
    Answer,
    Began,
    Delta,
    Failed,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolCall,
)
from gateway.formats.sse import EventSplitter, event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD, events_of, written
from tests.formats.gemini.answering import answers

GEMINI = ApiFormat.GEMINI_GENERATE


def streamed(*parts: Any, stop: Stop = Stop.END, **fields: Any) -> list[Any]:
    stream = written(Writer(TOLD), events_of(Answer("a", "other", parts, stop, **fields), pieces=2))
    return [msgspec.json.decode(event_payload(event)) for event in EventSplitter().feed(stream)]


def parts_of(chunks: list[Any]) -> list[Any]:
    return [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]


def test_calls_keep_their_order_where_a_later_one_is_whole_first() -> None:
    events = [
        Began("a", "other"),
        *(PartBegan(index, Kind.TOOL_CALL, f"c{index}", "f") for index in range(3)),
        Delta(1, "{}"),
        PartEnded(1),
        PartEnded(0),
        PartEnded(2),
    ]
    chunks = EventSplitter().feed(written(Writer(TOLD), events))
    calls = [part["functionCall"]["id"] for part in parts_of([msgspec.json.decode(one[6:]) for one in chunks])]
    assert calls == ["c0", "c1", "c2"]


def test_text_comes_in_chunks_and_the_last_one_has_the_reason_and_the_usage() -> None:
    usage = Usage(5, 4, cache_read=3, reasoning=1, source=UsageSource.REPORTED)
    first, second, last = streamed(Text("ab"), usage=usage)

    assert first == {
        "candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}, "index": 0}],
        "modelVersion": "m",
        "responseId": "a",
    }
    assert parts_of([second, last]) == [{"text": "b"}, {"text": ""}]
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert last["usageMetadata"] == {
        "promptTokenCount": 8,
        "cachedContentTokenCount": 3,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 1,
        "totalTokenCount": 12,
    }


def test_a_call_comes_whole() -> None:
    chunks = streamed(ToolCall("x", "f", '{"a":\n1}'), ToolCall("y", "g", ""), stop=Stop.TOOL_CALLS)

    assert parts_of(chunks)[:-1] == [
        {"functionCall": {"id": "x", "name": "f", "args": {"a": 1}}},
        {"functionCall": {"id": "y", "name": "g", "args": {}}},
    ]


def test_signatures_stand_on_what_they_belong_to() -> None:
    seal = Thinking("", "c2VhbA==", GEMINI)
    chunks = streamed(Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES), seal, Text("ab"), seal, ToolCall("x", "f", ""))

    told = parts_of(chunks)
    assert [part.get("thought", False) for part in told] == [True, True, True, False, False, False, False]
    assert told[2]["text"] == ""
    assert told[3] == {"text": "a", "thoughtSignature": "c2VhbA=="}
    assert told[4] == {"text": "b"}
    assert told[5]["thoughtSignature"] == "c2VhbA=="


def test_a_signature_after_which_nothing_comes_is_told_alone() -> None:
    seal = Thinking("", "c2VhbA==", GEMINI)

    assert parts_of(streamed(Text("a"), seal))[1] == {"text": "", "thoughtSignature": "c2VhbA=="}


def test_a_call_whose_arguments_are_no_object_is_told_as_malformed_unless_the_answer_was_cut_off() -> None:
    broken = ToolCall("x", "f", '{"a":')

    (malformed,) = streamed(broken, stop=Stop.TOOL_CALLS)
    (cut,) = streamed(broken, stop=Stop.LENGTH)

    assert malformed["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"
    assert malformed["candidates"][0]["finishMessage"] == 'Malformed function call: f({"a":)'
    assert cut["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_a_refusal_is_text_and_one_without_words_a_filters() -> None:
    assert streamed(Refusal("no"), stop=Stop.REFUSAL)[-1]["candidates"][0]["finishReason"] == "STOP"
    assert streamed(stop=Stop.REFUSAL)[-1]["candidates"][0]["finishReason"] == "SAFETY"


def test_nothing_ends_before_the_answer_is_known_to_be_complete() -> None:
    events = events_of(Answer("a", "m", (Text("x"),), Stop.END))[:-1]
    writer = Writer(TOLD)

    assert b"finishReason" not in written(writer, events)
    assert writer.write(Failed("x")) == writer.write(Measured(Usage())) == b""


def test_an_answer_without_an_id_gets_that_of_the_call() -> None:
    writer = Writer(TOLD)
    writer.write(Began("", ""))

    assert b'"responseId":"c1"' in writer.write(Delta(0, "x"))


def sdk(stream: bytes) -> genai.Client:
    """Google's SDK against a provider that streams this."""
    answer = httpx.Response(200, content=stream, headers={"content-type": "text/event-stream"})
    client = httpx.Client(transport=httpx.MockTransport(lambda _: answer))
    return genai.Client(api_key="k", http_options=HttpOptions(httpx_client=client))


def test_googles_sdk_reads_a_stream_with_pings_in_it() -> None:
    writer = Writer(TOLD)
    events = events_of(Answer("a", "m", (Text("ab"),), Stop.END))
    stream = b"".join(writer.ping + writer.write(event) for event in events)

    told = list(sdk(stream).models.generate_content_stream(model="m", contents="hi"))

    assert "".join(chunk.text or "" for chunk in told) == "ab"
    assert [chunk.candidates[0].finish_reason for chunk in told if chunk.candidates][-1] == "STOP"


@settings(max_examples=60)
@given(answers())
def test_googles_types_read_every_chunk(answer: Answer) -> None:
    stream = written(Writer(TOLD), events_of(answer))

    for event in EventSplitter().feed(stream):
        GenerateContentResponse.model_validate_json(event_payload(event))
