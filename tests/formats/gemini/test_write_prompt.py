from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given, settings
from msgspec.structs import replace

from gateway.errors import NotTranslatable
from gateway.formats.gemini.write_prompt import write_prompt
from gateway.formats.intermediate import (
    ChoiceMode,
    Destination,
    Prompt,
    Reasoning,
    Role,
    Shape,
    ShapeKind,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from tests.formats.gemini.asking import prompts

HELLO = Prompt((Turn(Role.USER, (Text("hello"),)),))
F, FREE = Tool("f", schema=msgspec.Raw(b'{"type":"object"}')), Tool("g", is_custom=True)


def body_of(prompt: Prompt, model: str = "gemini-2.5-flash", limit: int | None = None) -> Any:
    return msgspec.json.decode(write_prompt(prompt, Destination(model, limit)).body)


def dropped(model: str = "gemini-2.5-flash", **fields: Any) -> tuple[str, ...]:
    return write_prompt(replace(HELLO, **fields), Destination(model)).dropped


def test_a_greeting_is_nothing_but_its_contents() -> None:
    assert body_of(HELLO) == {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}


def test_schemas_go_whole_under_the_names_of_full_ones() -> None:
    schema = msgspec.Raw(b'{"type":["object","null"],"x":1180591620717411303424}')
    prompt = replace(HELLO, tools=(Tool("f", "d", schema),), shape=Shape(ShapeKind.JSON_SCHEMA, "n", schema))

    body = write_prompt(prompt, Destination("m")).body

    assert body.count(bytes(schema)) == 2
    told = msgspec.json.decode(body.replace(b"1180591620717411303424", b"1"))
    assert told["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"]["x"] == 1
    assert told["generationConfig"]["responseMimeType"] == "application/json"
    assert "responseJsonSchema" in told["generationConfig"]


def test_a_tool_for_free_text_has_one_property_and_a_marked_name() -> None:
    told = body_of(replace(HELLO, tools=(FREE,), tool_choice=ToolChoice(ChoiceMode.NAMED, "g")))

    (declared,) = told["tools"][0]["functionDeclarations"]
    assert declared["name"] == "g__free_text"
    assert list(declared["parametersJsonSchema"]["properties"]) == ["input"]
    assert told["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == ["g__free_text"]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (ToolChoice(ChoiceMode.AUTO), {"mode": "AUTO"}),
        (ToolChoice(ChoiceMode.NONE), {"mode": "NONE"}),
        (ToolChoice(ChoiceMode.REQUIRED), {"mode": "ANY"}),
        (ToolChoice(ChoiceMode.NAMED, "f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice(ChoiceMode.REQUIRED, allowed=("f",)), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
        (ToolChoice(ChoiceMode.AUTO, allowed=("f",)), {"mode": "VALIDATED", "allowedFunctionNames": ["f"]}),
    ],
)
def test_the_choice_among_tools_is_written(choice: ToolChoice, config: dict[str, Any]) -> None:
    told = body_of(replace(HELLO, tools=(F,), tool_choice=choice))

    assert told["toolConfig"] == {"functionCallingConfig": config}


def test_a_choice_without_tools_says_nothing_or_is_refused() -> None:
    assert "toolConfig" not in body_of(replace(HELLO, tool_choice=ToolChoice(ChoiceMode.AUTO)))
    with pytest.raises(NotTranslatable) as caught:
        body_of(replace(HELLO, tool_choice=ToolChoice(ChoiceMode.REQUIRED)))
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("reasoning", "config"),
    [
        (Reasoning(effort="none"), {"thinkingBudget": 0}),
        (Reasoning(effort="medium"), {"thinkingBudget": 8192, "includeThoughts": True}),
        (Reasoning(budget=2000, is_shown=False), {"thinkingBudget": 2000, "includeThoughts": False}),
        (Reasoning(is_shown=True), {"includeThoughts": True}),
    ],
)
def test_how_much_to_think_becomes_a_budget(reasoning: Reasoning, config: dict[str, Any]) -> None:
    assert body_of(replace(HELLO, reasoning=reasoning))["generationConfig"]["thinkingConfig"] == config


def test_a_budget_that_the_model_does_not_take_is_changed_and_named() -> None:
    assert dropped("gemini-2.5-pro", reasoning=Reasoning(effort="none")) == ("reasoning_effort",)
    assert dropped("gemini-2.5-pro", reasoning=Reasoning(effort="high")) == ()


def test_limits_are_those_of_the_model() -> None:
    assert body_of(replace(HELLO, max_tokens=500), limit=100)["generationConfig"] == {"maxOutputTokens": 100}
    assert dropped(max_tokens=500) == ()
    with pytest.raises(NotTranslatable) as caught:
        body_of(replace(HELLO, stop=tuple("abcdef")))
    assert caught.value.param == "stop"


def test_what_gemini_has_no_place_for_is_named() -> None:
    assert dropped(
        user="u",
        cache_key="k",
        verbosity="low",
        metadata=msgspec.Raw(b"{}"),
        service_tier="scale",
        extras={"store": msgspec.Raw(b"true")},
        tools=(replace(F, is_strict=True, cache="5m"),),
        parallel_tool_calls=False,
        seed=2**40,
        shape=Shape(ShapeKind.JSON_SCHEMA, description="d"),
    ) == (
        *("metadata", "parallel_tool_calls", "prompt_cache_key", "response_format.description", "seed"),
        *("service_tier", "store", "tools.cache_control", "tools.strict", "user", "verbosity"),
    )


@settings(max_examples=60)
@given(prompts())
def test_googles_types_read_every_request(prompt: Prompt) -> None:
    told = body_of(prompt)

    for content in told["contents"]:
        types.Content.model_validate(content)
    for tool in told.get("tools", []):
        types.Tool.model_validate(tool)
    types.GenerationConfig.model_validate(told.get("generationConfig", {}))
    types.ToolConfig.model_validate(told.get("toolConfig", {}))
    roles = [content["role"] for content in told["contents"]]
    assert all(before != after for before, after in zip(roles, roles[1:], strict=False))
