"""Requests in Anthropic Messages, read into the form between formats."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.intermediate import (
    ChoiceMode,
    Prompt,
    Reasoning,
    Role,
    ShapeKind,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.messages.read_prompt import read_prompt
from gateway.formats.messages.surface import read_request
from gateway.formats.request import Asked
from tests.formats.messages.wires import USER, WEATHER, request


def prompt(*messages: Any, **body: Any) -> Prompt:
    return read_prompt(request(*messages, **body))


def test_a_whole_conversation_is_read() -> None:
    call = {"type": "tool_use", "id": "t", "name": "weather", "input": {"place": "Ulm"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "Sunny"}

    found = prompt(
        USER,
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]},
        {"role": "user", "content": [result]},
        {"role": "system", "content": "Be quick."},
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        stream=True,
    )

    assert found.turns == (
        Turn(Role.SYSTEM, (Text("Be brief.", "5m"),)),
        Turn(Role.USER, (Text("Hello"),)),
        Turn(Role.ASSISTANT, (Text("Let me see."), ToolCall("t", "weather", '{"place": "Ulm"}'))),
        Turn(Role.USER, (ToolResult("t", (Text("Sunny"),)),)),
        Turn(Role.SYSTEM, (Text("Be quick."),)),
    )
    assert (found.is_stream, found.max_tokens, found.lost) == (True, 100, ())


def test_sampling_is_read() -> None:
    found = prompt(temperature=0.5, top_p=1, top_k=40, stop_sequences=["a", "b"], metadata={"user_id": "u"})

    assert (found.temperature, found.top_p, found.top_k) == (0.5, 1.0, 40)
    assert (found.stop, found.user, found.lost) == (("a", "b"), "u", ())


@pytest.mark.parametrize(("word", "tier", "lost"), [("auto", "auto", ()), ("standard_only", "default", ())])
def test_tiers_of_service_have_the_words_of_the_other_formats(word: str, tier: str, lost: tuple[str, ...]) -> None:
    assert prompt(service_tier=word).service_tier == tier
    assert prompt(service_tier="gold").lost == ("service_tier",)


def test_tools_are_read_with_their_schema_as_it_came() -> None:
    schema = b'{"type": "object", "properties": {"n": {"maximum": 1e400, "default": 1.50}}}'
    body = (
        b'{"model":"m","messages":[],"tools":[{"name":"f","input_schema":'
        + schema
        + b',"strict":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}]}'
    )

    (tool,) = read_prompt(read_request(Asked(body))).tools

    assert (tool.name, tool.is_strict, tool.cache) == ("f", True, "1h")
    assert tool.schema is not None
    assert bytes(tool.schema) == schema


def test_tools_that_only_anthropic_has_are_lost_by_name() -> None:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}

    found = prompt(tools=[search, {**WEATHER, "type": "custom", "input_examples": [{}]}])

    assert [tool.name for tool in found.tools] == ["weather"]
    assert found.lost == ("tools.input_examples", "tools.web_search_20250305")


@pytest.mark.parametrize(
    ("choice", "read", "is_parallel"),
    [
        ({"type": "auto"}, ToolChoice(ChoiceMode.AUTO), None),
        ({"type": "any"}, ToolChoice(ChoiceMode.REQUIRED), None),
        ({"type": "none"}, ToolChoice(ChoiceMode.NONE), None),
        ({"type": "tool", "name": "weather"}, ToolChoice(ChoiceMode.NAMED, "weather"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice(ChoiceMode.AUTO), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice(ChoiceMode.REQUIRED), True),
        (None, None, None),
    ],
)
def test_the_choice_of_a_tool_is_read(choice: Any, read: ToolChoice | None, is_parallel: bool | None) -> None:
    found = prompt(tools=[WEATHER], tool_choice=choice)

    assert (found.tool_choice, found.parallel_tool_calls) == (read, is_parallel)


def test_without_tools_there_is_nothing_to_choose() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}

    assert prompt(tool_choice={"type": "auto"}).tool_choice is None
    assert prompt(tool_choice={"type": "none"}, tools=[search]).tool_choice is None


@pytest.mark.parametrize(
    "choice", [{"type": "tool", "name": "web_search"}, {"type": "any"}, {"type": "tool", "name": "other"}]
)
def test_a_tool_that_is_lost_cannot_be_forced(choice: dict[str, str]) -> None:
    with pytest.raises(NotTranslatable) as refused:
        prompt(tools=[{"type": "web_search_20250305", "name": "web_search"}], tool_choice=choice)
    assert refused.value.param == "tool_choice"


@pytest.mark.parametrize(
    ("body", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, Reasoning(budget=2000)),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
            Reasoning(budget=2000, is_shown=False),
        ),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "adaptive"}}, Reasoning()),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, Reasoning(is_shown=True)),
        (
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
            Reasoning(effort="xhigh"),
        ),
        ({"output_config": {"effort": "low"}}, Reasoning(effort="low")),
    ],
)
def test_thinking_is_read(body: dict[str, Any], reasoning: Reasoning | None) -> None:
    found = prompt(**body)

    assert (found.reasoning, found.lost) == (reasoning, ())


def test_ways_of_thinking_without_counterpart_are_lost_by_name() -> None:
    assert prompt(thinking={"type": "between_tools"}).lost == ("thinking",)
    assert prompt(thinking={"type": "disabled"}, output_config={"effort": "low"}).lost == ("output_config.effort",)


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_a_schema_for_the_answer_is_read_under_both_names(name: str) -> None:
    wanted = {"type": "json_schema", "schema": {"type": "object"}}

    shape = prompt(**{name: {"format": wanted} if name == "output_config" else wanted}).shape

    assert shape is not None
    assert (shape.kind, shape.schema) == (ShapeKind.JSON_SCHEMA, msgspec.Raw(b'{"type": "object"}'))


def test_fields_without_counterpart_are_lost_by_name() -> None:
    found = prompt(
        container="c",
        mcp_servers=[{}],
        context_management={},
        inference_geo="eu",
        speed=None,
        cache_control={"type": "ephemeral"},
        metadata={"user_id": None, "team": "x"},
        output_config={"task_budget": {"type": "tokens", "total": 1}},
    )

    assert found.lost == (
        *("cache_control", "container", "context_management", "inference_geo", "mcp_servers", "metadata.team"),
        "output_config.task_budget",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": [{"type": "image"}]}]}, "messages[0].content[0].type"),
        ({"tool_choice": {"type": "maybe"}}, "tool_choice.type"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format.type"),
        ({"max_tokens": 0}, "max_tokens"),
    ],
)
def test_what_cannot_be_said_elsewhere_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(NotTranslatable) as refused:
        prompt(**body)
    assert refused.value.param == field


RESULT = {"type": "tool_result", "tool_use_id": "t"}
CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": [RESULT]}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [CALL]}]}, "messages[0]"),
        ({"temperature": "hot"}, "temperature"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"tools": [{"description": "x"}]}, "tools[0].name"),
        ({"tools": {}}, "tools"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {}}, "thinking.type"),
        ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(body: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refused:
        prompt(**body)
    assert refused.value.param == field


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.sampled_from(["user", "text", "auto"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "role", "content", "text", "name", "source", "x"]), inner)
    ),
    max_leaves=12,
)
NAMES = ["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata", "stop_sequences"]


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(NAMES), JSON))
def test_nothing_makes_the_reader_raise_anything_but_its_own_errors(body: dict[str, Any]) -> None:
    sent = json.dumps({"model": "m", "messages": [USER], **body}).encode()
    try:
        assert read_prompt(read_request(Asked(sent))).turns is not None
    except BadInput as refused:
        assert refused.param
