from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import NotTranslatable
from gateway.formats.chat.write_messages import call_id, write_messages
from gateway.formats.intermediate import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.model.registry import ApiFormat

GEMINI = ApiFormat.GEMINI_GENERATE


def written(*turns: Turn, model: str = "m") -> tuple[Any, set[str]]:
    dropped: set[str] = set()
    return msgspec.json.decode(msgspec.json.encode(write_messages(turns, model, dropped))), dropped


def user(*parts: Part, name: str = "") -> Turn:
    return Turn(Role.USER, parts, name)


def model(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts)


def test_roles_names_and_places_are_kept() -> None:
    told, _ = written(
        Turn(Role.SYSTEM, (Text("a"), Text("b"))),
        user(Text("c"), name="ann"),
        Turn(Role.DEVELOPER, (Text("d"),)),
        model(Text("e")),
        model(Refusal("no")),
    )

    assert told == [
        {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c", "name": "ann"},
        {"role": "developer", "content": "d"},
        {"role": "assistant", "content": "e"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    ]


def test_results_are_messages_of_their_own_before_what_the_user_says() -> None:
    told, dropped = written(
        model(ToolCall("x", "f", ""), ToolCall("y", "g", "free", is_custom=True)),
        user(Text("and"), ToolResult("x", (Text("12"),))),
        user(ToolResult("y", (Text("no"),), is_error=True)),
    )

    assert told == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "x", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                {"id": "y", "type": "custom", "custom": {"name": "g", "input": "free"}},
            ],
        },
        {"role": "tool", "tool_call_id": "x", "content": "12"},
        {"role": "tool", "tool_call_id": "y", "content": "no"},
        {"role": "user", "content": "and"},
    ]
    assert dropped == {"messages.is_error"}


def test_pictures_of_results_follow_in_a_message_of_the_user() -> None:
    picture = Image(data="aGk=", media_type="image/png")
    told, _ = written(
        model(ToolCall("x", "f", ""), ToolCall("y", "f", "")),
        user(ToolResult("x", (picture,))),
        user(ToolResult("y", (Text("1"),))),
    )

    assert [message["role"] for message in told] == ["assistant", "tool", "tool", "user"]
    assert told[1]["content"] == ""
    assert told[3]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


def test_content_of_every_kind_is_written() -> None:
    told, _ = written(
        user(
            Image(url="https://x.test/a.png", detail="low"),
            Audio("aGk=", "audio/mpeg"),
            File(data="aGk=", media_type="application/pdf", name="a.pdf"),
            File(file_id="file-1"),
        )
    )

    assert told[0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,aGk=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]


def test_caches_are_asked_of_models_that_have_them_and_named_for_others() -> None:
    turn = user(Text("a", cache="5m"), Text("b", cache="1h"))
    cached, nothing = written(turn, model="anthropic/claude-x")
    plain, dropped = written(turn)

    assert [part["cache_control"] for part in cached[0]["content"]] == [
        {"type": "ephemeral"},
        {"type": "ephemeral", "ttl": "1h"},
    ]
    assert nothing == set()
    assert "cache_control" not in plain[0]["content"][0]
    assert dropped == {"messages.cache_control"}


def test_only_thoughts_of_chat_go_back_to_chat() -> None:
    told, dropped = written(
        model(
            Thinking("hm", "", ApiFormat.OPENAI_CHAT),
            Thinking("other", "S", ApiFormat.ANTHROPIC_MESSAGES),
            Thinking("unknown"),
            Text("so"),
        )
    )

    assert told == [{"role": "assistant", "content": "so", "reasoning_content": "hm"}]
    assert dropped == {"thinking"}


def test_googles_signature_of_a_call_goes_to_gemini_only() -> None:
    turn = model(Thinking("", "c2VhbA==", GEMINI), ToolCall("x", "f", "{}"))
    google, nothing = written(turn, model="gemini-3-pro")
    other, dropped = written(turn, model="gpt-4o")

    assert google[0]["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "c2VhbA=="}}
    assert "extra_content" not in other[0]["tool_calls"][0]
    assert (nothing, dropped) == (set(), {"thinking"})


def test_an_id_that_is_too_long_is_shortened_alike_in_the_call_and_its_result() -> None:
    long = "toolu_" + "x" * 60
    told, _ = written(model(ToolCall(long, "f", "{}")), user(ToolResult(long, (Text("1"),))))

    assert told[0]["tool_calls"][0]["id"] == told[1]["tool_call_id"] == call_id(long)
    assert len(call_id(long)) <= 40
    assert call_id("x" * 40) == "x" * 40


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        (user(Image(file_id="file-1")), "messages.file_id"),
        (user(File(url="https://x.test/a.pdf")), "messages.file.url"),
        (user(ToolCall("x", "f", "{}")), "messages"),
    ],
)
def test_what_chat_cannot_hold_is_refused_by_its_name(turn: Turn, param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        written(turn)

    assert caught.value.param == param
