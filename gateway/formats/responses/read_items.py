"""Items of a conversation in OpenAI Responses, read into turns.

Every item there stands for itself; what follows one another of the same side becomes one turn, as far as it is made
of thoughts, answers and calls of tools, or of their results.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.intermediate import Part, Role, Text, ToolCall, ToolResult, Turn
from gateway.formats.members import Members, is_text, objects_at, text_at
from gateway.formats.responses.content import content_of
from gateway.formats.responses.names import flat
from gateway.formats.responses.thoughts import thinking_of

_ROLES = {"user": Role.USER, "system": Role.SYSTEM, "developer": Role.DEVELOPER, "assistant": Role.ASSISTANT}
_KEPT_ELSEWHERE = frozenset({"item_reference", "compaction", "compaction_trigger", "context_compaction"})
"""Items that only their provider can read: without them the conversation is another one."""
_WITHOUT_PLACE = frozenset(
    {
        *("mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "tool_search_output"),
        *("program", "program_output", "configuration_update"),
    }
)
_THOUGHT_ID = "rs_"
"""How the ids of thoughts begin. One that stays with another provider is lost as those without a proof are."""
_OF_TOOLS = ("_call", "_call_output")
"""What tools of the provider did ends in one of these: web_search_call, computer_call_output and many more."""
ADDITIONAL_TOOLS = "additional_tools"


def read_items(body: Members, lost: set[str]) -> tuple[Turn, ...]:
    """The turns of `input`: text of a user, or a list of items."""
    found = body.raw("input")
    if found is None:
        return ()
    if is_text(found):
        return (Turn(Role.USER, (Text(text_at(found, "input")),)),)
    turns: list[Turn] = []
    for item in objects_at(found, "input"):
        turn = _turn(item, lost)
        if turn is not None:
            _add(turns, turn)
    return tuple(turns)


def items_of_type(body: Members, kind: str) -> list[Members]:
    """Those items of `input` that are of this type."""
    found = body.raw("input")
    if found is None or is_text(found):
        return []
    return [item for item in objects_at(found, "input") if kind_of(item) == kind]


def kind_of(item: Members) -> str:
    """An item without a type is a message where it has a role, and otherwise a reference."""
    return item.text("type") or ("message" if item.has("role") else "item_reference")


def _add(turns: list[Turn], turn: Turn) -> None:
    before = turns[-1] if turns else None
    if before is not None and before.role is turn.role and (turn.role is Role.ASSISTANT or _is_result(before, turn)):
        turns[-1] = Turn(turn.role, before.parts + turn.parts)
    else:
        turns.append(turn)


def _is_result(*turns: Turn) -> bool:
    return all(isinstance(part, ToolResult) for turn in turns for part in turn.parts)


def _turn(item: Members, lost: set[str]) -> Turn | None:
    kind = kind_of(item)
    if kind == "message":
        return _message(item, lost)
    read = _ITEMS.get(kind)
    if read is not None:
        role = Role.USER if kind.endswith("_output") else Role.ASSISTANT
        return Turn(role, (read(item, lost),))
    if kind in _KEPT_ELSEWHERE and not _is_thought(kind, item):
        raise NotTranslatable(f"What an item of type '{kind}' stands for is known to its provider only.", item.place)
    if kind == ADDITIONAL_TOOLS:
        return None
    if kind not in _WITHOUT_PLACE | _KEPT_ELSEWHERE and not kind.endswith(_OF_TOOLS):
        raise NotTranslatable(f"An item of type '{kind[:50]}' has no counterpart.", item.where("type"))
    lost.add(f"input.{kind}")
    return None


def _is_thought(kind: str, item: Members) -> bool:
    return kind == "item_reference" and item.text("id").startswith(_THOUGHT_ID)


_OF_MESSAGES = frozenset({"type", "role", "content", "id", "status"})


def _message(item: Members, lost: set[str]) -> Turn:
    role = _ROLES.get(item.needed_text("role"))
    if role is None:
        raise NotTranslatable("The role of a message is not known.", item.where("role"))
    lost.update(f"input.{name}" for name in item.fields if name not in _OF_MESSAGES and item.has(name))
    return Turn(role, content_of(item, "content", lost))


def _reasoning(item: Members, lost: set[str]) -> Part:
    content = [part.text("text") for part in item.objects("content")]
    summary = [part.text("text") for part in item.objects("summary")]
    return thinking_of(content, summary, item.text("encrypted_content"), item.text("id"))


def _name(item: Members) -> str:
    return flat(item.text("namespace"), item.needed_text("name"))


def _function_call(item: Members, lost: set[str]) -> Part:
    return ToolCall(item.needed_text("call_id"), _name(item), item.text("arguments"))


def _custom_tool_call(item: Members, lost: set[str]) -> Part:
    return ToolCall(item.needed_text("call_id"), _name(item), item.text("input"), is_custom=True)


def _function_call_output(item: Members, lost: set[str]) -> Part:
    return _result(item, lost)


def _custom_tool_call_output(item: Members, lost: set[str]) -> Part:
    return _result(item, lost, is_custom=True)


def _result(item: Members, lost: set[str], *, is_custom: bool = False) -> Part:
    if not item.has("output"):
        place = item.where("output")
        raise BadInput(f"The field '{place}' is missing.", param=place, code="missing_required_parameter")
    parts = content_of(item, "output", lost) or (Text(""),)
    return ToolResult(item.needed_text("call_id"), parts, is_custom=is_custom)


_ITEMS: dict[str, Callable[[Members, set[str]], Part]] = {
    "reasoning": _reasoning,
    "function_call": _function_call,
    "function_call_output": _function_call_output,
    "custom_tool_call": _custom_tool_call,
    "custom_tool_call_output": _custom_tool_call_output,
}
