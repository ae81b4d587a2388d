"""A request in Anthropic Messages, read into the form between formats."""

from __future__ import annotations

import msgspec

from gateway.errors import BadInput, NotTranslatable
from gateway.formats.intermediate import (
    ChoiceMode,
    Part,
    Prompt,
    Reasoning,
    Role,
    Shape,
    ShapeKind,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.members import Members
from gateway.formats.messages.read_blocks import cache_of, content_of, text_blocks
from gateway.formats.messages.surface import COUNT_TOKENS, MOST_TOKENS
from gateway.formats.request import Request

_READ = frozenset(
    {
        *("model", "messages", "system", "stream", "max_tokens", "temperature", "top_p", "top_k", "stop_sequences"),
        *("tools", "tool_choice", "thinking", "output_config", "output_format", "metadata", "service_tier"),
    }
)
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM}
_MODES = {"auto": ChoiceMode.AUTO, "any": ChoiceMode.REQUIRED, "tool": ChoiceMode.NAMED, "none": ChoiceMode.NONE}
_FORCED = (ChoiceMode.REQUIRED, ChoiceMode.NAMED)
TIERS = {"auto": "auto", "standard_only": "default"}
"""Anthropic's words for tiers of service, and those that the other formats have for them."""


def read_prompt(request: Request) -> Prompt:
    """Raises BadInput for what is no request, and NotTranslatable for what no other format can say."""
    body = Members(request.fields)
    lost = {name for name in body.fields if name not in _READ and body.has(name)}
    tools, server_tools = _tools(body, lost)
    choice, is_parallel = _tool_choice(body, tools, server_tools)
    return Prompt(
        turns=_turns(body, lost),
        is_stream=request.is_stream,
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=is_parallel,
        max_tokens=_max_tokens(body, request.action),
        temperature=body.number("temperature"),
        top_p=body.number("top_p"),
        top_k=body.integer("top_k", 0, MOST_TOKENS),
        stop=body.texts("stop_sequences"),
        reasoning=_reasoning(body, lost),
        shape=_shape(body, lost),
        user=_user(body, lost),
        service_tier=_service_tier(body, lost),
        lost=tuple(sorted(lost)),
    )


def _max_tokens(body: Members, action: str) -> int | None:
    found = body.integer("max_tokens", 0, MOST_TOKENS)
    if found == 0 and action != COUNT_TOKENS:
        raise NotTranslatable("Only Anthropic fills its cache without an answer: 'max_tokens' is 0.", "max_tokens")
    return found


def _turns(body: Members, lost: set[str]) -> tuple[Turn, ...]:
    system = text_blocks(body, "system", lost)
    first = (Turn(Role.SYSTEM, system),) if system else ()
    return (*first, *(_turn(message, lost) for message in body.objects("messages")))


def _turn(message: Members, lost: set[str]) -> Turn:
    role = _ROLES.get(message.needed_text("role"))
    if role is None:
        raise NotTranslatable("The role of a message must be user, assistant or system.", message.where("role"))
    lost.update(f"messages.{name}" for name in message.fields if name not in ("role", "content") and message.has(name))
    if role is Role.SYSTEM:
        return Turn(role, text_blocks(message, "content", lost))
    parts = content_of(message, lost)
    if not _is_in_place(role, parts):
        raise BadInput("Calls of tools belong to the assistant, and their results to the user.", param=message.place)
    return Turn(role, parts)


def _is_in_place(role: Role, parts: tuple[Part, ...]) -> bool:
    misplaced = ToolResult if role is Role.ASSISTANT else ToolCall
    return not any(isinstance(part, misplaced) for part in parts)


_OF_TOOLS = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})


def _tools(body: Members, lost: set[str]) -> tuple[tuple[Tool, ...], frozenset[str]]:
    """The client's own tools, and the names of those that only Anthropic knows."""
    tools, others = [], set()
    for tool in body.objects("tools"):
        kind = tool.text("type")
        if kind not in ("", "custom"):
            lost.add(f"tools.{kind}")
            others.add(tool.text("name"))
            continue
        lost.update(f"tools.{name}" for name in tool.fields if name not in _OF_TOOLS and tool.has(name))
        tools.append(
            Tool(
                name=tool.needed_text("name"),
                description=tool.text("description"),
                schema=tool.raw_object("input_schema"),
                is_strict=tool.flag("strict"),
                cache=cache_of(tool),
            )
        )
    return tuple(tools), frozenset(others)


def _tool_choice(
    body: Members, tools: tuple[Tool, ...], server_tools: frozenset[str]
) -> tuple[ToolChoice | None, bool | None]:
    """How to choose a tool, and whether several may be called at once; without tools neither means anything."""
    if not body.has("tool_choice"):
        return None, None
    choice = body.object("tool_choice")
    mode = _MODES.get(choice.text("type"))
    if mode is None:
        raise NotTranslatable("The type of a tool choice must be auto, any, tool or none.", choice.where("type"))
    name = choice.needed_text("name") if mode is ChoiceMode.NAMED else ""
    if name in server_tools or mode in _FORCED and not tools:
        raise NotTranslatable("A tool that the backend's format does not have cannot be forced.", "tool_choice")
    if not tools:
        return None, None
    is_single = choice.flag("disable_parallel_tool_use") if mode is not ChoiceMode.NONE else None
    return ToolChoice(mode, name), None if is_single is None else not is_single


class _Thinking(msgspec.Struct, frozen=True):
    """What `thinking` says: how much in tokens, whether it is off, whether it is shown."""

    budget: int | None
    is_off: bool
    is_shown: bool | None


_KINDS = frozenset({"enabled", "disabled", "adaptive"})
_SHOWN = {"summarized": True, "omitted": False}


def _reasoning(body: Members, lost: set[str]) -> Reasoning | None:
    effort = body.object("output_config").text("effort")
    thinking = _thinking(body, lost)
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    if thinking.is_off:
        lost.update({"output_config.effort"} if effort else set())
        return Reasoning(effort="none")
    return Reasoning(effort=effort, budget=thinking.budget, is_shown=thinking.is_shown)


def _thinking(body: Members, lost: set[str]) -> _Thinking | None:
    if not body.has("thinking"):
        return None
    found = body.object("thinking")
    kind = found.needed_text("type")
    if kind not in _KINDS:
        lost.add("thinking")
        return None
    budget = found.integer("budget_tokens", 0, MOST_TOKENS) if kind == "enabled" else None
    return _Thinking(budget, kind == "disabled", _SHOWN.get(found.text("display")))


def _shape(body: Members, lost: set[str]) -> Shape | None:
    config = body.object("output_config")
    lost.update(
        f"output_config.{name}" for name in config.fields if name not in ("effort", "format") and config.has(name)
    )
    wanted = config.object("format") if config.has("format") else body.object("output_format")
    if not wanted.fields:
        return None
    if wanted.text("type") != "json_schema":
        raise NotTranslatable("The format of the output must be of type json_schema.", wanted.where("type"))
    schema: msgspec.Raw | None = wanted.raw_object("schema")
    if schema is None:
        raise BadInput("The format of the output has no schema.", param=wanted.where("schema"))
    return Shape(ShapeKind.JSON_SCHEMA, schema=schema)


def _user(body: Members, lost: set[str]) -> str:
    metadata = body.object("metadata")
    lost.update(f"metadata.{name}" for name in metadata.fields if name != "user_id" and metadata.has(name))
    return metadata.text("user_id")


def _service_tier(body: Members, lost: set[str]) -> str:
    tier = body.text("service_tier")
    if tier and tier not in TIERS:
        lost.add("service_tier")
    return TIERS.get(tier, "")
