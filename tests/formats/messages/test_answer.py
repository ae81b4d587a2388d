"""Whole answers in Anthropic Messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import MessageTokensCount
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.intermediate import (
    Answer,
    Audio,
    BadAnswer,
    Image,
    Part,
    Refusal,
    Stop,
    Text,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.messages.answer import count_answer, read_whole, write_whole
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat
from tests.formats.messages import wires
from tests.formats.messages.judges import judged_answer
from tests.formats.messages.parts import PARTS

HERE, GEMINI = ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.GEMINI_GENERATE
REPORTED = UsageSource.REPORTED
TOLD = Told("call1", "asked-model", Usage(7, 3, source=UsageSource.ESTIMATED), wants_usage=False, now=1)


def read(*content: Any, **fields: Any) -> Answer:
    return read_whole(json.dumps(wires.message(*content, **fields)).encode())


def written(*parts: Part, stop: Stop = Stop.END, **fields: Any) -> dict[str, Any]:
    body = write_whole(Answer("msg_1", "m", parts, stop, **fields), TOLD)
    judged_answer(body)
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_whole_answer_is_read() -> None:
    found = read(
        {"type": "thinking", "thinking": "Hm", "signature": "EqQ"},
        {"type": "redacted_thinking", "data": "EmI"},
        {"type": "text", "text": "Let me see.", "citations": None},
        {"type": "tool_use", "id": "t", "name": "weather", "input": {"place": "Ulm"}, "caller": {"type": "direct"}},
        stop_reason="tool_use",
    )

    assert found == Answer(
        id="msg_1",
        model="claude",
        parts=(
            Thinking("Hm", "EqQ", HERE),
            Thinking("", "redacted:EmI", HERE),
            Text("Let me see."),
            ToolCall("t", "weather", '{"place": "Ulm"}'),
        ),
        stop=Stop.TOOL_CALLS,
        usage=Usage(10, 5, source=REPORTED),
    )


def test_a_call_of_a_tool_for_free_text_is_known_by_its_name() -> None:
    found = read({"type": "tool_use", "id": "t", "name": "patch__free_text", "input": {"input": "a\nb"}})

    assert found.parts == (ToolCall("t", "patch", "a\nb", is_custom=True),)


def test_what_has_no_place_is_lost_by_name() -> None:
    found = read(
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "Hi", "citations": [{"type": "web_search_result_location"}]},
        {"type": "hologram"},
    )

    assert found.parts == (Text("Hi"),)
    assert found.lost == (
        *("messages.citations", "messages.hologram", "messages.server_tool_use"),
        "messages.web_search_tool_result",
    )


def test_the_sequence_that_ended_an_answer_is_told() -> None:
    found = read({"type": "text", "text": "Hi"}, stop_reason="stop_sequence", stop_sequence="END")

    assert (found.stop, found.stop_sequence) == (Stop.STOP_SEQUENCE, "END")
    assert written(Text("Hi"), stop=Stop.STOP_SEQUENCE, stop_sequence="END")["stop_sequence"] == "END"


def test_a_refusal_may_be_explained() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "Not that."}

    found = read(stop_reason="refusal", stop_details=details)

    assert (found.stop, found.parts) == (Stop.REFUSAL, (Refusal("Not that."),))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not a message"),
        (b"[]", "not a message"),
        (b"{}", "not a message"),
        (b'{"content": "Hi"}', "not a message"),
        (b'{"content": [1]}', "not a message"),
        (b'{"content": [{"type": "text", "text": 7}]}', "not a message"),
        (b'{"content": [{"type": "text", "text": "\\ud800"}]}', "not a message"),
        (b'{"type": "error", "error": {"message": "Overloaded"}}', "Overloaded"),
    ],
)
def test_what_is_no_message_is_a_bad_answer(body: bytes, words: str) -> None:
    with pytest.raises(BadAnswer, match=words):
        read_whole(body)


@settings(max_examples=100)
@given(st.binary() | st.binary().map(lambda inner: b'{"content":[{"type":"text","text":"' + inner + b'"}]}'))
def test_no_bytes_make_the_reader_raise_anything_but_its_own_error(body: bytes) -> None:
    try:
        assert read_whole(body).parts is not None
    except BadAnswer as error:
        assert str(error)


JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([{}])
MEMBERS = st.sampled_from(["id", "model", "content", "stop_reason", "stop_sequence", "stop_details", "usage", "error"])
BLOCK_MEMBERS = st.sampled_from(["type", "text", "thinking", "signature", "data", "id", "name", "input", "citations"])
KINDS = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use"])


@settings(max_examples=100)
@given(st.dictionaries(MEMBERS, JSON), KINDS, st.dictionaries(BLOCK_MEMBERS, JSON))
def test_members_of_any_type_are_read_or_are_a_bad_answer(fields: Any, kind: str, block: Any) -> None:
    try:
        assert read({"type": kind, **block}, **fields).parts is not None
    except BadAnswer as error:
        assert str(error)


def test_an_answer_is_written_with_the_model_that_was_asked_for() -> None:
    found = written(Text("Hi"), usage=Usage(10, 5, 3, 2, 1, REPORTED, 4))

    assert found == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "asked-model",
        "content": [{"type": "text", "text": "Hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 6,
            "cache_read_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 1},
        },
    }


def test_what_the_provider_does_not_tell_is_made_up_for() -> None:
    body = json.loads(write_whole(Answer("", "m", (), Stop.END), TOLD))

    assert body["id"] == "msg_call1"
    assert (body["usage"]["input_tokens"], body["usage"]["output_tokens"]) == (7, 3)


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Refusal("No."), {"type": "text", "text": "No."}),
        (Thinking("Hm", "S", GEMINI), {"type": "thinking", "thinking": "Hm", "signature": "gw1.gemini_generate.S"}),
        (Thinking("", "S", GEMINI), {"type": "redacted_thinking", "data": "gw1.gemini_generate.S"}),
        (Thinking("", "redacted:D", HERE), {"type": "redacted_thinking", "data": "D"}),
        (Thinking("", "EqQ", HERE), {"type": "thinking", "thinking": "", "signature": "EqQ"}),
        (Thinking("Hm"), {"type": "thinking", "thinking": "Hm", "signature": ""}),
        (ToolCall("t", "f", ""), {"type": "tool_use", "id": "t", "name": "f", "input": {}}),
        (
            ToolCall("t", "f", '{"cut": "o'),
            {"type": "tool_use", "id": "t", "name": "f", "input": {"input": '{"cut": "o'}},
        ),
        (
            ToolCall("t", "f", "free", is_custom=True),
            {"type": "tool_use", "id": "t", "name": "f", "input": {"input": "free"}},
        ),
    ],
)
def test_each_part_has_its_block(part: Part, block: dict[str, Any]) -> None:
    assert written(part)["content"] == [block]


def test_pictures_and_sound_have_no_place() -> None:
    assert written(Image(data="AA=="), Audio("AA==", "audio/wav"), Text("Hi"))["content"] == [
        {"type": "text", "text": "Hi"}
    ]


@pytest.mark.parametrize(
    ("parts", "stop", "reason"),
    [
        ((ToolCall("t", "f", "{}"),), Stop.END, "tool_use"),
        ((ToolCall("t", "f", "{}"),), Stop.LENGTH, "max_tokens"),
        ((Refusal("No."),), Stop.END, "refusal"),
        ((Text("x"),), Stop.FILTER, "refusal"),
        ((Text("x"),), Stop.CONTEXT, "model_context_window_exceeded"),
    ],
)
def test_the_reason_for_the_end_is_told(parts: tuple[Part, ...], stop: Stop, reason: str) -> None:
    assert written(*parts, stop=stop)["stop_reason"] == reason


SAYABLE_STOPS = st.sampled_from([stop for stop in Stop if stop not in (Stop.FILTER, Stop.TOOL_CALLS, Stop.END)])


@settings(max_examples=100)
@given(PARTS, SAYABLE_STOPS, st.text(min_size=1, max_size=3))
def test_what_is_written_is_read_again_the_same(parts: tuple[Part, ...], stop: Stop, sequence: str) -> None:
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    stop = Stop.TOOL_CALLS if has_calls and stop is Stop.STOP_SEQUENCE else stop
    answer = Answer(
        id="msg_1",
        model="asked-model",
        parts=parts,
        stop=stop,
        stop_sequence=sequence if stop is Stop.STOP_SEQUENCE else "",
        usage=Usage(10, 5, 3, 2, 1, REPORTED, 4),
    )

    body = write_whole(answer, TOLD)

    judged_answer(body)
    assert read_whole(body) == answer


def test_a_count_of_tokens_is_one_that_the_sdk_reads() -> None:
    assert MessageTokensCount.model_validate_json(count_answer(12), strict=True).input_tokens == 12
