"""Formats that only pass: what is read of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats import simple
from gateway.formats.request import Asked, Request
from gateway.formats.simple import AUDIO, COMPLETIONS, EMBEDDINGS, IMAGES, MODERATIONS, RERANK, Simple, StreamTap
from gateway.formats.sse import plain_event
from gateway.model.calls import Usage, UsageSource

ALL = (AUDIO, COMPLETIONS, EMBEDDINGS, IMAGES, MODERATIONS, RERANK)
QUESTION: dict[Simple, dict[str, Any]] = {
    AUDIO: {"input": "say it", "voice": "alloy"},
    COMPLETIONS: {"prompt": "once upon"},
    EMBEDDINGS: {"input": ["one", "two"]},
    IMAGES: {"prompt": "a weir"},
    MODERATIONS: {"input": "hm"},
    RERANK: {"query": "which", "documents": ["this", {"text": "that"}]},
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


def asked(row: Simple, **body: Any) -> Request:
    sent = {"model": "m", **QUESTION[row], **body}
    return simple.read_request(row, Asked(json.dumps({k: v for k, v in sent.items() if v is not None}).encode()))


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.api_format)
def test_a_request_is_its_model_and_its_text(row: Simple) -> None:
    request = asked(row, stream=True)
    assert (request.api_format, request.model, request.is_stream) == (row.api_format, "m", True)
    assert simple.asked_characters(row, request) > 0


@pytest.mark.parametrize("row", ALL, ids=lambda row: row.api_format)
def test_a_missing_question_is_named(row: Simple) -> None:
    name = row.asked[0]
    with pytest.raises(BadInput) as refused:
        asked(row, **{name: None})
    assert refused.value.param == name


@pytest.mark.parametrize(("row", "model"), [(MODERATIONS, "omni-moderation-latest"), (IMAGES, "gpt-image-1")])
def test_where_a_model_may_be_left_out_it_is_the_providers_own_default(row: Simple, model: str) -> None:
    assert asked(row, model=None).model == model


@pytest.mark.parametrize("row", [EMBEDDINGS, COMPLETIONS, RERANK, AUDIO], ids=lambda row: row.api_format)
def test_elsewhere_the_model_must_be_named(row: Simple) -> None:
    with pytest.raises(BadInput) as refused:
        asked(row, model=None)
    assert refused.value.param == "model"


def test_an_answer_is_bounded_where_it_is_made_of_tokens() -> None:
    assert simple.facts(COMPLETIONS, asked(COMPLETIONS, max_tokens=7, n=3), 100, "s").most_output == 21
    assert simple.facts(COMPLETIONS, asked(COMPLETIONS), 100, "").most_output == 100
    found = simple.facts(EMBEDDINGS, asked(EMBEDDINGS), 100, "s")
    assert (found.most_output, found.session) == (0, "s")
    assert found.most_input >= found.tokens > 0


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(5, 0, source=UsageSource.REPORTED)),
        ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(5, 2, source=UsageSource.REPORTED)),
        ({"total_tokens": 9}, Usage(9, 0, source=UsageSource.REPORTED)),
        (
            {"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}},
            Usage(6, 4, cache_read=3, source=UsageSource.REPORTED),
        ),
        ({"type": "duration", "seconds": 5}, None),
        (None, None),
        ([], None),
    ],
)
def test_usage_is_read_in_each_of_their_words(told: Any, usage: Usage | None) -> None:
    assert simple.read_usage(told) == usage


@pytest.mark.parametrize("row", [row for row in ALL if row.answered], ids=lambda row: row.api_format)
def test_a_json_answer_without_its_member_is_none(row: Simple) -> None:
    assert not simple.read_answer(row, json.dumps({row.answered: []}).encode()).fault
    for body in (b"", b"<html>", b"[]", b"{}", b'{"error": {"message": "boom"}}'):
        assert simple.read_answer(row, body).fault
    assert simple.read_answer(row, b'{"error": {"message": "boom"}}').fault == "boom"


def test_an_answer_of_sound_or_text_is_any_bytes_but_none() -> None:
    assert not simple.read_answer(AUDIO, b"\x00\xff").fault
    assert simple.read_answer(AUDIO, b"1\n00:00 hello").characters == 13
    assert simple.read_answer(AUDIO, b"").fault


@pytest.mark.parametrize(
    ("row", "told", "characters"),
    [
        (EMBEDDINGS, {"data": [{"embedding": [0.5] * 3000}]}, 0),
        (IMAGES, {"data": [{"b64_json": "x" * 3000}]}, 0),
        (COMPLETIONS, {"choices": [{"text": "Hel"}, {"text": "lo"}, 7]}, 5),
        (AUDIO, {"text": "Hello"}, 5),
        (AUDIO, {"type": "audio", "text": "Hello"}, 0),
    ],
)
def test_of_a_whole_answer_its_usage_and_its_text_are_read(row: Simple, told: dict[str, Any], characters: int) -> None:
    body = json.dumps({"object": "list", **told, "usage": {"prompt_tokens": 4, "total_tokens": 4}}).encode()

    facts = simple.read_answer(row, body)

    assert (facts.fault, facts.usage, facts.characters) == ("", Usage(4, 0, source=UsageSource.REPORTED), characters)


@pytest.mark.parametrize(
    "body", [b'{"data":{}}', b'{"data":null}', b'{"data":[1,}', b'{"data":["\xff"]}', b'{"data":[NaN]}']
)
def test_an_answer_that_is_broken_anywhere_is_none(body: bytes) -> None:
    assert simple.read_answer(EMBEDDINGS, body).fault


def tapped(*payloads: object) -> StreamTap:
    tap = StreamTap()
    for payload in payloads:
        tap.read(plain_event(payload if isinstance(payload, bytes) else json.dumps(payload).encode()))
    return tap


def test_a_stream_of_completions_ends_like_one_of_chat() -> None:
    tap = tapped({"choices": [{"text": "Hel"}]}, {"choices": [{"text": "lo", "finish_reason": "stop"}]})
    assert (tap.has_output, tap.is_finished, tap.characters) == (True, True, 5)
    usage = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    assert tap.read(plain_event(json.dumps(usage).encode()))
    assert tap.usage == Usage(1, 2, source=UsageSource.REPORTED)
    assert tapped(b"[DONE]").is_finished


def test_streams_of_text_and_pictures_end_with_their_own_event() -> None:
    heard = tapped(
        {"type": "transcript.text.delta", "delta": "Hello"},
        {"type": "transcript.text.done", "text": "Hello", "usage": {"input_tokens": 3, "output_tokens": 1}},
    )
    assert (heard.characters, heard.is_finished, heard.usage) == (5, True, Usage(3, 1, source=UsageSource.REPORTED))
    drawn = tapped({"type": "image_generation.partial_image", "b64_json": "x"}, {"type": "image_generation.completed"})
    assert (drawn.has_output, drawn.is_finished) == (True, True)
    spoken = tapped({"type": "speech.audio.delta", "delta": "base64=="})
    assert (spoken.has_output, spoken.is_finished, spoken.characters) == (True, False, 0)


def test_an_error_inside_a_stream_is_no_output() -> None:
    for payload in ({"error": {"message": "boom"}}, {"type": "error", "message": "boom"}):
        tap = tapped(payload)
        assert (tap.error, tap.has_output, tap.is_finished) == ("boom", False, False)


@given(st.lists(json_values | st.binary(max_size=30), max_size=5), st.sampled_from(ALL))
def test_nothing_makes_reading_fail(found: list[Any], row: Simple) -> None:
    tap = StreamTap()
    for one in found:
        body = one if isinstance(one, bytes) else json.dumps(one).encode("utf-8", "replace")
        tap.read(plain_event(body))
        assert simple.read_answer(row, body).characters >= 0
        simple.read_usage(one)
    assert tap.characters >= 0


@given(
    st.dictionaries(st.sampled_from(["model", "input", "prompt", "query", "n", "stream", "max_tokens"]), json_values)
)
def test_no_request_raises_anything_but_a_bad_input(body: dict[str, Any]) -> None:
    for row in ALL:
        try:
            request = simple.read_request(row, Asked(json.dumps(body).encode("utf-8", "replace")))
            simple.facts(row, request, 10, "")
            simple.asked_characters(row, request)
        except BadInput as refused:
            assert refused.message
