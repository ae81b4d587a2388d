"""OpenAI Responses: routing facts of a request, and metering of answers and streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import InputTokenCountResponse

from gateway.errors import BadInput
from gateway.formats.request import Asked
from gateway.formats.responses import surface
from gateway.model.calls import Usage, UsageSource
from gateway.model.capabilities import JSON_SCHEMA, TOOLS, VISION
from gateway.model.registry import ApiFormat
from tests.formats.responses.wires import (
    USAGE,
    USER,
    WEATHER,
    event,
    function_call,
    message,
    output_text,
    request,
    response,
)

COUNTED = Usage(input=50, output=30, cache_read=40, cache_creation=10, reasoning=20, source=UsageSource.REPORTED)


def read(body: Any, action: str = "") -> Any:
    return surface.read_request(Asked(json.dumps(body).encode(), action=action))


def test_a_request_is_read_as_far_as_routing_needs() -> None:
    found = request(stream=True)

    assert (found.api_format, found.model, found.is_stream) == (ApiFormat.OPENAI_RESPONSES, "m", True)
    assert not request(action="input_tokens", stream=True).is_stream


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": "x"}, "model"),
        ({"model": 3, "input": "x"}, "model"),
        ({"model": "m"}, "input"),
        ({"model": "m", "input": None}, "input"),
        ({"model": "m", "input": {}}, "input"),
        ({"model": "m", "input": "x", "stream": "yes"}, "stream"),
        ({"model": "m", "input": "x", "max_output_tokens": 1.5}, "max_output_tokens"),
        ({"model": "m", "input": "x", "max_output_tokens": -1}, "max_output_tokens"),
    ],
)
def test_a_field_that_is_missing_or_wrong_is_named(body: Any, param: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(body)
    assert refused.value.param == param


@pytest.mark.parametrize("name", ["previous_response_id", "prompt", "conversation"])
def test_the_input_may_be_missing_where_the_provider_has_it(name: str) -> None:
    assert read({"model": "m", name: "x"}).model == "m"


def test_only_the_model_is_changed_on_the_way() -> None:
    body = b'{"input":"\\u00e9","model":"m","temperature":1.50,"metadata":{"n":123456789012345678901234567890}}'
    found = surface.read_request(Asked(body))

    assert surface.upstream_body(found, "gpt") == body.replace(b'"m"', b'"gpt"')


def test_the_answer_before_is_named() -> None:
    assert surface.previous_response(request(previous_response_id="resp_7")) == "resp_7"
    assert surface.previous_response(request()) == ""
    assert surface.previous_response(request(previous_response_id=7)) == ""


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, set()),
        ({"tools": [WEATHER]}, {TOOLS}),
        ({"tools": []}, set()),
        ({"text": {"format": {"type": "json_schema"}}}, {JSON_SCHEMA}),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, {VISION}),
        ({"input": 'say "input_image"'}, set()),
    ],
)
def test_a_body_shows_what_it_needs(body: dict[str, Any], found: set[str]) -> None:
    sent = read({"model": "m", "input": "x", **body})

    assert surface.facts(sent, 10, "").capabilities == found


def test_tokens_are_estimated_from_bytes_and_limits() -> None:
    found = surface.facts(read({"model": "m", "input": "x" * 10, "instructions": "y" * 10}), 77, "")

    assert (found.tokens, found.most_input, found.most_output) == (6, 9, 77)
    assert surface.facts(request(max_output_tokens=5), 77, "").most_output == 5


def test_counting_tokens_uses_none() -> None:
    found = surface.facts(request(action="input_tokens"), 77, "")

    assert (found.tokens, found.most_input, found.most_output) == (0, 0, 0)


def test_a_session_has_the_first_name_that_is_given() -> None:
    body = {"prompt_cache_key": "a", "metadata": {"user_id": "b"}}

    assert surface.facts(request(**body), 1, "c").session == "a"
    assert surface.facts(request(metadata={"user_id": "b"}), 1, "c").session == "b"
    assert surface.facts(request(), 1, "c").session == "c"


def test_without_a_name_a_conversation_is_known_by_its_beginning() -> None:
    first = surface.facts(request(USER, instructions="s"), 1, "").session

    assert surface.facts(request(USER, message(output_text("a")), USER, instructions="s"), 1, "").session == first
    assert surface.facts(request(USER, instructions="t"), 1, "").session != first
    assert surface.facts(read({"model": "m", "previous_response_id": "r"}), 1, "").session


def test_characters_of_the_question_are_counted() -> None:
    assert surface.asked_characters(read({"model": "m", "input": "12345", "instructions": "678"})) == 8
    assert surface.asked_characters(request()) == 5


def test_cached_tokens_are_counted_once() -> None:
    assert surface.read_usage(USAGE) == COUNTED
    assert surface.read_usage({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 9}}) == Usage(
        cache_read=5, source=UsageSource.REPORTED
    )


@pytest.mark.parametrize("found", [None, 3, [], {}, {"prompt_tokens": 3}])
def test_what_is_no_usage_is_none(found: Any) -> None:
    assert surface.read_usage(found) is None


def tapped(*events: bytes) -> surface.StreamTap:
    tap = surface.StreamTap()
    for one in events:
        assert tap.read(one) is False
    return tap


OPENING = (
    event("response.created", response=response(status="in_progress", usage=None)),
    event("response.in_progress", response=response(status="in_progress", usage=None)),
    event("response.output_item.added", output_index=0, item={"type": "reasoning", "id": "rs", "summary": []}),
    event("response.output_item.added", output_index=1, item=message(status="in_progress")),
    event("response.content_part.added", part=output_text("")),
    event("response.output_text.delta", delta=""),
    event("keepalive"),
    b": ping\n\n",
)


def test_frames_without_content_are_no_output() -> None:
    tap = tapped(*OPENING)

    assert (tap.has_output, tap.is_finished, tap.answer_id) == (False, False, "resp_1")


@pytest.mark.parametrize(
    "output",
    [
        event("response.output_text.delta", delta="x"),
        event("response.reasoning_summary_text.delta", delta="x"),
        event("response.function_call_arguments.delta", delta="{"),
        event("response.output_item.added", item=function_call(arguments="")),
        event("response.output_item.added", item={"type": "web_search_call", "id": "ws"}),
        event("response.output_item.done", item={"type": "reasoning", "id": "rs", "encrypted_content": "x"}),
        event("response.image_generation_call.partial_image", partial_image_b64="x"),
    ],
)
def test_content_is_output(output: bytes) -> None:
    assert tapped(*OPENING, output).has_output


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_an_ending_tells_the_usage(kind: str) -> None:
    tap = tapped(*OPENING, event("response.output_text.delta", delta="four"), event(kind, response=response()))

    assert tap.is_finished and not tap.error
    assert (tap.usage, tap.characters) == (COUNTED, 4)


def test_a_failed_answer_is_an_error_that_may_have_usage() -> None:
    failed = response(status="failed", error={"code": "server_error", "message": "it broke"})
    tap = tapped(*OPENING, event("response.failed", response=failed))

    assert (tap.error, tap.usage, tap.is_finished) == ("it broke", COUNTED, False)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (event("error", message="too fast", code="slow_down"), "too fast"),
        (event("error", error={"message": "too fast"}), "too fast"),
        (b'data: {"error":{"message":"too fast"}}\n\n', "too fast"),
        (event("error"), "the provider reported an error"),
        (event("response.failed", response=None), "the provider reported an error"),
    ],
)
def test_an_error_event_has_words(told: bytes, words: str) -> None:
    assert tapped(told).error == words


@given(st.binary() | st.recursive(st.none() | st.text(), lambda of: st.dictionaries(st.text(), of)).map(json.dumps))
@settings(max_examples=60)
def test_a_tap_reads_anything(sent: Any) -> None:
    payload = sent if isinstance(sent, bytes) else sent.encode("utf-8", "surrogatepass")
    tapped(b"data: " + payload + b"\n\n")
    assert isinstance(surface.read_answer(payload).answer_id, str)


@pytest.mark.parametrize(
    "kind",
    [
        *("response.created", "response.completed", "response.failed", "error", "response.output_item.added"),
        *("response.content_part.added", "response.output_text.delta"),
    ],
)
@pytest.mark.parametrize("value", [None, 3, "x", [], {}, {"type": []}, {"id": 3, "usage": 3, "error": 3}])
def test_a_tap_reads_members_of_any_type(kind: str, value: Any) -> None:
    tapped(event(kind, response=value, item=value, part=value, delta=value, error=value, message=value))


@pytest.mark.parametrize("status", ["completed", "incomplete", "in_progress", "queued"])
def test_an_answer_is_one_in_each_of_its_states(status: str) -> None:
    body = json.dumps(response(message(output_text("four")), function_call(), status=status)).encode()
    found = surface.read_answer(body)

    assert (found.fault, found.usage, found.characters) == ("", COUNTED, 4 + 7 + 16)
    assert found.answer_id == "resp_1"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "the provider's answer is not a JSON object"),
        (b"[]", "the provider's answer is not a JSON object"),
        (b'"\\ud800"', "the provider's answer is not a JSON object"),
        (b'{"error":{"message":"broken"}}', "broken"),
        (b'{"status":"failed","error":{"message":"broken"},"output":[]}', "broken"),
        (b'{"status":"failed","output":[]}', "the provider reported an error"),
        (b"{}", "the provider's answer has no output"),
        (b'{"output":{}}', "the provider's answer has no output"),
    ],
)
def test_what_is_no_answer_has_a_fault(body: bytes, fault: str) -> None:
    assert surface.read_answer(body).fault == fault


def test_an_error_beside_a_completed_answer_is_none() -> None:
    assert surface.read_answer(json.dumps(response(error={"message": "x"})).encode()).fault == ""


@pytest.mark.parametrize(
    ("action", "body", "kept"),
    [
        ("", {}, True),
        ("", {"store": True}, True),
        ("", {"store": None}, True),
        ("", {"store": False}, False),
        ("compact", {}, False),
        ("input_tokens", {}, False),
    ],
)
def test_answers_are_kept_unless_that_is_not_wanted(action: str, body: dict[str, Any], kept: bool) -> None:
    assert surface.keeps(request(action=action, **body)) is kept


def test_a_count_is_told_as_the_official_type_has_it() -> None:
    told = surface.count_answer(11)

    assert InputTokenCountResponse.model_validate_json(told, strict=True).input_tokens == 11
    assert surface.read_answer(told).usage == Usage()


def test_a_count_of_tokens_used_none_and_a_compaction_did() -> None:
    counted = surface.read_answer(b'{"object":"response.input_tokens","input_tokens":11}')
    compacted = surface.read_answer(
        json.dumps({"id": "r", "object": "response.compaction", "output": [], "usage": USAGE}).encode()
    )

    assert (counted.fault, counted.usage) == ("", Usage())
    assert (compacted.fault, compacted.usage) == ("", COUNTED)
