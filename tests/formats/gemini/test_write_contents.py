from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import NotTranslatable
from gateway.formats.gemini.seals import UNSIGNED
from gateway.formats.gemini.write_contents import write_contents
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


def written(*turns: Turn, model: str = "gemini-2.5-flash") -> tuple[Any, set[str]]:
    dropped: set[str] = set()
    return msgspec.json.decode(msgspec.json.encode(write_contents(turns, model, dropped))), dropped


def user(*parts: Part, name: str = "") -> Turn:
    return Turn(Role.USER, parts, name)


def model(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts)


def test_what_the_system_says_first_is_its_instruction_and_later_words_stay_in_place() -> None:
    told, _ = written(
        Turn(Role.SYSTEM, (Text("a"),)),
        Turn(Role.DEVELOPER, (Text("b"),)),
        user(Text("c")),
        Turn(Role.SYSTEM, (Text("d"),)),
    )

    assert told == {
        "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}]},
        "contents": [{"role": "user", "parts": [{"text": "c"}, {"text": "d"}]}],
    }


def test_where_only_the_system_speaks_its_words_are_the_question() -> None:
    assert written(Turn(Role.SYSTEM, (Text("a"),)))[0] == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}
    assert written()[0] == {"contents": [{"role": "user", "parts": [{"text": ""}]}]}


def test_turns_alternate_and_results_come_first() -> None:
    told, _ = written(
        user(Text("a")),
        model(Text("b")),
        model(ToolCall("x", "f", ""), ToolCall("y", "g", '{"n":1}')),
        user(ToolResult("x", (Text("1"), Text("2")))),
        user(Text("c"), ToolResult("y", (Text("no"),), is_error=True)),
    )

    assert [content["role"] for content in told["contents"]] == ["user", "model", "user"]
    assert told["contents"][1]["parts"] == [
        {"text": "b"},
        {"functionCall": {"id": "x", "name": "f", "args": {}}},
        {"functionCall": {"id": "y", "name": "g", "args": {"n": 1}}},
    ]
    assert told["contents"][2]["parts"] == [
        {"functionResponse": {"id": "x", "name": "f", "response": {"output": "1\n2"}}},
        {"functionResponse": {"id": "y", "name": "g", "response": {"error": "no"}}},
        {"text": "c"},
    ]


def test_pictures_of_results_follow_all_results() -> None:
    picture = Image(data="aGk=", media_type="image/png")
    told, _ = written(
        model(ToolCall("x", "f", ""), ToolCall("y", "f", "")),
        user(ToolResult("x", (picture,)), ToolResult("y", (Text("1"),))),
    )

    assert [next(iter(part)) for part in told["contents"][1]["parts"]] == [
        *("functionResponse", "functionResponse"),
        "inlineData",
    ]


def test_tools_for_free_text_are_wrapped() -> None:
    told, _ = written(
        model(ToolCall("x", "g", "free", is_custom=True)), user(ToolResult("x", (Text("1"),), is_custom=True))
    )

    assert told["contents"][0]["parts"][0]["functionCall"] == {
        "id": "x",
        "name": "g__free_text",
        "args": {"input": "free"},
    }
    assert told["contents"][1]["parts"][0]["functionResponse"]["name"] == "g__free_text"


def test_files_go_inline_or_by_url() -> None:
    told, dropped = written(
        user(
            Image(data="aGk=", media_type="image/png", detail="high"),
            Image(url="https://x.test/a.JPG?size=1"),
            Image(url="https://x.test/a"),
            Audio("aGk=", "audio/wav"),
            File(data="aGk=", media_type="application/pdf", name="a.pdf"),
            File(url="https://x.test/a", media_type="text/plain"),
        )
    )

    assert told["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"fileData": {"fileUri": "https://x.test/a.JPG?size=1", "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": "https://x.test/a"}},
        {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
        {"fileData": {"fileUri": "https://x.test/a", "mimeType": "text/plain"}},
    ]
    assert dropped == {"messages.image_url.detail", "messages.file.filename"}


def test_only_googles_own_thoughts_go_back_to_google() -> None:
    told, dropped = written(
        model(
            Thinking("hm", "S", ApiFormat.ANTHROPIC_MESSAGES),
            Thinking("mine", "", GEMINI),
            Thinking("", "c2VhbA==", GEMINI),
            ToolCall("x", "f", ""),
            Thinking("", "ZW5k", GEMINI),
        )
    )

    assert told["contents"][0]["parts"] == [
        {"text": "mine", "thought": True},
        {"functionCall": {"id": "x", "name": "f", "args": {}}, "thoughtSignature": "c2VhbA=="},
        {"text": "", "thoughtSignature": "ZW5k"},
    ]
    assert dropped == {"thinking"}


def test_a_newer_model_is_told_which_calls_it_did_not_make() -> None:
    calls = (ToolCall("x", "f", ""), ToolCall("y", "f", ""))
    foreign, _ = written(model(*calls), model="gemini-3-pro")
    own, _ = written(model(Thinking("", "c2VhbA==", GEMINI), *calls), model="gemini-3-pro")

    assert [part.get("thoughtSignature") for part in foreign["contents"][0]["parts"]] == [UNSIGNED, None]
    assert [part.get("thoughtSignature") for part in own["contents"][0]["parts"]] == ["c2VhbA==", None]


def test_a_refusal_is_text_and_empty_text_is_left_out() -> None:
    told, dropped = written(user(Text("")), model(Refusal("no"), Text("")), user(Text("x", cache="5m"), name="ann"))

    assert told["contents"] == [
        {"role": "model", "parts": [{"text": "no"}]},
        {"role": "user", "parts": [{"text": "x"}]},
    ]
    assert dropped == {"messages.cache_control", "messages.name"}


@pytest.mark.parametrize(
    ("turn", "param"),
    [
        (user(Image(file_id="file-1")), "messages.file_id"),
        (user(File(file_id="file-1")), "messages.file_id"),
        (user(ToolResult("x", ())), "messages.tool_call_id"),
        (model(ToolCall("x", "f", "[1]")), "messages.tool_calls.arguments"),
        (model(ToolCall("x", "f", '{"a":')), "messages.tool_calls.arguments"),
    ],
)
def test_what_gemini_cannot_be_told_is_refused_by_its_name(turn: Turn, param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        written(turn)

    assert caught.value.param == param
