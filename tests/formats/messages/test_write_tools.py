"""Tools and the choice among them, as Anthropic Messages has them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import ChoiceMode, Prompt, Role, Tool, ToolCall, ToolChoice, Turn
from gateway.formats.messages.write_tools import tool_fields

SCHEMA = msgspec.Raw(b'{"type": "object", "properties": {"n": {"const": 123456789012345678901234567890}}}')
F, G = Tool("f", "Does f", SCHEMA), Tool("g", schema=SCHEMA)
PATCH = Tool("patch", is_custom=True, grammar=msgspec.Raw(b'{"syntax":"lark"}'))


def fields(*tools: Tool, dropped: set[str] | None = None, **prompt: Any) -> dict[str, Any]:
    found = tool_fields(Prompt((), tools=tools, **prompt), set() if dropped is None else dropped)
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return decoded


def names(found: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in found["tools"]]


def test_a_tool_keeps_its_schema_to_the_byte() -> None:
    written = tool_fields(Prompt((), tools=(F,)), set())

    assert msgspec.json.encode(written) == (
        b'{"tools":[{"name":"f","description":"Does f","input_schema":' + bytes(SCHEMA) + b"}]}"
    )


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        (None, {"type": "object", "properties": {}}),
        (msgspec.Raw(b"null"), {"type": "object", "properties": {}}),
        (msgspec.Raw(b"{}"), {"type": "object"}),
        (msgspec.Raw(b'{"properties":{}}'), {"type": "object", "properties": {}}),
        (msgspec.Raw(b'{"type":"string"}'), {"type": "string"}),
    ],
)
def test_a_schema_has_a_type(schema: msgspec.Raw | None, written: dict[str, Any]) -> None:
    assert fields(Tool("f", schema=schema))["tools"] == [{"name": "f", "input_schema": written}]


@pytest.mark.parametrize("is_strict", [True, False])
def test_strictness_and_cache_are_kept(is_strict: bool) -> None:
    (tool,) = fields(Tool("f", schema=SCHEMA, is_strict=is_strict, cache="1h"))["tools"]

    assert tool["strict"] is is_strict
    assert tool["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("choice", "is_parallel", "written"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(ChoiceMode.AUTO), None, {"type": "auto"}),
        (ToolChoice(ChoiceMode.AUTO), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice(ChoiceMode.REQUIRED), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice(ChoiceMode.NAMED, "g"), None, {"type": "tool", "name": "g"}),
        (ToolChoice(ChoiceMode.NAMED, "patch"), None, {"type": "tool", "name": "patch__free_text"}),
        (ToolChoice(ChoiceMode.NONE), False, {"type": "none"}),
    ],
)
def test_the_choice_of_a_tool_is_written(
    choice: ToolChoice | None, is_parallel: bool | None, written: dict[str, Any] | None
) -> None:
    found = fields(F, G, PATCH, tool_choice=choice, parallel_tool_calls=is_parallel)

    assert found.get("tool_choice") == written


def test_the_schema_of_a_strict_tool_is_one_that_can_be_held_to() -> None:
    dropped: set[str] = set()
    schema = msgspec.Raw(b'{"type":"object","properties":{"n":{"type":"integer","minimum":1}}}')

    (tool,) = fields(Tool("f", schema=schema, is_strict=True), dropped=dropped)["tools"]

    assert tool["input_schema"] == {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert dropped == {"tools.schema.minimum"}


def test_only_tools_that_may_be_chosen_are_offered() -> None:
    found = fields(F, G, tool_choice=ToolChoice(ChoiceMode.REQUIRED, allowed=("g", "h")))

    assert names(found) == ["g"]
    assert found["tool_choice"] == {"type": "any"}


def test_a_tool_for_free_text_takes_one_property_under_a_marked_name() -> None:
    dropped: set[str] = set()
    (tool,) = fields(PATCH, dropped=dropped)["tools"]

    assert tool["name"] == "patch__free_text"
    assert list(tool["input_schema"]["properties"]) == ["input"]
    assert dropped == {"tools.grammar"}


def test_without_tools_nothing_is_chosen() -> None:
    assert fields(tool_choice=ToolChoice(ChoiceMode.AUTO), parallel_tool_calls=False) == {}


def test_tools_that_were_called_are_there_and_cannot_be_called_again() -> None:
    calls = (ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}"), ToolCall("3", "patch", "x", is_custom=True))

    found = tool_fields(Prompt((Turn(Role.ASSISTANT, calls),)), set())

    assert names(found) == ["f", "patch__free_text"]
    assert found["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("tools", "choice", "field"),
    [
        ((), ToolChoice(ChoiceMode.REQUIRED), "tool_choice"),
        ((F,), ToolChoice(ChoiceMode.NAMED, "g"), "tool_choice"),
        ((F,), ToolChoice(ChoiceMode.REQUIRED, allowed=("g",)), "tool_choice"),
        ((Tool("a.b"),), None, "tools"),
        ((Tool("x" * 129),), None, "tools"),
        ((Tool("f", schema=msgspec.Raw(b"[]")),), None, "tools"),
    ],
)
def test_what_anthropic_does_not_take_is_refused(
    tools: tuple[Tool, ...], choice: ToolChoice | None, field: str
) -> None:
    with pytest.raises(NotTranslatable) as refused:
        fields(*tools, tool_choice=choice)
    assert refused.value.param == field
