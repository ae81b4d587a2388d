"""Whatever a client or a provider sends, translating it ends in an answer or in an error of our own."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats.intermediate import Destination, Told
from gateway.formats.metering import estimated
from gateway.formats.passage import Passage, translated
from gateway.formats.request import Asked, Request
from gateway.formats.sse import EventSplitter
from gateway.formats.table import FORMATS
from gateway.model.registry import TRANSLATABLE, ApiFormat
from tests.voices.said import Called, End, Said, Thought
from tests.voices.voice import VOICES

PAIRS = [(ours, theirs) for ours, theirs in product(TRANSLATABLE, repeat=2) if ours is not theirs]
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FULL: dict[ApiFormat, dict[str, Any]] = {
    ApiFormat.OPENAI_CHAT: {
        "model": "m",
        "stream": True,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a.test/a.png"}}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}},
        "reasoning_effort": "low",
        "max_completion_tokens": 9,
    },
    ApiFormat.OPENAI_RESPONSES: {
        "model": "m",
        "stream": True,
        "instructions": "Be brief.",
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": "https://a.test/a.png"}]},
            {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "x"},
        ],
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA}],
        "tool_choice": {"type": "function", "name": "f"},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        "reasoning": {"effort": "low", "summary": "auto"},
    },
    ApiFormat.ANTHROPIC_MESSAGES: {
        "model": "m",
        "stream": True,
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://a.test/a.png"}}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                    {"type": "tool_use", "id": "c", "name": "f", "input": {}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "x"}]},
        ],
        "tools": [{"name": "f", "input_schema": SCHEMA}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2048},
    },
    ApiFormat.GEMINI_GENERATE: {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {"thinkingConfig": {"thinkingBudget": 512}, "maxOutputTokens": 9},
    },
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found += places(inner, (*path, name))
    return found


def with_value(value: Any, path: tuple[Any, ...], put: Any) -> Any:
    if not path:
        return put
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = with_value(copied[path[0]], path[1:], put)
    return copied


def told(request: Request) -> Told:
    return Told("req_1", request.model, estimated(9, 0), wants_usage=True, now=7)


def passage(ours: ApiFormat, theirs: ApiFormat, body: Any) -> Passage:
    request = FORMATS[ours].read_request(Asked(json.dumps(body).encode(), model="m", is_stream=True))
    return translated(request, theirs, Destination(VOICES[theirs].upstream, 5000), told(request))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@settings(max_examples=30)
@given(st.data())
def test_a_request_with_anything_anywhere_is_translated_or_refused(
    ours: ApiFormat, theirs: ApiFormat, data: st.DataObject
) -> None:
    body = FULL[ours]
    path = data.draw(st.sampled_from(places(body)[1:]))
    changed = with_value(body, path, data.draw(json_values))
    try:
        sent = json.loads(passage(ours, theirs, changed).body)
    except BadInput as refusal:
        assert refusal.message
    else:
        assert isinstance(sent, dict)


SAID = Said("One, two.", Thought("Hm.", "c2ln"), (Called("c1", "f", '{"a":1}'), Called("c2", "g", "{}")), End.CALLS)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@settings(max_examples=30)
@given(st.data())
def test_a_stream_with_anything_anywhere_never_breaks_the_translator(
    ours: ApiFormat, theirs: ApiFormat, data: st.DataObject
) -> None:
    events = list(VOICES[theirs].stream(SAID))
    number = data.draw(st.integers(0, len(events) - 1))
    name, _, payload = events[number].rpartition(b"data: ")
    if payload.strip() != b"[DONE]":
        found = json.loads(payload)
        path = data.draw(st.sampled_from(places(found)))
        changed = json.dumps(with_value(found, path, data.draw(json_values))).encode()
        events[number] = name + b"data: " + changed + b"\n\n"
    side = passage(ours, theirs, FULL[ours]).stream()
    got = b"".join(map(side.pass_on, events)) + side.rest(b"")
    if not side.tap.is_finished:
        for end in (b"[DONE]", b"message_stop", b"response.completed", b'"finishReason"'):
            assert end not in got


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@settings(max_examples=20)
@given(st.data())
def test_a_whole_answer_with_anything_anywhere_is_translated_or_a_fault(
    ours: ApiFormat, theirs: ApiFormat, data: st.DataObject
) -> None:
    found = json.loads(VOICES[theirs].whole(SAID))
    path = data.draw(st.sampled_from(places(found)))
    body = json.dumps(with_value(found, path, data.draw(json_values))).encode()
    got, facts = passage(ours, theirs, FULL[ours]).whole(body)
    assert facts.fault or got


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@settings(max_examples=15)
@given(st.lists(st.integers(0, 10**6), max_size=8))
def test_a_stream_split_anywhere_is_the_same_stream(ours: ApiFormat, theirs: ApiFormat, cuts: list[int]) -> None:
    whole = b"".join(VOICES[theirs].stream(SAID))
    assert translated_in_pieces(ours, theirs, whole, cuts) == translated_in_pieces(ours, theirs, whole, [])


def translated_in_pieces(ours: ApiFormat, theirs: ApiFormat, whole: bytes, cuts: list[int]) -> bytes:
    side, splitter = passage(ours, theirs, FULL[ours]).stream(), EventSplitter()
    at = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    got = b""
    for start, end in zip(at, at[1:], strict=False):
        got += b"".join(map(side.pass_on, splitter.feed(whole[start:end])))
    return got + side.rest(splitter.rest())
