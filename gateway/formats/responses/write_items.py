"""Turns written as items of a conversation in OpenAI Responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.formats.intermediate import Part, Refusal, Role, Text, Thinking, ToolCall, ToolResult, Turn
from gateway.formats.responses.content import written_content
from gateway.formats.responses.thoughts import can_return, reasoning_item

Item = dict[str, Any]


def instructions_of(turns: Sequence[Turn]) -> str:
    """The one text that a conversation begins with as its system prompt; empty where there is not just that."""
    systems = [turn for turn in turns if turn.role in (Role.SYSTEM, Role.DEVELOPER)]
    if len(systems) != 1 or systems[0] is not turns[0] or len(turns) == 1 or turns[0].role is not Role.SYSTEM:
        return ""
    parts = turns[0].parts
    return parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else ""


def written_items(turns: Sequence[Turn], dropped: set[str]) -> list[Item]:
    """Ids of items are the provider's to give: only those that it gave to its thoughts are there."""
    custom = {part.id for turn in turns for part in turn.parts if isinstance(part, ToolCall) and part.is_custom}
    items: list[Item] = []
    for turn in turns:
        if turn.name:
            dropped.add("messages.name")
        if turn.role is Role.ASSISTANT:
            items += _assistant(turn.parts, dropped)
        else:
            items += _asked(turn, custom, dropped)
    return items


def _asked(turn: Turn, custom: set[str], dropped: set[str]) -> list[Item]:
    items: list[Item] = []
    held: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            items += _message(turn.role, held, dropped)
            held = []
            items.append(_result(part, part.is_custom or part.call_id in custom, dropped))
        else:
            held.append(part)
    return items + _message(turn.role, held, dropped)


def _message(role: Role, parts: Sequence[Part], dropped: set[str]) -> list[Item]:
    content = written_content(tuple(parts), dropped)
    return [{"type": "message", "role": role.value, "content": content}] if content else []


def _result(part: ToolResult, is_custom: bool, dropped: set[str]) -> Item:
    if part.is_error:
        dropped.add("messages.is_error")
    if part.cache:
        dropped.add("messages.cache_control")
    content = written_content(part.parts, dropped)
    output: str | list[Item] = content
    if not content:
        output = ""
    elif len(content) == 1 and content[0]["type"] == "input_text":
        output = content[0]["text"]
    kind = "custom_tool_call_output" if is_custom else "function_call_output"
    return {"type": kind, "call_id": part.call_id, "output": output}


def _assistant(parts: Sequence[Part], dropped: set[str]) -> list[Item]:
    items: list[Item] = []
    for position, part in enumerate(parts):
        if isinstance(part, Text | Refusal):
            items.append(_words(part, dropped))
        elif isinstance(part, ToolCall):
            items.append(_call(part))
        elif isinstance(part, Thinking):
            # A thought that nothing follows is refused.
            if can_return(part) and any(not isinstance(later, Thinking) for later in parts[position + 1 :]):
                items.append(reasoning_item(part, part.id))
            else:
                dropped.add("thinking")
        else:
            dropped.add(f"messages.assistant.{type(part).__name__.lower()}")
    return items


def _words(part: Text | Refusal, dropped: set[str]) -> Item:
    """A message of its own: one with parts would need an id."""
    message: Item = {"type": "message", "role": "assistant"}
    if isinstance(part, Refusal):
        return {**message, "content": [{"type": "refusal", "refusal": part.text}]}
    if part.cache:
        dropped.add("messages.cache_control")
    return {**message, "content": part.text}


def _call(part: ToolCall) -> Item:
    if part.is_custom:
        return {"type": "custom_tool_call", "call_id": part.id, "name": part.name, "input": part.arguments}
    return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments or "{}"}
