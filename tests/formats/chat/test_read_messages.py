from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput, NotTranslatable
from gateway.formats import body as bodies
from gateway.formats.chat.read_messages import read_turns
from gateway.formats.chat.read_prompt import read_prompt
from gateway.formats.intermediate import (
    Audio,
    File,
    Image,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.formats.members import Members
from gateway.model.registry import ApiFormat
from tests.formats.chat.asking import CHAT, asked, request_of, turns_of


def test_messages_become_turns_with_their_roles_and_names() -> None:
    assert turns_of(
        {"role": "system", "content": "be brief"},
        {"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "", "name": "ann"},
        {"role": "assistant", "content": "yes"},
    ) == (
        Turn(Role.SYSTEM, (Text("be brief"),)),
        Turn(Role.DEVELOPER, (Text("a"), Text("b"))),
        Turn(Role.USER, (Text(""),), name="ann"),
        Turn(Role.ASSISTANT, (Text("yes"),)),
    )


def test_pictures_come_by_url_or_as_base64() -> None:
    (turn,) = turns_of(
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "image_url", "image_url": "https://x.test/b.png"},
            ],
        }
    )

    assert turn.parts == (
        Image(url="https://x.test/a.png", detail="high"),
        Image(data="aGk=", media_type="image/png"),
        Image(url="https://x.test/b.png"),
    )


def test_sound_and_files_are_read() -> None:
    (turn,) = turns_of(
        {
            "role": "user",
            "content": [
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}},
                {"type": "file", "file": {"file_data": "aGk=", "filename": "a.pdf"}},
            ],
        }
    )

    assert turn.parts == (
        Audio("aGk=", "audio/wav"),
        Audio("aGk=", "audio/mpeg"),
        File(file_id="file-1"),
        File(data="aGk=", media_type="text/plain", name="a.txt"),
        File(data="aGk=", media_type="application/pdf", name="a.pdf"),
    )


def test_a_cache_is_asked_for_as_anthropic_does() -> None:
    turns = turns_of(
        {"role": "system", "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        },
    )

    assert [turn.parts for turn in turns] == [(Text("a", cache="5m"),), (Text("b", cache="1h"),)]


def test_calls_of_tools_and_their_results_belong_together_by_id() -> None:
    turns = turns_of(
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"n": 11805916207174113034}'},
                },
                {"id": "b", "type": "custom", "custom": {"name": "g", "input": "free"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "2"}]},
        {"role": "tool", "tool_call_id": "unknown", "content": None},
    )

    assert turns == (
        Turn(
            Role.ASSISTANT,
            (ToolCall("a", "f", '{"n": 11805916207174113034}'), ToolCall("b", "g", "free", is_custom=True)),
        ),
        Turn(Role.USER, (ToolResult("a", (Text("1"),), name="f"),)),
        Turn(Role.USER, (ToolResult("b", (Text("2"),), name="g", is_custom=True),)),
        Turn(Role.USER, (ToolResult("unknown", ()),)),
    )


def test_empty_content_beside_calls_is_no_text() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}

    (turn,) = turns_of({"role": "assistant", "content": "", "tool_calls": [call]})

    assert turn.parts == (ToolCall("a", "f", ""),)


def test_arguments_that_are_an_object_stay_the_text_that_it_came_as() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":'
        b'{"name":"f","arguments":{ "n": 1180591620717411303424, "f": 1.50 }}}]}]}'
    )

    (turn,) = read_prompt(request_of(body)).turns

    assert turn.parts == (ToolCall("a", "f", '{ "n": 1180591620717411303424, "f": 1.50 }'),)


def test_calls_of_the_older_kind_get_ids_and_their_results_are_matched_by_name_and_order() -> None:
    turns = turns_of(
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "first"},
        {"role": "function", "name": "f", "content": "second"},
    )

    assert turns[0].parts == (ToolCall("call_1", "f", "{}"),)
    assert [turn.parts for turn in turns[2:]] == [
        (ToolResult("call_1", (Text("first"),), name="f"),),
        (ToolResult("call_2", (Text("second"),), name="f"),),
    ]


def test_thoughts_come_first_with_the_signatures_of_their_provider() -> None:
    (turn,) = turns_of(
        {
            "role": "assistant",
            "content": "so",
            "reasoning_content": "hm",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "hm", "signature": "gw1.anthropic_messages.S"},
                {"type": "reasoning.encrypted", "data": "E"},
            ],
        }
    )

    assert turn.parts == (
        Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
        Thinking("", "E", CHAT),
        Text("so"),
    )


def test_googles_signature_of_a_call_comes_directly_before_it() -> None:
    call = {
        "id": "a",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "S"}},
    }

    (turn,) = turns_of({"role": "assistant", "tool_calls": [call]})

    assert turn.parts == (Thinking("", "S", ApiFormat.GEMINI_GENERATE), ToolCall("a", "f", "{}"))


def test_a_refusal_is_kept_apart_from_text() -> None:
    turns = turns_of(
        {"role": "assistant", "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, {"type": "text", "text": "but"}]},
    )

    assert turns[0].parts == (Refusal("no"),)
    assert turns[1].parts == (Refusal("no"), Text("but"))


def test_sound_of_an_earlier_answer_and_cache_marks_of_openai_are_named_as_lost() -> None:
    found = asked(
        messages=[
            {"role": "assistant", "content": "x", "audio": {"id": "audio_1"}},
            {
                "role": "user",
                "content": [{"type": "text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            },
        ]
    )

    assert found.lost == ("messages.audio", "messages.prompt_cache_breakpoint")


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"role": "critic", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": [{"type": "video_url"}]}, "messages[0].content[0].type"),
        ({"role": "assistant", "tool_calls": [{"id": "a", "type": "shell"}]}, "messages[0].tool_calls[0].type"),
    ],
)
def test_what_no_other_format_has_is_refused_by_its_place(message: dict[str, Any], param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        turns_of(message)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "messages[0].role"),
        ({"role": "user"}, "messages[0].content"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": [5]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {}}]}, "messages[0].content[0].image_url.url"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]},
            "messages[0].content[0].image_url",
        ),
        ({"role": "tool", "content": "x"}, "messages[0].tool_call_id"),
        ({"role": "function", "name": "f", "content": "x"}, "messages[0].name"),
        ({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}, "messages[0].tool_calls[0].id"),
    ],
)
def test_a_fault_is_named_by_its_place(message: dict[str, Any], param: str) -> None:
    with pytest.raises(BadInput) as caught:
        turns_of(message)

    assert caught.value.param == param


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "text",
                    "tool_calls",
                    "id",
                    "function",
                    "name",
                    "arguments",
                    "image_url",
                    "url",
                ]
            ),
            inner | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "function", "file", "data:,"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=100)
@given(values)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    try:
        turns = read_turns(Members({"messages": bodies.raw([value])}), set())
    except BadInput as error:
        assert error.param
    else:
        assert len(turns) == 1
