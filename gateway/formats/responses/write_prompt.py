"""OpenAI Responses: the body of a request for a provider, out of what every format can say."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.conversation_facts import encoded, hash_of
from gateway.formats.intermediate import SHARED_FIELDS, Destination, Prompt, Reasoning, Shape, ShapeKind, Written
from gateway.formats.reasoning import effort_of
from gateway.formats.responses.models import can_think, refuses_sampling
from gateway.formats.responses.read_prompt import ENCRYPTED, LOGPROBS
from gateway.formats.responses.write_items import instructions_of, written_items
from gateway.formats.responses.write_tools import written_tools

Body = dict[str, Any]

LEAST_OUTPUT = 16
"""OpenAI refuses a smaller limit."""
_LONGEST_NAMES = 64
_SHAPE_NAME = "answer"  # where the client's format has no name for a schema
_LOGPROBS = "top_logprobs"
_SAMPLING = ("temperature", "top_p", _LOGPROBS)
_NOT_THERE = ("top_k", "seed", "presence_penalty", "frequency_penalty")


def write_prompt(prompt: Prompt, destination: Destination) -> Written:
    """`dropped` are the names of what Responses cannot carry, besides those that the prompt lost before.

    Nothing of the call is kept at the provider, and its thoughts come encrypted, so that they can come back. Raises
    NotTranslatable for what would change the meaning.
    """
    if prompt.stop:
        raise NotTranslatable("The backend's format, OpenAI Responses, has no stop sequences.", "stop")
    dropped = {name for name in _NOT_THERE if getattr(prompt, name) is not None}
    thinks = can_think(destination.model)
    body: Body = {"model": destination.model}
    body |= _conversation(prompt, dropped)
    body |= written_tools(prompt, dropped)
    body |= _limits(prompt, destination, dropped)
    body |= _sampling(prompt, destination.model, dropped)
    body |= _text(prompt)
    if prompt.reasoning is not None and thinks:
        body |= _reasoning(prompt.reasoning)
    elif prompt.reasoning is not None and effort_of(prompt.reasoning) != "none":
        dropped.add("reasoning")
    body |= _names(prompt, dropped)
    included = [ENCRYPTED] * thinks + [LOGPROBS] * (_LOGPROBS in body)
    if included:
        body["include"] = included
    body["store"] = False
    if prompt.is_stream:
        body["stream"] = True
    return Written(msgspec.json.encode(body), tuple(sorted(dropped)))


def _conversation(prompt: Prompt, dropped: set[str]) -> Body:
    instructions = instructions_of(prompt.turns)
    if not instructions:
        return {"input": written_items(prompt.turns, dropped)}
    if getattr(prompt.turns[0].parts[0], "cache", ""):
        dropped.add("messages.cache_control")
    if prompt.turns[0].name:
        dropped.add("messages.name")
    return {"instructions": instructions, "input": written_items(prompt.turns[1:], dropped)}


def _limits(prompt: Prompt, destination: Destination, dropped: set[str]) -> Body:
    most, highest = prompt.max_tokens, destination.output_limit
    if most is None:
        return {}
    if most < LEAST_OUTPUT or highest is not None and most > highest:
        dropped.add("max_tokens")
        most = max(LEAST_OUTPUT, most if highest is None else min(most, highest))
    return {"max_output_tokens": most}


def _sampling(prompt: Prompt, model: str, dropped: set[str]) -> Body:
    """1 is what temperature and top_p are anyway at OpenAI: without them nothing is lost."""
    given = {name: value for name in _SAMPLING if (value := getattr(prompt, name)) is not None}
    if not refuses_sampling(model, "" if prompt.reasoning is None else effort_of(prompt.reasoning)):
        return given
    dropped.update(name for name, value in given.items() if value != 1 or name == _LOGPROBS)
    return {}


def _text(prompt: Prompt) -> Body:
    text: Body = {} if prompt.shape is None else {"format": _format(prompt.shape)}
    if prompt.verbosity:
        text["verbosity"] = prompt.verbosity
    return {"text": text} if text else {}


def _format(shape: Shape) -> Body:
    if shape.kind is not ShapeKind.JSON_SCHEMA:
        return {"type": shape.kind.value}
    written: Body = {"type": shape.kind.value, "name": shape.name or _SHAPE_NAME}
    written["schema"] = msgspec.Raw(b"{}") if shape.schema is None else shape.schema
    if shape.description:
        written["description"] = shape.description
    if shape.is_strict is not None:
        written["strict"] = shape.is_strict
    return written


def _reasoning(reasoning: Reasoning) -> Body:
    effort = effort_of(reasoning)
    summary = reasoning.summary or ("auto" if reasoning.is_shown and effort != "none" else "")
    written = {"effort": effort, "summary": summary}
    return {"reasoning": {name: word for name, word in written.items() if word}} if effort or summary else {}


def _names(prompt: Prompt, dropped: set[str]) -> Body:
    """Who asks, and what belongs together at the provider."""
    body: Body = {name: prompt.extras[name] for name in prompt.extras if name in SHARED_FIELDS and name != "store"}
    dropped |= prompt.extras.keys() - body.keys() - {"store"}
    if bytes(prompt.extras.get("store", b"false")) == b"true":
        dropped.add("store")
    for name, value in (("user", prompt.user), ("prompt_cache_key", prompt.cache_key)):
        if value:
            # A longer one is refused; the hash of it is as good to tell one from another.
            body[name] = value if len(value) <= _LONGEST_NAMES else hash_of([encoded(value)])
    if prompt.service_tier:
        body["service_tier"] = prompt.service_tier
    if prompt.metadata is not None:
        body["metadata"] = prompt.metadata
    return body
