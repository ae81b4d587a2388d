"""Gemini generateContent: the body of a request for a provider, out of what every format can say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.gemini.models import budget_for
from gateway.formats.gemini.write_contents import write_contents
from gateway.formats.intermediate import (
    ChoiceMode,
    Destination,
    Prompt,
    Shape,
    ShapeKind,
    Tool,
    ToolChoice,
    Written,
)
from gateway.formats.messages.custom_tools import marked_name, schema_for
from gateway.formats.reasoning import budget_of

Body = dict[str, Any]

_MOST_STOPS = 5
_SEEDS = range(-(2**31), 2**31)
_TIERS = {"default": "standard", "standard_only": "standard", "flex": "flex", "priority": "priority"}


def write_prompt(prompt: Prompt, destination: Destination) -> Written:
    """`dropped` are the names of what Gemini cannot carry, besides those that the prompt lost before.

    Model and streaming are in the path. Raises NotTranslatable for what would change the meaning.
    """
    dropped: set[str] = set()
    body: Body = write_contents(prompt.turns, destination.model, dropped)
    body |= _tools(prompt, dropped)
    config = _limits(prompt, destination, dropped) | _sampling(prompt, dropped) | _shape(prompt.shape, dropped)
    config |= _thinking(prompt, destination.model, dropped)
    if config:
        body["generationConfig"] = config
    body |= _others(prompt, dropped)
    return Written(msgspec.json.encode(body), tuple(sorted(dropped)))


def _tools(prompt: Prompt, dropped: set[str]) -> Body:
    choice = prompt.tool_choice
    if not prompt.tools:
        if choice is not None and choice.mode in (ChoiceMode.REQUIRED, ChoiceMode.NAMED):
            raise NotTranslatable("No tool that could be called is left for the model.", param="tool_choice")
        return {}
    if prompt.parallel_tool_calls is False:
        dropped.add("parallel_tool_calls")
    fields: Body = {"tools": [{"functionDeclarations": [_tool(tool, dropped) for tool in prompt.tools]}]}
    if choice is not None:
        custom = {tool.name for tool in prompt.tools if tool.is_custom}
        fields["toolConfig"] = {"functionCallingConfig": _choice(choice, custom)}
    return fields


def _tool(tool: Tool, dropped: set[str]) -> Body:
    if tool.cache:
        dropped.add("tools.cache_control")
    if tool.is_strict:
        dropped.add("tools.strict")
    schema = schema_for(tool) if tool.is_custom else tool.schema
    declared = _given({"description": tool.description or None, "parametersJsonSchema": schema})
    return {"name": marked_name(tool.name) if tool.is_custom else tool.name} | declared


def _choice(choice: ToolChoice, custom: set[str]) -> Body:
    """A choice among some tools only, text being free to come instead, is VALIDATED."""
    named = (choice.name,) if choice.mode == ChoiceMode.NAMED else choice.allowed
    allowed = [marked_name(name) if name in custom else name for name in named]
    if choice.mode == ChoiceMode.NONE:
        return {"mode": "NONE"}
    if choice.mode == ChoiceMode.AUTO:
        return {"mode": "VALIDATED", "allowedFunctionNames": allowed} if allowed else {"mode": "AUTO"}
    return {"mode": "ANY"} | ({"allowedFunctionNames": allowed} if allowed else {})


def _limits(prompt: Prompt, destination: Destination, dropped: set[str]) -> Body:
    """A limit beyond what the model can answer is refused: it becomes that."""
    most = prompt.max_tokens
    if most is not None and destination.output_limit is not None and most > destination.output_limit:
        most = destination.output_limit
        dropped.add("max_tokens")
    if len(prompt.stop) > _MOST_STOPS:
        raise NotTranslatable(f"The model's API takes at most {_MOST_STOPS} stop sequences.", param="stop")
    return _given({"maxOutputTokens": most, "stopSequences": list(prompt.stop) or None})


def _sampling(prompt: Prompt, dropped: set[str]) -> Body:
    seed = prompt.seed
    if seed is not None and seed not in _SEEDS:
        seed = None
        dropped.add("seed")
    fields = _given(
        {
            "temperature": prompt.temperature,
            "topP": prompt.top_p,
            "topK": prompt.top_k,
            "seed": seed,
            "presencePenalty": prompt.presence_penalty,
            "frequencyPenalty": prompt.frequency_penalty,
        }
    )
    if prompt.top_logprobs is not None:
        fields["responseLogprobs"] = True
        fields |= {"logprobs": prompt.top_logprobs} if prompt.top_logprobs else {}
    return fields


def _shape(shape: Shape | None, dropped: set[str]) -> Body:
    if shape is None:
        return {}
    if shape.kind == ShapeKind.TEXT:
        return {"responseMimeType": "text/plain"}
    if shape.description:
        dropped.add("response_format.description")
    return _given({"responseMimeType": "application/json", "responseJsonSchema": shape.schema})


def _thinking(prompt: Prompt, model: str, dropped: set[str]) -> Body:
    """Thoughts are shown unless they are not wanted: clients of other formats expect them."""
    if (reasoning := prompt.reasoning) is None:
        return {}
    fields: Body = {}
    budget = budget_of(reasoning)
    if budget is not None:
        fields["thinkingBudget"] = taken = budget_for(model, budget)
        if taken != budget:
            dropped.add("reasoning_effort")
    if budget != 0:
        fields["includeThoughts"] = reasoning.is_shown is not False
    return {"thinkingConfig": fields} if fields else {}


def _others(prompt: Prompt, dropped: set[str]) -> Body:
    """Of what belongs to the call rather than the conversation Gemini has only the tier."""
    given = {
        "user": prompt.user,
        "prompt_cache_key": prompt.cache_key,
        "verbosity": prompt.verbosity,
        "metadata": prompt.metadata is not None,
    }
    dropped |= {name for name, value in given.items() if value} | prompt.extras.keys()
    if prompt.service_tier in _TIERS:
        return {"serviceTier": _TIERS[prompt.service_tier]}
    if prompt.service_tier not in ("", "auto"):
        dropped.add("service_tier")
    return {}


def _given(fields: Mapping[str, Any]) -> Body:
    return {name: value for name, value in fields.items() if value is not None}
