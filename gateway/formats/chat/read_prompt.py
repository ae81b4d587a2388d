"""OpenAI chat completions: a request as what every format can say."""

from __future__ import annotations

from gateway.errors import NotTranslatable
from gateway.formats.chat.read_messages import read_turns
from gateway.formats.chat.read_tools import read_tool_choice, read_tools
from gateway.formats.intermediate import SHARED_FIELDS, Prompt, Reasoning, Shape, ShapeKind
from gateway.formats.members import Members, is_text, text_at
from gateway.formats.request import Request

MOST_TOKENS = 10_000_000
_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_LOGPROBS = 100

# Fields that are read; any other is named as lost.
_READ = frozenset(
    {
        *("model", "messages", "stream", "stream_options", "tools", "tool_choice", "functions", "function_call"),
        *(
            "parallel_tool_calls",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
            "top_k",
            "seed",
            "stop",
        ),
        *("presence_penalty", "frequency_penalty", "reasoning_effort", "reasoning", "response_format", "verbosity"),
        *("logprobs", "top_logprobs", "user", "safety_identifier", "prompt_cache_key", "service_tier", "metadata"),
        *("n", "modalities", "stop"),
        *SHARED_FIELDS,
    }
)


def read_prompt(request: Request) -> Prompt:
    """Raises BadInput naming a field that is missing or wrong, NotTranslatable one that no other format can honour."""
    body = Members(request.fields)
    _refuse_what_cannot_be_honoured(body)
    lost = {name for name in body.fields if name not in _READ and body.has(name)}
    turns = read_turns(body, lost)
    tools = read_tools(body, lost)
    user, other = body.text("safety_identifier"), body.text("user")
    if user and other and user != other:
        lost.add("user")
    return Prompt(
        turns=turns,
        is_stream=request.is_stream,
        tools=tools,
        tool_choice=read_tool_choice(body),
        parallel_tool_calls=body.flag("parallel_tool_calls"),
        max_tokens=_max_tokens(body),
        temperature=body.number("temperature"),
        top_p=body.number("top_p"),
        top_k=body.integer("top_k", _LEAST, _MOST),
        seed=body.integer("seed", _LEAST, _MOST),
        presence_penalty=body.number("presence_penalty"),
        frequency_penalty=body.number("frequency_penalty"),
        stop=_stop(body),
        reasoning=_reasoning(body),
        shape=_shape(body),
        verbosity=body.text("verbosity"),
        top_logprobs=_top_logprobs(body),
        user=user or other,
        cache_key=body.text("prompt_cache_key"),
        service_tier=body.text("service_tier"),
        metadata=body.raw_object("metadata"),
        extras={name: body.fields[name] for name in sorted(SHARED_FIELDS) if body.has(name)},
        lost=tuple(sorted(lost)),
    )


def _refuse_what_cannot_be_honoured(body: Members) -> None:
    if (body.integer("n", 1, _MOST) or 1) > 1:
        raise NotTranslatable("The model's API gives one answer a call: 'n' must be 1.", param="n")
    if set(body.texts("modalities")) - {"text"}:
        raise NotTranslatable("The model's API answers with text only.", param="modalities")


def _max_tokens(body: Members) -> int | None:
    newer = body.integer("max_completion_tokens", 0, MOST_TOKENS)
    older = body.integer("max_tokens", 0, MOST_TOKENS)
    return older if newer is None else newer


def _stop(body: Members) -> tuple[str, ...]:
    found = body.raw("stop")
    if found is None:
        return ()
    return (text_at(found, "stop"),) if is_text(found) else body.texts("stop")


def _top_logprobs(body: Members) -> int | None:
    """0 where the tokens' own probabilities are wanted and no others."""
    wanted = body.flag("logprobs")
    number = body.integer("top_logprobs", 0, _MOST_LOGPROBS)
    return (number or 0) if wanted else None


def _reasoning(body: Members) -> Reasoning | None:
    """`reasoning_effort`, or the object `reasoning` that OpenRouter takes."""
    given = body.object("reasoning")
    effort = body.text("reasoning_effort") or given.text("effort")
    budget = given.integer("max_tokens", 0, MOST_TOKENS)
    is_hidden = given.flag("exclude")
    if not effort and budget is None and is_hidden is None:
        return None
    return Reasoning(effort=effort, budget=budget, is_shown=None if is_hidden is None else not is_hidden)


def _shape(body: Members) -> Shape | None:
    given = body.object("response_format")
    if not given.fields:
        return None
    kind = given.needed_text("type")
    if kind not in tuple(ShapeKind):
        raise NotTranslatable(f"The response format '{kind}' is not known.", param="response_format.type")
    if kind != ShapeKind.JSON_SCHEMA:
        return Shape(kind=ShapeKind(kind))
    named = given.object("json_schema")
    return Shape(
        kind=ShapeKind.JSON_SCHEMA,
        name=named.text("name"),
        schema=named.raw_object("schema"),
        is_strict=named.flag("strict"),
        description=named.text("description"),
    )
