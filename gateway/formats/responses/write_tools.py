"""OpenAI Responses: tools and the choice among them, as they stand in a request."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.body import Fields
from gateway.formats.intermediate import ChoiceMode, Prompt, Tool, ToolChoice

Body = dict[str, Any]

_NO_ARGUMENTS = msgspec.Raw(b'{"type":"object","properties":{}}')
_FIELDS = msgspec.json.Decoder(Fields)


def written_tools(prompt: Prompt, dropped: set[str]) -> Body:
    """Without tools there is nothing to choose among, and a choice is refused then.

    Raises NotTranslatable where a tool must be called and there is none.
    """
    choice = prompt.tool_choice
    if not prompt.tools:
        if choice is not None and choice.mode in (ChoiceMode.REQUIRED, ChoiceMode.NAMED):
            raise NotTranslatable("No tool that could be called is left for the model.", "tool_choice")
        return {}
    fields: Body = {"tools": [_tool(tool, dropped) for tool in prompt.tools]}
    if choice is not None:
        fields["tool_choice"] = _choice(choice, {tool.name for tool in prompt.tools if tool.is_custom})
    if prompt.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = prompt.parallel_tool_calls
    return fields


def _tool(tool: Tool, dropped: set[str]) -> Body:
    if tool.cache:
        dropped.add("tools.cache_control")
    written: Body = {"type": "custom" if tool.is_custom else "function", "name": tool.name}
    if tool.description:
        written["description"] = tool.description
    if tool.is_custom:
        return written if tool.grammar is None else {**written, "format": _format(tool.grammar)}
    written["parameters"] = _NO_ARGUMENTS if tool.schema is None else tool.schema
    # Where this is missing here, the schema is made strict: the other formats mean that it is not.
    written["strict"] = bool(tool.is_strict)
    return written


def _format(grammar: msgspec.Raw) -> Any:
    """Here the rules of a grammar stand beside its type, in chat completions in an object of their own."""
    try:
        fields = _FIELDS.decode(grammar)
        rules = _FIELDS.decode(fields.pop("grammar")) if "grammar" in fields else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return grammar
    return {**fields, **rules}


def _choice(choice: ToolChoice, custom: set[str]) -> str | Body:
    if choice.mode is ChoiceMode.NAMED:
        return _reference(choice.name, custom)
    if not choice.allowed or choice.mode is ChoiceMode.NONE:
        return choice.mode.value
    allowed = [_reference(name, custom) for name in choice.allowed]
    return {"type": "allowed_tools", "mode": choice.mode.value, "tools": allowed}


def _reference(name: str, custom: set[str]) -> Body:
    return {"type": "custom" if name in custom else "function", "name": name}
