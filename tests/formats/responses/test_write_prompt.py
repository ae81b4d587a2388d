"""Prompts are written as requests that OpenAI Responses takes; what it cannot carry is named or refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from openai.types.responses import response_create_params
from pydantic import ConfigDict, TypeAdapter

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import (
    Audio,
    ChoiceMode,
    Destination,
    File,
    Image,
    Part,
    Prompt,
    Reasoning,
    Refusal,
    Role,
    Shape,
    ShapeKind,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.request import Asked
from gateway.formats.responses.read_prompt import read_prompt
from gateway.formats.responses.surface import read_request
from gateway.formats.responses.write_prompt import write_prompt
from gateway.model.registry import ApiFormat
from tests.formats.responses.asking import BODIES

HERE = ApiFormat.OPENAI_RESPONSES
GPT = Destination("gpt-5", 1000)
HELLO = Turn(Role.USER, (Text("Hello"),))
SCHEMA = msgspec.Raw(b'{"type":"object","maximum":123456789012345678901234567890,"b":1.50}')
TOOL = Tool("weather", "d", SCHEMA)


def written(*turns: Turn, to: Destination = GPT, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = write_prompt(Prompt(turns or (HELLO,), **fields), to)
    return json.loads(found.body), found.dropped


def items(*turns: Turn) -> list[Any]:
    found: list[Any] = written(*turns)[0]["input"]
    return found


def test_nothing_is_kept_at_the_provider_and_thoughts_can_come_back() -> None:
    body, dropped = written()

    assert body == {
        "model": "gpt-5",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}],
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    assert dropped == ()


@pytest.mark.parametrize("model", ["gpt-4o", "openai/gpt-4.1", "chatgpt-4o-latest"])
def test_a_model_without_thoughts_is_not_asked_for_them(model: str) -> None:
    body, dropped = written(to=Destination(model), reasoning=Reasoning(effort="high"))

    assert "include" not in body and "reasoning" not in body
    assert dropped == ("reasoning",)


@pytest.mark.parametrize(
    ("model", "effort", "sent", "names"),
    [
        ("gpt-5", "", {}, ("temperature", "top_logprobs")),
        ("gpt-5", "none", {"temperature": 0.5, "top_p": 1, "top_logprobs": 0}, ()),
        ("gpt-4o", "", {"temperature": 0.5, "top_p": 1, "top_logprobs": 0}, ()),
    ],
)
def test_how_to_sample_is_told_to_models_that_take_it(
    model: str, effort: str, sent: dict[str, Any], names: tuple[str, ...]
) -> None:
    body, dropped = written(
        to=Destination(model), temperature=0.5, top_p=1.0, top_logprobs=0, reasoning=Reasoning(effort=effort)
    )

    assert {name: body[name] for name in ("temperature", "top_p", "top_logprobs") if name in body} == sent
    assert ("message.output_text.logprobs" in body.get("include", [])) is bool(sent)
    assert tuple(name for name in dropped if name != "reasoning") == names


def test_one_system_prompt_becomes_the_instructions() -> None:
    body, _ = written(Turn(Role.SYSTEM, (Text("Be brief."),)), HELLO)

    assert (body["instructions"], len(body["input"])) == ("Be brief.", 1)


@pytest.mark.parametrize(
    "turns",
    [
        (Turn(Role.SYSTEM, (Text("a"),)), Turn(Role.DEVELOPER, (Text("b"),)), HELLO),
        (Turn(Role.DEVELOPER, (Text("a"),)), HELLO),
        (Turn(Role.SYSTEM, (Text("a"), Text("b"))), HELLO),
        (HELLO, Turn(Role.SYSTEM, (Text("a"),))),
        (Turn(Role.SYSTEM, (Text("a"),)),),
    ],
)
def test_any_other_system_prompts_stay_in_their_place(turns: tuple[Turn, ...]) -> None:
    body, _ = written(*turns)

    assert "instructions" not in body
    assert [item["role"] for item in body["input"]] == [turn.role.value for turn in turns]


def test_results_stand_for_themselves_before_what_the_user_says() -> None:
    turn = Turn(
        Role.USER,
        (
            ToolResult("a", (Text("sunny"),)),
            ToolResult("b", (Text("x"), Image(data="aGk=", media_type="image/png"))),
            ToolResult("c", ()),
            Text("And now?"),
        ),
    )

    assert items(Turn(Role.ASSISTANT, (ToolCall("c", "patch", "x", is_custom=True),)), turn)[1:] == [
        {"type": "function_call_output", "call_id": "a", "output": "sunny"},
        {
            "type": "function_call_output",
            "call_id": "b",
            "output": [
                {"type": "input_text", "text": "x"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,aGk="},
            ],
        },
        {"type": "custom_tool_call_output", "call_id": "c", "output": ""},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
    ]


def test_the_assistant_s_parts_keep_their_order() -> None:
    turn = Turn(
        Role.ASSISTANT,
        (
            Thinking("hm", "proof", HERE, "rs_1"),
            Text("I look."),
            Refusal("Not that."),
            ToolCall("a", "weather", ""),
            Text("So."),
        ),
    )

    assert items(HELLO, turn)[1:] == [
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "proof",
        },
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "Not that."}]},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
        {"type": "message", "role": "assistant", "content": "So."},
    ]


@pytest.mark.parametrize(
    "thought",
    [
        Thinking("hm", "sig", ApiFormat.ANTHROPIC_MESSAGES),
        Thinking("hm"),
        Thinking("hm", "", HERE, "rs_1"),
    ],
)
def test_thoughts_of_others_are_left_out_by_name(thought: Thinking) -> None:
    body, dropped = written(HELLO, Turn(Role.ASSISTANT, (thought, Text("x"))))

    assert (len(body["input"]), dropped) == (2, ("thinking",))


def test_a_thought_that_nothing_follows_is_left_out() -> None:
    body, dropped = written(HELLO, Turn(Role.ASSISTANT, (Text("x"), Thinking("", "proof", HERE, "rs_1"))))

    assert (len(body["input"]), dropped) == (2, ("thinking",))


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (Image(url="https://a.test/b"), {"type": "input_image", "detail": "auto", "image_url": "https://a.test/b"}),
        (Image(file_id="f", detail="low"), {"type": "input_image", "detail": "low", "file_id": "f"}),
        (File(url="https://a.test/b"), {"type": "input_file", "file_url": "https://a.test/b"}),
        (File(file_id="f", name="n"), {"type": "input_file", "file_id": "f", "filename": "n"}),
        (
            File(data="aGk=", media_type="application/pdf"),
            {"type": "input_file", "filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="},
        ),
    ],
)
def test_pictures_and_files(part: Part, content: dict[str, Any]) -> None:
    assert items(Turn(Role.USER, (part,)))[0]["content"] == [content]


def test_tools_are_not_strict_unless_it_was_asked_for() -> None:
    body = write_prompt(Prompt((HELLO,), tools=(TOOL, replace(TOOL, is_strict=True), Tool("bare"))), GPT).body
    tools = json.loads(body)["tools"]

    assert [tool["strict"] for tool in tools] == [False, True, False]
    assert tools[2]["parameters"] == {"type": "object", "properties": {}}
    assert bytes(SCHEMA) in body


def test_a_grammar_of_chat_completions_is_written_flat() -> None:
    grammar = msgspec.Raw(b'{"type":"grammar","grammar":{"syntax":"lark","definition":"a"}}')
    body, _ = written(tools=(Tool("patch", is_custom=True, grammar=grammar),))

    assert body["tools"] == [
        {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}}
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(ChoiceMode.REQUIRED), "required"),
        (ToolChoice(ChoiceMode.NONE), "none"),
        (ToolChoice(ChoiceMode.NAMED, "weather"), {"type": "function", "name": "weather"}),
        (ToolChoice(ChoiceMode.NAMED, "patch"), {"type": "custom", "name": "patch"}),
        (
            ToolChoice(ChoiceMode.AUTO, allowed=("weather", "patch")),
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "weather"}, {"type": "custom", "name": "patch"}],
            },
        ),
    ],
)
def test_choices_of_tools(choice: ToolChoice, sent: Any) -> None:
    body, _ = written(tools=(TOOL, Tool("patch", is_custom=True)), tool_choice=choice, parallel_tool_calls=False)

    assert (body["tool_choice"], body["parallel_tool_calls"]) == (sent, False)


def test_without_tools_there_is_no_choice() -> None:
    body, _ = written(tool_choice=ToolChoice(ChoiceMode.AUTO), parallel_tool_calls=True)

    assert "tool_choice" not in body and "parallel_tool_calls" not in body


@pytest.mark.parametrize(
    ("turn", "fields", "param"),
    [
        (HELLO, {"stop": ("END",)}, "stop"),
        (HELLO, {"tool_choice": ToolChoice(ChoiceMode.REQUIRED)}, "tool_choice"),
        (Turn(Role.USER, (Audio("aGk=", "audio/wav"),)), {}, "messages.audio"),
    ],
)
def test_what_would_change_the_meaning_is_refused(turn: Turn, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(NotTranslatable) as refusal:
        written(turn, **fields)
    assert refusal.value.param == param


@pytest.mark.parametrize(("asked", "sent", "dropped"), [(1, 16, True), (500, 500, False), (5000, 1000, True)])
def test_limits_are_those_that_the_provider_takes(asked: int, sent: int, dropped: bool) -> None:
    body, names = written(max_tokens=asked)

    assert (body["max_output_tokens"], "max_tokens" in names) == (sent, dropped)


def test_a_schema_for_the_answer_keeps_its_text() -> None:
    shape = Shape(ShapeKind.JSON_SCHEMA, "", SCHEMA, is_strict=True, description="d")
    body = write_prompt(Prompt((HELLO,), shape=shape, verbosity="low"), GPT).body

    assert bytes(SCHEMA) in body
    assert json.loads(body)["text"]["format"] | {"schema": None} == {
        "type": "json_schema",
        "name": "answer",
        "schema": None,
        "description": "d",
        "strict": True,
    }


@pytest.mark.parametrize(
    ("reasoning", "sent"),
    [
        (Reasoning(effort="low"), {"effort": "low"}),
        (Reasoning(budget=30000), {"effort": "high"}),
        (Reasoning(budget=0, is_shown=True), {"effort": "none"}),
        (Reasoning(effort="high", is_shown=True), {"effort": "high", "summary": "auto"}),
        (Reasoning(summary="detailed"), {"summary": "detailed"}),
        (Reasoning(), None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, sent: Any) -> None:
    assert written(reasoning=reasoning)[0].get("reasoning") == sent


def test_long_names_are_hashed_for_they_would_be_refused() -> None:
    body, _ = written(user="u" * 200, cache_key="short")

    assert len(body["user"]) <= 64
    assert body["user"] == written(user="u" * 200)[0]["user"] != written(user="v" * 200)[0]["user"]
    assert body["prompt_cache_key"] == "short"


def test_what_cannot_be_carried_is_named() -> None:
    turns = (
        Turn(Role.USER, (Text("x", cache="5m"), ToolResult("a", (), is_error=True)), name="ann"),
        Turn(Role.ASSISTANT, (Image(url="x"),)),
    )
    _, dropped = written(
        *turns,
        top_k=1,
        seed=1,
        presence_penalty=0.0,
        frequency_penalty=1.0,
        tools=(replace(TOOL, cache="1h"),),
        extras={"store": msgspec.Raw(b"true"), "strange": msgspec.Raw(b"1")},
    )

    assert dropped == (
        "frequency_penalty",
        "messages.assistant.image",
        "messages.cache_control",
        "messages.is_error",
        "messages.name",
        "presence_penalty",
        "seed",
        "store",
        "strange",
        "tools.cache_control",
        "top_k",
    )


def again(prompt: Prompt) -> Prompt:
    return read_prompt(read_request(Asked(write_prompt(prompt, Destination("gpt-oss")).body)))


def settled(prompt: Prompt) -> Prompt:
    """Without what has more than one way to be said."""
    return replace(prompt, parallel_tool_calls=None, tool_choice=None) if not prompt.tools else prompt


def ends_well(turn: Turn) -> bool:
    return not isinstance(turn.parts[-1], Thinking)


@given(BODIES)
@settings(max_examples=100)
def test_what_is_written_says_what_was_read(body: dict[str, Any]) -> None:
    prompt = read_prompt(read_request(Asked(json.dumps(body).encode())))
    if not all(ends_well(turn) for turn in prompt.turns):
        return

    found = again(prompt)

    assert spelled(found) == spelled(settled(prompt))
    assert again(found) == found


def spelled(prompt: Prompt) -> str:
    return repr(replace(prompt, tools=(), shape=None, metadata=None, extras={})) + repr(
        [
            compact(value)
            for value in (
                *(tool.schema for tool in prompt.tools),
                *(tool.grammar for tool in prompt.tools),
                prompt.metadata,
                *prompt.extras.values(),
                prompt.shape and prompt.shape.schema,
            )
        ]
    )


def compact(value: msgspec.Raw | None) -> Any:
    return None if value is None else json.loads(bytes(value))


@given(BODIES)
@settings(max_examples=60)
def test_the_official_types_take_what_is_written(body: dict[str, Any]) -> None:
    prompt = read_prompt(read_request(Asked(json.dumps(body).encode())))

    sent = json.loads(write_prompt(prompt, Destination("gpt-oss")).body)

    BODY.validate_python({**sent, "input": [returned(item) for item in sent["input"]]})


def returned(item: dict[str, Any]) -> dict[str, Any]:
    """A refusal as the provider had sent it: the type wants its id, which is not ours to invent."""
    if item.get("role") == "assistant" and isinstance(item["content"], list):
        return {**item, "id": "msg_1", "status": "completed"}
    return item


class _Body(response_create_params.ResponseCreateParamsBase, total=False):
    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    stream: bool


BODY: TypeAdapter[Any] = TypeAdapter(_Body)
