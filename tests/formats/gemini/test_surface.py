from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai.types import CountTokensResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats.gemini.surface import (
    COUNT,
    StreamTap,
    asked_characters,
    count_answer,
    facts,
    read_answer,
    read_request,
    read_usage,
    upstream_body,
)
from gateway.formats.request import Asked, Request
from gateway.formats.sse import plain_event
from gateway.model.calls import Usage, UsageSource
from tests.formats.gemini.asking import HELLO

USAGE = {
    "promptTokenCount": 10,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "toolUsePromptTokenCount": 3,
    "totalTokenCount": 20,
}


def request(action: str = "", **fields: Any) -> Request:
    body = msgspec.json.encode({"contents": HELLO} | fields)
    return read_request(Asked(body, action=action, model="gemini-x", is_stream=True))


def chunk(*parts: dict[str, Any], **fields: Any) -> bytes:
    candidate = {"content": {"parts": list(parts), "role": "model"}} | fields.pop("candidate", {})
    return plain_event(msgspec.json.encode({"candidates": [candidate]} | fields))


def test_model_and_streaming_come_from_the_path() -> None:
    asked = request()

    assert (asked.model, asked.is_stream, asked.action) == ("gemini-x", True, "")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{}", "contents"),
        (b'{"contents":"hello"}', "contents"),
        (b'{"contents":[],"generationConfig":[]}', "generationConfig"),
        (b'{"contents":[],"generationConfig":{"maxOutputTokens":"many"}}', "generationConfig.maxOutputTokens"),
        (b'{"contents":[],"generation_config":{"max_output_tokens":-1}}', "generationConfig.maxOutputTokens"),
        (b'{"contents":[],"generationConfig":{"candidateCount":1000}}', "generationConfig.candidateCount"),
        (b'{"generateContentRequest":{}}', "contents"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(body: bytes, param: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_request(Asked(body, model="m"))

    assert caught.value.param == param


def test_nothing_in_the_body_changes_on_its_way() -> None:
    body = b'{"system_instruction":{"parts": {"text": "x"}},"contents":[{"n": 1180591620717411303424}],"z":1.50}'

    assert upstream_body(read_request(Asked(body, model="m")), "other") == body


def test_the_providers_name_of_the_model_stands_wherever_the_body_names_one() -> None:
    whole = request(COUNT, generateContentRequest={"model": "models/gemini-x", "contents": HELLO})

    sent = msgspec.json.decode(upstream_body(whole, "gemini-y"))

    assert sent["generateContentRequest"] == {"model": "models/gemini-y", "contents": HELLO}
    assert msgspec.json.decode(upstream_body(request(model="x"), "models/y"))["model"] == "models/y"


def test_the_body_shows_what_the_call_needs() -> None:
    picture = [{"parts": [{"inline_data": {"mime_type": "image/png", "data": "aGk="}}]}]

    assert facts(request(), 100, "").capabilities == frozenset()
    assert facts(request(tools=[{"google_search": {}}]), 100, "").capabilities == {"tools"}
    assert facts(request(tools=[]), 100, "").capabilities == frozenset()
    assert facts(request(contents=picture), 100, "").capabilities == {"vision"}
    assert facts(request(contents=[{"parts": [{"text": 'a "image/png"'}]}]), 100, "").capabilities == frozenset()
    for name in ("responseSchema", "response_json_schema"):
        config = {"generation_config": {name: {"type": "OBJECT"}}}
        assert facts(request(**config), 100, "").capabilities == {"json_schema"}


def test_limits_and_estimates_of_a_call() -> None:
    found = facts(request(generationConfig={"maxOutputTokens": 7, "candidateCount": 2}), 100, "")
    size = len(msgspec.json.encode(HELLO))

    assert found.most_output == 14
    assert found.tokens == -(-size // 4)
    assert found.most_input > size // 3
    assert facts(request(), 100, "").most_output == 100
    assert asked_characters(request(systemInstruction={"parts": [{"text": "abc"}]})) == len("hello") + 3


def test_a_conversation_stays_in_its_session_while_it_goes_on() -> None:
    longer = [*HELLO, {"role": "model", "parts": [{"text": "hi"}]}, {"role": "user", "parts": [{"text": "more"}]}]

    assert facts(request(), 1, "").session == facts(request(contents=longer), 1, "").session
    assert facts(request(), 1, "").session != facts(request(systemInstruction={"parts": []}), 1, "").session
    assert facts(request(), 1, "mine").session == "mine"


def test_every_token_is_counted_once() -> None:
    assert read_usage(USAGE) == Usage(9, 7, cache_read=4, reasoning=2, source=UsageSource.REPORTED)
    assert read_usage({"totalTokenCount": 5}) is None
    assert read_usage(None) is None
    assert read_usage({"promptTokenCount": -1, "candidatesTokenCount": "x"}) == Usage(source=UsageSource.REPORTED)


def test_a_stream_has_output_with_its_first_part_and_ends_with_a_reason() -> None:
    tap = StreamTap()

    assert tap.read(chunk(usageMetadata={"promptTokenCount": 10})) is False
    assert tap.read(chunk({"text": ""})) is False
    assert tap.read(b": ping\n\n") is False
    assert not tap.has_output
    tap.read(chunk({"text": "hello"}))
    assert (tap.has_output, tap.is_finished, tap.characters) == (True, False, 5)
    tap.read(chunk({"text": "!"}, candidate={"finishReason": "STOP"}, usageMetadata=USAGE))
    assert (tap.is_finished, tap.characters, tap.error) == (True, 6, "")
    assert tap.usage == read_usage(USAGE)


def test_a_stream_that_is_cut_is_charged_for_the_text_that_came() -> None:
    tap = StreamTap()
    tap.read(chunk({"text": "x" * 40}, usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 1}))

    assert tap.usage == Usage(3, 10, source=UsageSource.ESTIMATED)


def test_a_question_that_is_blocked_is_an_answer() -> None:
    tap = StreamTap()
    tap.read(plain_event(b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3}}'))

    assert (tap.has_output, tap.is_finished) == (True, True)
    assert tap.usage is not None
    assert tap.usage.input == 3


@pytest.mark.parametrize(
    "payload",
    [
        b'{"error":{"code":503,"message":"too much","status":"UNAVAILABLE"}}',
        b'[{"error":{"code":503,"message":"too much","status":"UNAVAILABLE"}}]',
    ],
)
def test_an_error_in_a_stream_is_heard(payload: bytes) -> None:
    tap = StreamTap()
    tap.read(plain_event(payload))

    assert (tap.error, tap.has_output, tap.is_finished) == ("too much", False, False)


def test_a_whole_answer_is_looked_at() -> None:
    content = {"content": {"parts": [{"text": "hello"}], "role": "model"}, "finishReason": "STOP"}
    found = read_answer(msgspec.json.encode({"candidates": [content], "usageMetadata": USAGE}))

    assert (found.fault, found.characters) == ("", 5)
    assert found.usage == read_usage(USAGE)
    assert read_answer(b'{"promptFeedback":{"blockReason":"OTHER"}}').fault == ""
    assert read_answer(b'{"totalTokens":5}').fault == ""


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b'{"candidates":[]}', b'{"error":{"message":"x"}}', b'[{"error":{"message":"x"}}]'],
)
def test_what_is_no_answer_has_a_fault(body: bytes) -> None:
    assert read_answer(body).fault


def test_a_count_of_tokens_is_what_the_sdk_reads() -> None:
    assert CountTokensResponse.model_validate_json(count_answer(5)).total_tokens == 5


@settings(max_examples=100)
@given(
    st.binary(max_size=40)
    | st.recursive(
        st.none() | st.text(max_size=3) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "candidates",
                        "content",
                        "parts",
                        "text",
                        "contents",
                        "generationConfig",
                        "error",
                        "usageMetadata",
                        "promptFeedback",
                        "model",
                        "generateContentRequest",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(msgspec.json.encode)
)
def test_whatever_comes_nothing_but_a_refusal_is_raised(body: bytes) -> None:
    StreamTap().read(plain_event(body))
    read_answer(body)
    try:
        asked = read_request(Asked(body, model="m"))
        upstream_body(asked, "n")
        facts(asked, 1, "")
        asked_characters(asked)
    except BadInput:
        return
