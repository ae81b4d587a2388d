"""Anthropic Messages on the lane where nothing is translated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput
from gateway.formats.messages.surface import (
    StreamTap,
    asked_characters,
    facts,
    read_answer,
    read_request,
    read_usage,
    upstream_body,
)
from gateway.formats.request import Asked
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.messages import wires
from tests.formats.messages.wires import PING, USER, WEATHER, request

REPORTED = UsageSource.REPORTED
ESTIMATED = UsageSource.ESTIMATED


def tapped(*events: bytes) -> StreamTap:
    tap = StreamTap()
    assert not any([tap.read(event) for event in events])
    return tap


def test_a_request_is_taken_apart_no_further_than_routing_needs() -> None:
    found = request(stream=True)

    assert (found.api_format, found.model, found.is_stream) == (ApiFormat.ANTHROPIC_MESSAGES, "m", True)
    assert list(found.fields) == ["model", "max_tokens", "messages", "stream"]


def test_counting_tokens_needs_no_limit_and_has_no_stream() -> None:
    body = json.dumps({"model": "m", "messages": [USER], "stream": True}).encode()
    found = read_request(Asked(body, action="count_tokens"))

    assert (found.action, found.is_stream) == ("count_tokens", False)
    assert facts(found, 999, "").most_output == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        request(**change)
    assert refused.value.param == field


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"m"}', b'{"messages":[]}', b'{"model":"\\ud800"}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput):
        read_request(Asked(body))


def test_only_the_name_of_the_model_changes_on_the_way_up() -> None:
    body = b'{"big": 123456789012345678901234567890, "model": "m", "x": -0.0, "messages": [ {"role":"user"} ]}'

    sent = upstream_body(read_request(Asked(body)), "claude-x")

    assert sent == (
        b'{"big":123456789012345678901234567890,"model":"claude-x","x":-0.0,"messages":[ {"role":"user"} ]}'
    )


PICTURE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
HOUR = {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, set()),
        ({"tools": [WEATHER]}, {"tools"}),
        ({"tools": []}, set()),
        ({"tools": None}, set()),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, {"json_schema"}),
        ({"output_format": {"type": "json_schema", "schema": {}}}, {"json_schema"}),
        ({"output_config": {"effort": "high"}}, set()),
        ({"messages": [{"role": "user", "content": [PICTURE]}]}, {"vision"}),
        ({"messages": [{"role": "user", "content": '"type": "image"'}]}, set()),
        ({"cache_control": HOUR}, {"cache_1h"}),
        ({"cache_control": {"type": "ephemeral"}}, set()),
        ({"system": [{"type": "text", "text": "x", "cache_control": HOUR}]}, {"cache_1h"}),
        ({"tools": [{**WEATHER, "cache_control": HOUR}]}, {"tools", "cache_1h"}),
    ],
)
def test_a_body_shows_what_it_needs(body: dict[str, Any], found: set[str]) -> None:
    assert facts(request(**body), 0, "").capabilities == found


def test_the_most_that_a_call_can_come_to_follows_from_its_body() -> None:
    found = facts(request(system="Be brief."), 4000, "")
    conversation = len('"Be brief."') + len(json.dumps([USER]))

    assert found.tokens == -(-conversation // 4)
    assert found.most_input == -(-(conversation + len('"m"') + len("100")) // 3)
    assert found.most_output == 100
    assert facts(request(max_tokens=None), 4000, "").most_output == 4000


def test_a_session_has_the_first_name_that_is_given() -> None:
    named = {"user_id": "user_1_session_2"}

    assert facts(request(metadata=named), 0, "header").session == "user_1_session_2"
    assert facts(request(), 0, "header").session == "header"


def test_without_a_name_a_conversation_is_known_by_its_beginning() -> None:
    def session(*messages: Any, **body: Any) -> str:
        return facts(request(*messages, **body), 0, "").session

    answer = {"role": "assistant", "content": "Hi"}
    begun = session(USER, system="Be brief.")

    assert session(USER, answer, USER, system="Be brief.") == begun
    others = [session(USER), session(USER, system="Be long."), session(USER, tools=[WEATHER], system="Be brief.")]
    assert len({begun, *others}) == 4


def test_characters_of_the_question_are_those_of_its_text() -> None:
    pictured = {"role": "user", "content": [{"type": "text", "text": "abc"}, PICTURE]}

    assert asked_characters(request(pictured, system="de")) == 5


START = wires.start(cache_read_input_tokens=7)


def test_frames_at_the_start_are_no_output() -> None:
    tap = tapped(START, PING, b": comment\n\n", wires.block(0, type="text", text=""), wires.text(0, ""))

    assert (tap.has_output, tap.is_finished, tap.characters) == (False, False, 0)


@pytest.mark.parametrize(
    ("event", "characters"),
    [
        (wires.text(0, "Hé"), 2),
        (wires.delta(0, type="thinking_delta", thinking="abc"), 3),
        (wires.delta(0, type="input_json_delta", partial_json='{"a"'), 4),
        (wires.delta(0, type="signature_delta", signature="EqQ"), 0),
        (wires.block(0, type="tool_use", id="t", name="weather", input={}), 0),
        (wires.block(0, type="redacted_thinking", data="x"), 0),
        (wires.block(0, type="text", text="Hi"), 0),
        (wires.end(), 0),
        (wires.DONE, 0),
    ],
)
def test_content_is_output(event: bytes, characters: int) -> None:
    tap = tapped(START, event)

    assert tap.has_output
    assert tap.characters == characters


def test_only_the_last_event_finishes_a_stream() -> None:
    events = [START, wires.block(0, type="text", text=""), wires.text(0, "Hi"), wires.stop(0), wires.end()]

    assert not tapped(*events).is_finished
    assert tapped(*events, wires.DONE).is_finished


def test_usage_is_that_of_the_start_with_the_output_of_the_end() -> None:
    tap = tapped(START, wires.text(0, "x" * 400), wires.end(output_tokens=50), wires.DONE)

    assert tap.usage == Usage(input=10, output=50, cache_read=7, source=REPORTED)


def test_a_stream_that_is_cut_is_charged_for_the_text_that_came() -> None:
    assert tapped(START, wires.text(0, "x" * 401)).usage == Usage(10, 101, 7, source=ESTIMATED)
    assert tapped(START).usage == Usage(10, 1, 7, source=ESTIMATED)
    assert tapped(wires.text(0, "x")).usage is None


def test_the_end_of_a_stream_may_correct_its_input_but_not_take_it_back() -> None:
    assert tapped(START, wires.end(input_tokens=12)).usage == Usage(12, 5, 7, source=REPORTED)
    assert tapped(START, wires.end(input_tokens=0, cache_read_input_tokens=None)).usage == Usage(
        10, 5, 7, source=REPORTED
    )


def test_an_error_inside_a_stream_is_told() -> None:
    error = wires.event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    assert tapped(START, error).error == "Overloaded"
    assert tapped(wires.event("error")).error == "the provider reported an error"
    assert not tapped(error).is_finished


@given(st.binary() | st.sampled_from([b"null", b"[1]", b'{"type":["x"]}', b'{"type":"message_delta","usage":7}']))
def test_no_event_makes_a_tap_raise(payload: bytes) -> None:
    tapped(b"data: " + payload + b"\n\n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KINDS = ["message_start", "message_delta", "content_block_start", "content_block_delta", "message_stop", "error", "x"]


@settings(max_examples=100)
@given(
    st.sampled_from(KINDS),
    st.dictionaries(st.sampled_from(["delta", "content_block", "message", "usage", "error"]), JSON),
)
def test_members_of_any_type_are_taken(kind: str, fields: dict[str, Any]) -> None:
    tap = tapped(START, f"data: {json.dumps({**fields, 'type': kind}, ensure_ascii=False)}\n\n".encode())

    assert tap.usage is not None


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"input_tokens": 3, "output_tokens": 4}, Usage(3, 4, source=REPORTED)),
        (
            {"input_tokens": 3, "output_tokens": 4, "cache_creation_input_tokens": 9, "cache_read_input_tokens": 2},
            Usage(3, 4, cache_creation=9, cache_read=2, source=REPORTED),
        ),
        (
            {
                "input_tokens": 3,
                "output_tokens": 4,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 5},
            },
            Usage(3, 4, cache_creation=4, cache_creation_1h=5, source=REPORTED),
        ),
        (
            {"input_tokens": 3, "output_tokens": 4, "cache_creation": {"ephemeral_1h_input_tokens": 5}},
            Usage(3, 4, cache_creation_1h=5, source=REPORTED),
        ),
        (
            {"input_tokens": 3, "output_tokens": 4, "output_tokens_details": {"thinking_tokens": 3}},
            Usage(3, 4, reasoning=3, source=REPORTED),
        ),
        ({"input_tokens": "3", "output_tokens": None, "cache_creation": 7}, Usage(source=REPORTED)),
        ({}, None),
        (None, None),
        ([], None),
    ],
)
def test_every_token_is_counted_once(told: Any, usage: Usage | None) -> None:
    assert read_usage(told) == usage


def test_a_whole_answer_has_usage_and_text() -> None:
    thought = {"type": "thinking", "thinking": "abc", "signature": "x" * 50}
    body = json.dumps(wires.message(thought, {"type": "text", "text": "de"})).encode()

    found = read_answer(body)

    assert (found.fault, found.usage, found.characters) == ("", Usage(10, 5, source=REPORTED), 5)


def test_an_answer_without_content_may_be_whole() -> None:
    assert read_answer(json.dumps(wires.message()).encode()).fault == ""


def test_a_count_of_tokens_is_an_answer_that_used_none() -> None:
    found = read_answer(b'{"input_tokens": 12}')

    assert (found.fault, found.usage) == ("", Usage())


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not a JSON object"),
        (b"<html>", "not a JSON object"),
        (b"[]", "not a JSON object"),
        (b"{}", "no content"),
        (b'{"content": "Hi"}', "no content"),
        (b'{"content": []}', "empty"),
        (b'{"type":"error","error":{"type":"api_error","message":"Broken"}}', "Broken"),
        (b'{"error": true}', "reported an error"),
    ],
)
def test_what_is_no_answer_has_a_fault(body: bytes, fault: str) -> None:
    assert fault in read_answer(body).fault
