"""A request of any format, written as Anthropic Messages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec

from gateway.formats.intermediate import (
    ChoiceMode,
    Destination,
    Prompt,
    Role,
    ShapeKind,
    Text,
    Thinking,
    ToolResult,
    Turn,
    Written,
)
from gateway.formats.messages.conversation import arranged
from gateway.formats.messages.models import Traits, traits_of
from gateway.formats.messages.read_prompt import TIERS
from gateway.formats.messages.schemas import held_to
from gateway.formats.messages.thinking import DROPPED, Bounds, Plan, planned
from gateway.formats.messages.write_blocks import Block, blocks, each_block, text, within_cache_limit
from gateway.formats.messages.write_tools import tool_fields

USUAL_OUTPUT = 4096
"""The limit on the answer, thoughts not counted, where neither the client nor the registry has one."""
_LONGEST_USER = 256
_LEAST_TOP_P_THINKING = 0.95
_FORCED = (ChoiceMode.REQUIRED, ChoiceMode.NAMED)


def write_prompt(prompt: Prompt, destination: Destination) -> Written:
    """Raises NotTranslatable naming the field that would not mean the same, or that Anthropic refuses."""
    dropped = _unknown(prompt)
    conversation = arranged(prompt.turns, dropped)
    traits = traits_of(destination.model)
    limit = _limit(prompt, destination)
    plan = planned(prompt.reasoning, traits, _bounds(prompt, limit, conversation.turns))
    if not plan.is_exact:
        dropped.add(DROPPED)
    body: dict[str, Any] = {
        "model": destination.model,
        "max_tokens": limit or USUAL_OUTPUT + plan.budget,
    }
    if conversation.system:
        body["system"] = _system(conversation.system)
    body["messages"] = _messages(conversation.turns, dropped)
    body |= tool_fields(prompt, dropped)
    body |= _thinking_fields(plan, _format(prompt, dropped))
    body |= _sampling(prompt, traits, plan, dropped)
    body |= _others(prompt, dropped)
    marks = (each_block(body.get(name)) for name in ("tools", "system", "messages"))
    within_cache_limit(chain.from_iterable(marks), dropped)
    return Written(msgspec.json.encode(body), tuple(sorted(dropped)))


_WITHOUT_COUNTERPART = {
    "seed": "seed",
    "top_logprobs": "top_logprobs",
    "verbosity": "verbosity",
    "cache_key": "prompt_cache_key",
    "metadata": "metadata",
}

_PENALTIES = ("presence_penalty", "frequency_penalty")  # 0 is none


def _unknown(prompt: Prompt) -> set[str]:
    """Names of what was said and has no place in a request to Anthropic."""
    found = {name for member, name in _WITHOUT_COUNTERPART.items() if getattr(prompt, member) not in (None, "")}
    return found | {name for name in _PENALTIES if getattr(prompt, name)} | set(prompt.extras)


def _limit(prompt: Prompt, destination: Destination) -> int | None:
    """The most tokens to answer: more than the model can is refused, and would not be used."""
    limits = [limit for limit in (prompt.max_tokens, destination.output_limit) if limit]
    return min(limits) if limits else None


def _bounds(prompt: Prompt, limit: int | None, turns: Sequence[Turn]) -> Bounds:
    is_forced = prompt.tool_choice is not None and prompt.tool_choice.mode in _FORCED
    return Bounds(limit, not is_forced, _may_begin_to_think(turns))


def _may_begin_to_think(turns: Sequence[Turn]) -> bool:
    """A turn of the assistant's that goes on, after tools or by itself, must have begun with a thought."""
    if turns[-1].role is Role.ASSISTANT:
        last = turns[-1]
    elif any(isinstance(part, ToolResult) for part in turns[-1].parts):
        last = turns[-2]
    else:
        return True
    return isinstance(last.parts[0], Thinking)


def _system(parts: Sequence[Text]) -> str | list[Block]:
    if len(parts) == 1 and not parts[0].cache:
        return parts[0].text
    return [text(part.text, part.cache) for part in parts]


