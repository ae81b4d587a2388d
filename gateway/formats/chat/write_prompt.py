"""OpenAI chat completions: the body of a request for a provider, out of what every format can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.chat.dialect import limit_field, takes_cache_control
from gateway.formats.chat.write_messages import cache_control, write_messages
from gateway.formats.intermediate import (
    SHARED_FIELDS,
    ChoiceMode,
    Destination,
    Prompt,
    Shape,
    ShapeKind,
    Tool,
    ToolChoice,
    Written,
)
from gateway.formats.reasoning import effort_of

Body = dict[str, Any]

_MOST_STOPS = 4
_LONGEST_NAMES = 64  # OpenAI refuses longer ones
_SERVICE_TIERS = {tier: tier for tier in ("auto", "default", "flex", "scale", "priority", "fast")} | {
    "standard_only": "default",  # Anthropic's word
}
_SHAPE_NAME = "answer"  # where the client's format has no name for a schema


def write_prompt(prompt: Prompt, destination: Destination) -> Written:
    """`dropped` are the names of what chat cannot carry, besides those that the prompt lost before.

    Raises NotTranslatable for what would change the meaning.
    """
    dropped: set[str] = set()
    body: Body = {"model": destination.model}
    body["messages"] = write_messages(prompt.turns, destination.model, dropped)
    body |= _stream(prompt)
    body |= _tools(prompt, destination.model, dropped)
    body |= _limits(prompt, destination, dropped)
    body |= _sampling(prompt, dropped)
    body |= _shape(prompt.shape)
    body |= _reasoning(prompt, dropped)
    body |= _names(prompt, dropped)
    return Written(msgspec.json.encode(body), tuple(sorted(dropped)))


def _stream(prompt: Prompt) -> Body:
    return {"stream": True, "stream_options": {"include_usage": True}} if prompt.is_stream else {}


def _tools(prompt: Prompt, model: str, dropped: set[str]) -> Body:
    """Without tools there is nothing to choose among, and servers refuse a choice then."""
    choice = prompt.tool_choice
    if not prompt.tools:
        if choice is not None and choice.mode in (ChoiceMode.REQUIRED, ChoiceMode.NAMED):
            raise NotTranslatable("No tool that could be called is left for the model.", param="tool_choice")
        return {}
    fields: Body = {"tools": [_tool(tool, model, dropped) for tool in prompt.tools]}
    if choice is not None:
        fields["tool_choice"] = _choice(choice, {tool.name for tool in prompt.tools if tool.is_custom})
    if prompt.parallel_tool_calls is not None:
        fields["parallel_tool_calls"] = prompt.parallel_tool_calls
    return fields


def _tool(tool: Tool, model: str, dropped: set[str]) -> Body:
    kind = "custom" if tool.is_custom else "function"
    named: Body = {"name": tool.name}
    if tool.description:
        named["description"] = tool.description
    if tool.is_custom and tool.grammar is not None:
        named["format"] = tool.grammar
    if not tool.is_custom:
        named |= _given({"parameters": tool.schema, "strict": tool.is_strict})
    written: Body = {"type": kind, kind: named}
    if tool.cache and takes_cache_control(model):
        written["cache_control"] = cache_control(tool.cache)
    elif tool.cache:
        dropped.add("tools.cache_control")
    return written


def _choice(choice: ToolChoice, custom: set[str]) -> str | Body:
    if choice.mode == ChoiceMode.NAMED:
        return _reference(choice.name, custom)
    if not choice.allowed or choice.mode == ChoiceMode.NONE:
        return choice.mode.value
    allowed = [_reference(name, custom) for name in choice.allowed]
    return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode.value, "tools": allowed}}


def _reference(name: str, custom: set[str]) -> Body:
    kind = "custom" if name in custom else "function"
    return {"type": kind, kind: {"name": name}}


def _limits(prompt: Prompt, destination: Destination, dropped: set[str]) -> Body:
    """A limit beyond what the model can answer is refused by providers: it becomes that."""
    fields: Body = {}
    if (most := prompt.max_tokens) is not None:
        if destination.output_limit is not None and most > destination.output_limit:
            most = destination.output_limit
            dropped.add("max_tokens")
        fields[limit_field(destination.model)] = most
    if len(prompt.stop) > _MOST_STOPS:
        raise NotTranslatable(f"The model's API takes at most {_MOST_STOPS} stop sequences.", param="stop")
    if prompt.stop:
        fields["stop"] = list(prompt.stop)
    return fields


def _sampling(prompt: Prompt, dropped: set[str]) -> Body:
    if prompt.top_k is not None:
        dropped.add("top_k")
    fields = _given(
        {
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            "seed": prompt.seed,
            "presence_penalty": prompt.presence_penalty,
            "frequency_penalty": prompt.frequency_penalty,
        }
    )
    if prompt.top_logprobs is not None:
        fields["logprobs"] = True
        fields |= {"top_logprobs": prompt.top_logprobs} if prompt.top_logprobs else {}
    return fields


def _shape(shape: Shape | None) -> Body:
    if shape is None:
        return {}
    if shape.kind != ShapeKind.JSON_SCHEMA:
        return {"response_format": {"type": shape.kind.value}}
    named = {"name": shape.name or _SHAPE_NAME} | _given(
        {"description": shape.description or None, "schema": shape.schema, "strict": shape.is_strict}
    )
    return {"response_format": {"type": shape.kind.value, "json_schema": named}}


def _reasoning(prompt: Prompt, dropped: set[str]) -> Body:
    """Chat has a word for how much to think, and none for whether thoughts are shown."""
    fields: Body = {"verbosity": prompt.verbosity} if prompt.verbosity else {}
    if (reasoning := prompt.reasoning) is None:
        return fields
    if reasoning.summary or reasoning.is_shown is not None:
        dropped.add("reasoning.summary")
    if effort := effort_of(reasoning):
        fields["reasoning_effort"] = effort
    return fields


def _names(prompt: Prompt, dropped: set[str]) -> Body:
    """Who asks, and what belongs together at the provider."""
    fields: Body = {name: prompt.extras[name] for name in prompt.extras if name in SHARED_FIELDS}
    dropped |= prompt.extras.keys() - fields.keys()
    for name, value in (("user", prompt.user), ("prompt_cache_key", prompt.cache_key)):
        if len(value) > _LONGEST_NAMES:
            dropped.add(name)
        elif value:
            fields[name] = value
    if prompt.service_tier in _SERVICE_TIERS:
        fields["service_tier"] = _SERVICE_TIERS[prompt.service_tier]
    elif prompt.service_tier:
        dropped.add("service_tier")
    if prompt.metadata is not None:
        if _is_stored(fields):
            fields["metadata"] = prompt.metadata
        else:
            dropped.add("metadata")
    return fields


def _is_stored(fields: Body) -> bool:
    """OpenAI takes metadata only for what it stores."""
    return "store" in fields and bytes(fields["store"]) == b"true"


def _given(fields: Mapping[str, Any]) -> Body:
    return {name: value for name, value in fields.items() if value is not None}
