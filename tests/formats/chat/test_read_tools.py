from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import ChoiceMode, Tool, ToolChoice
from tests.formats.chat.asking import asked


def test_functions_and_tools_for_free_text_are_read() -> None:
    prompt = asked(
        tools=[
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}, "strict": True}},
            {"type": "function", "function": {"name": "g"}, "cache_control": {"type": "ephemeral"}},
            {"type": "custom", "custom": {"name": "h", "format": {"type": "text"}}},
        ],
        functions=[{"name": "old", "parameters": {}}],
    )

    assert prompt.tools == (
        Tool("f", "d", msgspec.Raw(b"{}"), is_strict=True),
        Tool("g", cache="5m"),
        Tool("h", is_custom=True, grammar=msgspec.Raw(b'{"type":"text"}')),
        Tool("old", schema=msgspec.Raw(b"{}")),
    )


def test_tools_of_the_providers_own_are_named_as_lost() -> None:
    prompt = asked(tools=[{"type": "web_search"}])

    assert (prompt.tools, prompt.lost) == ((), ("tools.web_search",))


@pytest.mark.parametrize(
    ("given", "choice"),
    [
        (None, None),
        ("auto", ToolChoice(ChoiceMode.AUTO)),
        ("none", ToolChoice(ChoiceMode.NONE)),
        ("required", ToolChoice(ChoiceMode.REQUIRED)),
        ("any", ToolChoice(ChoiceMode.REQUIRED)),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice(ChoiceMode.NAMED, "f")),
        ({"type": "custom", "custom": {"name": "f"}}, ToolChoice(ChoiceMode.NAMED, "f")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
            ToolChoice(ChoiceMode.REQUIRED, allowed=("f",)),
        ),
        ({"type": "allowed_tools", "allowed_tools": {"tools": []}}, ToolChoice(ChoiceMode.NONE)),
    ],
)
def test_the_choice_among_tools_is_read(given: Any, choice: ToolChoice | None) -> None:
    assert asked(tool_choice=given).tool_choice == choice


def test_the_older_field_says_the_same() -> None:
    assert asked(function_call="auto").tool_choice == ToolChoice(ChoiceMode.AUTO)
    assert asked(function_call={"name": "f"}).tool_choice == ToolChoice(ChoiceMode.NAMED, "f")


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ("sometimes", "tool_choice"),
        ({"type": "web_search"}, "tool_choice"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "mcp"}]}},
            "tool_choice.allowed_tools.tools[0].type",
        ),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "x"}}, "tool_choice.allowed_tools.mode"),
    ],
)
def test_a_choice_that_forces_what_is_not_there_is_refused(given: Any, param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        asked(tool_choice=given)

    assert caught.value.param == param