def _messages(turns: Sequence[Turn], dropped: set[str]) -> list[dict[str, Any]]:
    written = []
    for turn in turns:
        content: str | list[Block] = blocks(turn.parts, dropped)
        only = turn.parts[0]
        if len(turn.parts) == 1 and isinstance(only, Text) and not only.cache:
            content = only.text
        written.append({"role": turn.role.value, "content": content})
    return [*written[:-1], _without_trailing_space(written[-1])]


def _without_trailing_space(last: dict[str, Any]) -> dict[str, Any]:
    """The beginning of an answer, given to be continued, may not end with white space."""
    if last["role"] != Role.ASSISTANT.value:
        return last
    if isinstance(last["content"], str):
        return {**last, "content": last["content"].rstrip()}
    *before, end = last["content"]
    if end["type"] == "text":
        end = {**end, "text": end["text"].rstrip()}
    return {**last, "content": [*before, end]}


def _format(prompt: Prompt, dropped: set[str]) -> dict[str, Any] | None:
    """The schema for the answer's text. Mere JSON cannot be asked for except in words."""
    shape = prompt.shape
    if shape is None or shape.kind is ShapeKind.TEXT:
        return None
    if shape.kind is ShapeKind.JSON_OBJECT or shape.schema is None:
        dropped.add("response_format")
        return None
    if shape.description:
        dropped.add("response_format.description")
    return {"type": "json_schema", "schema": held_to(shape.schema, "response_format.schema", dropped)}


def _thinking_fields(plan: Plan, wanted: dict[str, Any] | None) -> dict[str, Any]:
    config = {
        **({"effort": plan.effort} if plan.effort else {}),
        **({"format": wanted} if wanted else {}),
    }
    return {
        **({"thinking": plan.thinking} if plan.thinking else {}),
        **({"output_config": config} if config else {}),
    }


_BY_ITSELF = {"temperature": 1, "top_p": 1}
"""What a model does where nothing is said: leaving these out changes nothing."""


def _sampling(prompt: Prompt, traits: Traits, plan: Plan, dropped: set[str]) -> dict[str, Any]:
    found: dict[str, float | int] = {}
    if prompt.temperature is not None:
        found["temperature"] = min(prompt.temperature, 1.0)
    if prompt.top_p is not None:
        found["top_p"] = prompt.top_p
    if prompt.top_k is not None:
        found["top_k"] = prompt.top_k
    kept = {name: value for name, value in found.items() if name not in _refused(found, traits, plan)}
    asked = {"temperature": prompt.temperature, "top_p": prompt.top_p, "top_k": prompt.top_k}
    dropped.update(name for name in found if asked[name] != kept.get(name, _BY_ITSELF.get(name)))
    return kept


def _refused(found: dict[str, float | int], traits: Traits, plan: Plan) -> set[str]:
    """Which of them the model does not take together, or while it thinks, or at all."""
    if not traits.takes_sampling:
        return set(found)
    refused = set()
    if plan.is_on:
        refused |= {"temperature", "top_k"}
        refused |= {"top_p"} if found.get("top_p", 1) < _LEAST_TOP_P_THINKING else set()
    elif "temperature" in found and not traits.takes_both:
        refused.add("top_p")
    return refused


def _others(prompt: Prompt, dropped: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    stops = [stop for stop in prompt.stop if stop.strip()]
    if len(stops) < len(prompt.stop):
        dropped.add("stop")
    if stops:
        found["stop_sequences"] = stops
    if prompt.user and len(prompt.user) <= _LONGEST_USER:
        found["metadata"] = {"user_id": prompt.user}
    elif prompt.user:
        dropped.add("user")
    tier = next((ours for ours, theirs in TIERS.items() if theirs == prompt.service_tier), "")
    if tier:
        found["service_tier"] = tier
    elif prompt.service_tier:
        dropped.add("service_tier")
    if prompt.is_stream:
        found["stream"] = True
    return found
