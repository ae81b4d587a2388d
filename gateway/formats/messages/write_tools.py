"""Tools and the choice among them, written as Anthropic Messages has them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.body import Fields
from gateway.formats.intermediate import ChoiceMode, Prompt, Tool, ToolCall, ToolChoice, Turn
from gateway.formats.messages.custom_tools import marked_name, schema_for
from gateway.formats.messages.schemas import held_to
from gateway.formats.messages.write_blocks import with_cache

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_OBJECT = msgspec.json.Decoder(Fields)
_ANY_OBJECT = msgspec.Raw(b'{"type":"object","properties":{}}')
_TYPE = msgspec.Raw(b'"object"')
_TYPES = {ChoiceMode.AUTO: "auto", ChoiceMode.REQUIRED: "any", ChoiceMode.NAMED: "tool", ChoiceMode.NONE: "none"}


def tool_fields(prompt: Prompt, dropped: set[str]) -> dict[str, Any]:
    """The members `tools` and `tool_choice`, as far as they are needed."""
    tools = _allowed(prompt)
    if not tools:
        return _remembered(prompt)
    written = [_tool(tool, dropped) for tool in tools]
    choice = _choice(prompt.tool_choice, prompt.parallel_tool_calls, tools)
    return {"tools": written, **({"tool_choice": choice} if choice else {})}


def _allowed(prompt: Prompt) -> tuple[Tool, ...]:
    """The tools that may be called: Anthropic cannot be told to choose among some of those it is given."""
    allowed = prompt.tool_choice.allowed if prompt.tool_choice else ()
    tools = tuple(tool for tool in prompt.tools if not allowed or tool.name in allowed)
    mode = prompt.tool_choice.mode if prompt.tool_choice else ChoiceMode.AUTO
    if mode is ChoiceMode.REQUIRED and not tools:
        raise NotTranslatable("A tool must be called, and there is none.", "tool_choice")
    if mode is ChoiceMode.NAMED and all(tool.name != (prompt.tool_choice or _ANYTHING).name for tool in tools):
        raise NotTranslatable("The tool that must be called is not among the tools.", "tool_choice")
    return tools


_ANYTHING = ToolChoice(ChoiceMode.AUTO)


def _remembered(prompt: Prompt) -> dict[str, Any]:
    """Calls in the conversation need their tools to be there; those that are no more may not be called again."""
    names = dict.fromkeys(_called(prompt.turns))
    if not names:
        return {}
    return {
        "tools": [{"name": name, "input_schema": _ANY_OBJECT} for name in names],
        "tool_choice": {"type": "none"},
    }


def _called(turns: Iterable[Turn]) -> Iterable[str]:
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                yield marked_name(part.name) if part.is_custom else part.name


def _tool(tool: Tool, dropped: set[str]) -> dict[str, Any]:
    name = marked_name(tool.name) if tool.is_custom else tool.name
    if not _NAME.fullmatch(name):
        raise NotTranslatable(f"Anthropic takes no tool with the name '{tool.name[:100]}'.", "tools")
    if tool.grammar is not None:
        dropped.add("tools.grammar")
    written: dict[str, Any] = {"name": name}
    if tool.description:
        written["description"] = tool.description
    written["input_schema"] = schema_for(tool) if tool.is_custom else _schema(tool, dropped)
    if tool.is_strict is not None and not tool.is_custom:
        written["strict"] = tool.is_strict
    return with_cache(written, tool.cache)


def _schema(tool: Tool, dropped: set[str]) -> msgspec.Raw | Fields:
    """The schema as it is, with the type that Anthropic wants to see where it has none."""
    if tool.schema is None or bytes(tool.schema) == b"null":
        return _ANY_OBJECT
    schema = held_to(tool.schema, "tools.schema", dropped) if tool.is_strict else tool.schema
    try:
        found = _OBJECT.decode(schema)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotTranslatable("The schema of a tool is not an object.", "tools") from None
    return schema if "type" in found else {"type": _TYPE, **found}


def _choice(choice: ToolChoice | None, is_parallel: bool | None, tools: tuple[Tool, ...]) -> dict[str, Any] | None:
    if choice is None and is_parallel is not False:
        return None
    choice = choice or _ANYTHING
    written: dict[str, Any] = {"type": _TYPES[choice.mode]}
    if choice.mode is ChoiceMode.NAMED:
        is_custom = any(tool.is_custom for tool in tools if tool.name == choice.name)
        written["name"] = marked_name(choice.name) if is_custom else choice.name
    if is_parallel is not None and choice.mode is not ChoiceMode.NONE:
        written["disable_parallel_tool_use"] = not is_parallel
    return written
