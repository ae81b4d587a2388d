from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion

from gateway.formats.chat.answer import read_whole, write_whole
from gateway.formats.intermediate import Answer, BadAnswer, Image, Refusal, Stop, Text, Thinking, ToolCall
from gateway.model.calls import Usage
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD
from tests.formats.chat.answering import answers
from tests.formats.chat.test_read_stream import values

GEMINI = ApiFormat.GEMINI_GENERATE


def completion(message: dict[str, Any], reason: str = "stop", **fields: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return msgspec.json.encode({"id": "a", "model": "m", "created": 5, "choices": [choice]} | fields)


def test_an_answer_is_read_with_its_usage() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    answer = read_whole(completion({"role": "assistant", "content": "hi", "reasoning_content": "hm"}, usage=usage))

    assert answer.parts == (Thinking("hm", origin=ApiFormat.OPENAI_CHAT), Text("hi"))
    assert (answer.id, answer.model, answer.created, answer.stop) == ("a", "m", 5, Stop.END)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.cache_read, answer.usage.output, answer.usage.reasoning) == (4, 6, 4, 3)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop", Stop.END),
        ("length", Stop.LENGTH),
        ("content_filter", Stop.FILTER),
        ("tool_calls", Stop.TOOL_CALLS),
        ("function_call", Stop.TOOL_CALLS),
        ("model_length", Stop.CONTEXT),
        ("eos", Stop.END),
    ],
)
def test_each_reason_has_its_meaning(reason: str, stop: Stop) -> None:
    assert read_whole(completion({"content": "x"}, reason)).stop == stop


def test_what_is_in_the_answer_tells_where_the_reason_does_not() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    assert read_whole(completion({"content": None, "tool_calls": [call]})).stop == Stop.TOOL_CALLS
    assert read_whole(completion({"content": None, "refusal": "no"})).stop == Stop.REFUSAL


def test_calls_of_every_kind_are_read() -> None:
    body = (
        b'{"choices":[{"message":{"content":"","tool_calls":['
        b'{"id":"x","function":{"name":"f","arguments":"{\\"n\\": 1180591620717411303424}"}},'
        b'{"id":"y","function":{"name":"f","arguments":{"n": 1.50}}},'
        b'{"id":"z","type":"custom","custom":{"name":"g","input":"free"}},'
        b'{"function":{"name":"f"},"extra_content":{"google":{"thought_signature":"S"}}}'
        b"]}}]}"
    )

    *parts, seal, unnamed = read_whole(body).parts

    assert parts == [
        ToolCall("x", "f", '{"n": 1180591620717411303424}'),
        ToolCall("y", "f", '{"n": 1.50}'),
        ToolCall("z", "g", "free", is_custom=True),
    ]
    assert seal == Thinking("", "S", GEMINI)
    assert isinstance(unnamed, ToolCall)
    assert unnamed.id.startswith("call_")


def test_a_call_of_the_older_kind_and_pictures_are_read() -> None:
    pictures = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
    ]
    message = {"content": [{"type": "text", "text": "see"}], "images": pictures}

    assert read_whole(completion(message)).parts == (
        Text("see"),
        Image(data="aGk=", media_type="image/png"),
        Image(url="https://x.test/a.png"),
    )
    (call,) = read_whole(completion({"function_call": {"name": "f", "arguments": "{}"}}, "function_call")).parts
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments) == ("f", "{}")


def test_what_has_no_place_is_named() -> None:
    message = {"content": "x", "annotations": [{"type": "url_citation"}], "audio": {"id": "x"}}
    choice = {"message": message, "logprobs": {"content": []}}
    body = msgspec.json.encode({"choices": [choice, choice]})

    assert read_whole(body).lost == ("annotations", "audio", "choices", "logprobs")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"[]",
        b"{}",
        b'{"choices":[]}',
        b'{"choices":[5]}',
        b'{"error":{"message":"x"},"choices":[]}',
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":[{"message":{"content":"\\ud800"}}]}',
        b'{"choices":[{"message":{"content":"x"},"finish_reason":"error"}]}',
    ],
)
def test_what_is_no_answer_is_refused(body: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_whole(body)


def test_an_answer_is_written_as_openai_does() -> None:
    parts = (
        Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
        Text("a"),
        Text("b"),
        Thinking("", "G", GEMINI),
        ToolCall("x", "f", ""),
        ToolCall("y", "g", "free", is_custom=True),
        Image(data="aGk=", media_type="image/png"),
    )
    told = msgspec.json.decode(write_whole(Answer("", "other", parts, Stop.TOOL_CALLS, usage=Usage(1, 2)), TOLD))

    message = told["choices"][0]["message"]
    assert (told["id"], told["model"], told["created"]) == ("chatcmpl-c1", "m", TOLD.now)
    assert message["content"] == "ab"
    assert message["reasoning_content"] == "hm"
    assert message["reasoning_details"][0]["signature"] == "gw1.anthropic_messages.S"
    assert message["tool_calls"] == [
        {
            "id": "x",
            "type": "function",
            "function": {"name": "f", "arguments": "{}"},
            "extra_content": {"google": {"thought_signature": "G"}},
        },
        {"id": "y", "type": "custom", "custom": {"name": "g", "input": "free"}},
    ]
    assert message["images"][0]["image_url"]["url"] == "data:image/png;base64,aGk="


@pytest.mark.parametrize(
    ("stop", "parts", "reason"),
    [
        (Stop.CONTEXT, (), "length"),
        (Stop.PAUSE, (), "stop"),
        (Stop.REFUSAL, (), "content_filter"),
        (Stop.REFUSAL, (Refusal("no"),), "stop"),
        (Stop.STOP_SEQUENCE, (), "stop"),
    ],
)
def test_endings_that_chat_has_no_word_for_get_the_nearest(stop: Stop, parts: tuple[Any, ...], reason: str) -> None:
    told = msgspec.json.decode(write_whole(Answer("a", "m", parts, stop), TOLD))

    assert told["choices"][0]["finish_reason"] == reason
    assert told["usage"]["prompt_tokens"] == TOLD.estimate.input


@settings(max_examples=60)
@given(answers())
def test_the_official_sdk_reads_every_answer(answer: Answer) -> None:
    ChatCompletion.model_validate_json(write_whole(answer, TOLD), strict=True)


@settings(max_examples=100)
@given(values | st.binary(max_size=20))
def test_whatever_a_provider_answers_is_read_or_refused(value: Any) -> None:
    bodies = [value] if isinstance(value, bytes) else []
    bodies += [] if bodies else [msgspec.json.encode(value), completion(value)]
    for body in bodies:
        try:
            read_whole(body)
        except BadAnswer:
            continue
