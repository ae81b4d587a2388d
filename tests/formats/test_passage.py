"""How a call goes to a backend and comes back: unchanged in its own format, through the one form in another."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest

from gateway.errors import NotTranslatable
from gateway.formats import intermediate as form
from gateway.formats.intermediate import Answer, Destination, Kind, Stop, Text, Thinking, Told, ToolCall
from gateway.formats.metering import estimated
from gateway.formats.passage import EventTap, events_of, same, translated
from gateway.formats.request import Asked, Request
from gateway.formats.table import FORMATS
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import TRANSLATABLE, ApiFormat

WORDS = "Where does the weir stand?"
ASKED: dict[ApiFormat, Asked] = {
    ApiFormat.OPENAI_CHAT: Asked(
        json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": WORDS}]}).encode()
    ),
    ApiFormat.OPENAI_RESPONSES: Asked(json.dumps({"model": "m", "stream": True, "input": WORDS}).encode()),
    ApiFormat.ANTHROPIC_MESSAGES: Asked(
        json.dumps(
            {"model": "m", "stream": True, "max_tokens": 50, "messages": [{"role": "user", "content": WORDS}]}
        ).encode()
    ),
    ApiFormat.GEMINI_GENERATE: Asked(
        json.dumps({"contents": [{"role": "user", "parts": [{"text": WORDS}]}]}).encode(), model="m", is_stream=True
    ),
}
NAMED: dict[ApiFormat, dict[str, str]] = {ApiFormat.GEMINI_GENERATE: {}}
"""Where the model's name is in the path, the body has none."""
USAGE = Usage(10, 4, cache_read=2, source=UsageSource.REPORTED)
ANSWER = Answer(
    id="x1",
    model="up",
    parts=(Text("By the river."), ToolCall("call_1", "look", '{"n": 12345678901234567890}')),
    stop=Stop.TOOL_CALLS,
    usage=USAGE,
    created=5,
)
PAIRS = [(ours, theirs) for ours, theirs in product(TRANSLATABLE, repeat=2) if ours is not theirs]


def request_in(api_format: ApiFormat) -> Request:
    return FORMATS[api_format].read_request(ASKED[api_format])


def told(request: Request) -> Told:
    estimate = estimated(FORMATS[request.api_format].asked_characters(request), 0)
    return Told("req_1", request.model, estimate, wants_usage=True, now=7)


def spoken(api_format: ApiFormat, answer: Answer, request: Request) -> bytes:
    """The stream in which a provider of a format would say it."""
    translation = FORMATS[api_format].translation
    assert translation is not None
    return b"".join(map(translation.writer(told(request)).write, events_of(answer)))


