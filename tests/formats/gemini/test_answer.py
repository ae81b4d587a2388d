from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai.types import GenerateContentResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.gemini.answer import read_whole, write_whole
from gateway.formats.intermediate import (
    Answer,
    Audio,
    BadAnswer,
    File,
    Image,
    Refusal,
    Stop,
    Text,
    Thinking,
    ToolCall,
)
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD
from tests.formats.gemini.answering import answers
from tests.formats.gemini.test_read_stream import values

GEMINI = ApiFormat.GEMINI_GENERATE


def generated(*parts: dict[str, Any], reason: str = "STOP", **fields: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason}
    return msgspec.json.encode({"candidates": [candidate], "modelVersion": "m", "responseId": "a"} | fields)


def test_an_answer_is_read_with_its_usage() -> None:
    usage = {"promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
    answer = read_whole(generated({"text": "hm", "thought": True}, {"text": "hi"}, usageMetadata=usage))

    assert answer.parts == (Thinking("hm", origin=GEMINI), Text("hi"))
    assert (answer.id, answer.model, answer.stop) == ("a", "m", Stop.END)
    assert answer.usage == Usage(5, 5, cache_read=4, reasoning=3, source=UsageSource.REPORTED)


def test_calls_and_files_are_read() -> None:
    body = (
        b'{"candidates":[{"content":{"parts":['
        b'{"functionCall":{"name":"f","args":{ "n": 1180591620717411303424 }},"thoughtSignature":"c2VhbA=="},'
        b'{"functionCall":{"id":"y","name":"g__free_text","args":{"input":"free"}}},'
        b'{"inlineData":{"mimeType":"image/png","data":"aGk="}},'
        b'{"inlineData":{"mimeType":"audio/wav","data":"aGk="}},'
        b'{"inlineData":{"mimeType":"video/mp4","data":"aGk="}}]}}]}'
    )

    seal, call, custom, *files = read_whole(body).parts

    assert seal == Thinking("", "c2VhbA==", GEMINI)
    assert isinstance(call, ToolCall)
    assert call.arguments == '{ "n": 1180591620717411303424 }'
    assert custom == ToolCall("y", "g", "free", is_custom=True)
    assert files == [
        Image(data="aGk=", media_type="image/png"),
        Audio("aGk=", "audio/wav"),
        File(data="aGk=", media_type="video/mp4"),
    ]


def test_a_blocked_question_is_an_answer_without_parts() -> None:
    answer = read_whole(b'{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}')

    assert (answer.parts, answer.stop) == ((), Stop.FILTER)


def test_what_has_no_place_is_named() -> None:
    candidate = {"content": {"parts": [{"executableCode": {"code": "x"}}]}, "groundingMetadata": {"x": 1}}

    assert read_whole(msgspec.json.encode({"candidates": [candidate, candidate]})).lost == (
        "candidates",
        "groundingMetadata",
        "parts.executableCode",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b"[]",
        b'{"candidates":[]}',
        b'{"candidates":[5]}',
        b'{"error":{"message":"x"}}',
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
        b'{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}',
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_whole(body)


def test_an_answer_is_written_as_google_does() -> None:
    parts = (
        Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
        Text("a"),
        Thinking("", "c2VhbA==", GEMINI),
        ToolCall("x", "f", '{"n":\n1180591620717411303424}'),
        Image(data="aGk=", media_type="image/png"),
        Image(url="https://x.test/a.png", media_type="image/png"),
        Refusal("no"),
    )
    body = write_whole(Answer("", "other", parts, Stop.TOOL_CALLS), TOLD)

    assert b'"args":{"n": 1180591620717411303424}' in body
    told = msgspec.json.decode(body)
    assert (told["responseId"], told["modelVersion"]) == ("c1", "m")
    assert told["usageMetadata"]["promptTokenCount"] == TOLD.estimate.input
    thought, text, call, *rest = told["candidates"][0]["content"]["parts"]
    assert (thought["text"], thought["thought"]) == ("hm", True)
    assert text == {"text": "a"}
    assert call["thoughtSignature"] == "c2VhbA=="
    assert rest == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"fileUri": "https://x.test/a.png", "mimeType": "image/png"}},
        {"text": "no"},
    ]


def test_a_call_whose_arguments_are_no_object_is_told_as_malformed() -> None:
    answer = Answer("a", "m", (Text("x"), ToolCall("x", "f", "[1]")), Stop.TOOL_CALLS)

    (candidate,) = msgspec.json.decode(write_whole(answer, TOLD))["candidates"]

    assert candidate["content"]["parts"] == [{"text": "x"}]
    assert candidate["finishReason"] == "MALFORMED_FUNCTION_CALL"


@settings(max_examples=60)
@given(answers())
def test_googles_types_read_every_answer(answer: Answer) -> None:
    read = GenerateContentResponse.model_validate_json(write_whole(answer, TOLD))

    called = [part for part in answer.parts if isinstance(part, ToolCall)]
    assert [call.id for call in read.function_calls or []] == [call.id for call in called]


@settings(max_examples=100)
@given(values | st.binary(max_size=20))
def test_whatever_a_provider_answers_is_read_or_refused(value: Any) -> None:
    bodies = [value] if isinstance(value, bytes) else [msgspec.json.encode(value), generated(value)]
    for body in bodies:
        try:
            read_whole(body)
        except BadAnswer:
            continue