@pytest.mark.parametrize("api_format", TRANSLATABLE)
def test_in_its_own_format_only_the_models_name_changes(api_format: ApiFormat) -> None:
    request = request_in(api_format)
    passage = same(request, asks_usage=False, model="up")
    assert not passage.is_translated
    assert json.loads(passage.body) == {**json.loads(ASKED[api_format].body), **NAMED.get(api_format, {"model": "up"})}
    for name, value in request.fields.items():
        if name != "model":
            assert bytes(value) in passage.body


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_question_arrives_in_every_other_format(ours: ApiFormat, theirs: ApiFormat) -> None:
    request = request_in(ours)
    passage = translated(request, theirs, Destination("up", 1000), told(request))
    assert passage.is_translated
    arrived = FORMATS[theirs].read_request(Asked(passage.body, model="up", is_stream=True))
    assert FORMATS[theirs].asked_characters(arrived) == len(WORDS)
    assert json.dumps(WORDS).encode() in passage.body


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_stream_comes_back_with_its_usage_its_call_and_its_end(ours: ApiFormat, theirs: ApiFormat) -> None:
    request = request_in(ours)
    side = translated(request, theirs, Destination("up", 1000), told(request)).stream()
    got = b""
    for event in spoken(theirs, ANSWER, request).split(b"\n\n"):
        if event:
            got += side.pass_on(event + b"\n\n")
    got += side.rest(b"")

    assert (side.tap.has_output, side.tap.is_finished, side.tap.error) == (True, True, "")
    assert side.tap.usage is not None
    assert (side.tap.usage.all_input, side.tap.usage.output) == (12, 4)
    ours_tap = FORMATS[ours].new_tap()
    for event in got.split(b"\n\n"):
        ours_tap.read(event + b"\n\n")
    assert (ours_tap.is_finished, ours_tap.error) == (True, "")
    assert ours_tap.usage is not None
    assert (ours_tap.usage.all_input, ours_tap.usage.output) == (12, 4)
    assert b"12345678901234567890" in got
    assert b"river" in got


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_whole_answer_to_a_stream_becomes_the_stream_that_was_asked_for(ours: ApiFormat, theirs: ApiFormat) -> None:
    request = request_in(ours)
    passage = translated(request, theirs, Destination("up", 1000), told(request))
    translation = FORMATS[theirs].translation
    assert translation is not None
    body, facts = passage.whole(translation.write_whole(ANSWER, told(request)))
    assert (facts.fault, facts.usage and facts.usage.output) == ("", 4)
    assert b"data: " in body
    assert b"12345678901234567890" in body


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"error": {"message": "boom", "code": 500}}'])
def test_an_answer_that_is_none_is_a_fault(ours: ApiFormat, theirs: ApiFormat, body: bytes) -> None:
    request = request_in(ours)
    assert translated(request, theirs, Destination("up"), told(request)).whole(body)[1].fault


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_a_stream_that_is_torn_is_never_ended_by_us(ours: ApiFormat, theirs: ApiFormat) -> None:
    request = request_in(ours)
    whole = spoken(theirs, ANSWER, request)
    events = [event + b"\n\n" for event in whole.split(b"\n\n") if event]
    side = translated(request, theirs, Destination("up"), told(request)).stream()
    got = b"".join(map(side.pass_on, events[: len(events) // 2])) + side.rest(b"data: {")
    assert not side.tap.is_finished
    for end in (b"[DONE]", b"message_stop", b"response.completed", b"finishReason", b'"finish_reason":"'):
        assert end not in got


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_an_error_inside_a_stream_is_left_for_others_to_tell(ours: ApiFormat, theirs: ApiFormat) -> None:
    request = request_in(ours)
    side = translated(request, theirs, Destination("up"), told(request)).stream()
    assert not side.tells_errors
    assert same(request, asks_usage=False, model="up").stream().tells_errors


def test_several_answers_to_one_question_are_refused_by_name() -> None:
    body = json.dumps({"model": "m", "n": 2, "messages": [{"role": "user", "content": WORDS}]}).encode()
    request = FORMATS[ApiFormat.OPENAI_CHAT].read_request(Asked(body))
    with pytest.raises(NotTranslatable) as refused:
        translated(request, ApiFormat.ANTHROPIC_MESSAGES, Destination("up"), told(request))
    assert refused.value.param == "n"


PATHS: list[tuple[ApiFormat, str, str, str]] = [
    (ApiFormat.OPENAI_CHAT, "", "", "/chat/completions"),
    (ApiFormat.OPENAI_CHAT, "", "/of/{model}/{action}?api-version=1", "/of/a%2Fb/completions?api-version=1"),
    (ApiFormat.ANTHROPIC_MESSAGES, "count_tokens", "", "/messages/count_tokens"),
    (ApiFormat.ANTHROPIC_MESSAGES, "count_tokens", "/own/messages", "/own/messages/count_tokens"),
    (ApiFormat.OPENAI_AUDIO, "speech", "/d/{model}/audio/{action}", "/d/a%2Fb/audio/speech"),
]


@pytest.mark.parametrize(("api_format", "action", "custom", "path"), PATHS)
def test_a_path_is_the_formats_own_or_the_endpoints(api_format: ApiFormat, action: str, custom: str, path: str) -> None:
    request = Request(api_format, "m", is_stream=False, fields={}, action=action)
    assert same(request, asks_usage=False, model="x").path_at(custom, "a/b") == path


def test_a_model_made_up_by_a_client_leads_to_no_other_path() -> None:
    request = request_in(ApiFormat.GEMINI_GENERATE)
    path = same(request, asks_usage=False, model="x").path_at("", "../../v1/files?key=1#")
    assert path.startswith("/models/..%2F..%2Fv1%2Ffiles%3Fkey%3D1%23:")


def taken(*events: form.Event) -> EventTap:
    tap = EventTap()
    for event in events:
        tap.note(event)
    return tap


def test_frames_are_no_output_and_calls_are() -> None:
    assert not taken(form.Began("a", "b"), form.PartBegan(0, Kind.TEXT), form.Delta(0, "")).has_output
    assert taken(form.PartBegan(0, Kind.TOOL_CALL, "c", "f")).has_output
    assert taken(form.Stopped(Stop.END)).has_output
    broken = taken(form.Delta(0, "ab"), form.Failed(""))
    assert (broken.error, broken.is_finished, broken.characters) == ("the provider reported an error", False, 2)


def test_an_answer_is_told_part_by_part() -> None:
    parts: tuple[Any, ...] = (
        Thinking("hm", "sig", ApiFormat.ANTHROPIC_MESSAGES),
        form.Image(data="x", media_type="image/png"),
        form.Refusal("no"),
    )
    events = list(events_of(Answer("a", "b", parts, Stop.REFUSAL)))
    assert [type(event).__name__ for event in events] == [
        *("Began", "PartBegan", "Delta", "Signed", "PartEnded", "PartBegan", "Delta", "PartEnded", "Stopped", "Ended"),
    ]
    assert [event.index for event in events if isinstance(event, form.PartBegan)] == [0, 1]


ANNOTATED = {"role": "assistant", "content": "By the river.", "annotations": [{"type": "url_citation"}]}
CITED = {"id": "c", "model": "u", "choices": [{"index": 0, "message": ANNOTATED, "finish_reason": "stop"}]}


def test_what_an_answer_loses_is_named() -> None:
    request = FORMATS[ApiFormat.ANTHROPIC_MESSAGES].read_request(
        Asked(b'{"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}')
    )
    passage = translated(request, ApiFormat.OPENAI_CHAT, Destination("up"), told(request))
    assert passage.whole(json.dumps(CITED).encode())[1].lost == ("annotations",)
    side = passage.stream()
    delta = {"id": "c", "model": "u", "choices": [{"index": 0, "delta": ANNOTATED}]}
    side.pass_on(b"data: " + json.dumps(delta).encode() + b"\n\n")
    assert side.lost == ("annotations",)
    assert same(request, asks_usage=False, model="u").stream().lost == ()
