"""A request in OpenAI Responses, read into the form between formats."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import Prompt, Reasoning, Role, Shape, ShapeKind, Text, Turn
from gateway.formats.members import Members
from gateway.formats.request import Request
from gateway.formats.responses.read_items import ADDITIONAL_TOOLS, items_of_type, read_items
from gateway.formats.responses.read_tools import read_tool_choice, read_tools
from gateway.formats.responses.surface import COMPACT, MOST_TOKENS

_READ = frozenset(
    {
        *("model", "input", "instructions", "stream", "stream_options", "tools", "tool_choice", "parallel_tool_calls"),
        *("max_output_tokens", "temperature", "top_p", "top_logprobs", "reasoning", "text", "include", "metadata"),
        *("user", "safety_identifier", "prompt_cache_key", "service_tier", "store", "truncation", "background"),
        "prompt_cache_retention",
    }
)
_KEPT_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
_KEPT_EXTRAS = ("prompt_cache_retention",)
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
_INCLUDED = frozenset({ENCRYPTED, LOGPROBS})
_MOST_ALTERNATIVES = 1000


def read_prompt(request: Request) -> Prompt:
    """Raises BadInput for what is no request, and NotTranslatable for what no other format can say."""
    body = Members(request.fields)
    _refuse_what_is_elsewhere(request, body)
    lost = {name for name in body.fields if name not in _READ and body.has(name)}
    lost.update(_switches(body))
    tools = read_tools(body, lost)
    for item in items_of_type(body, ADDITIONAL_TOOLS):
        tools += read_tools(item, lost)
    text = body.object("text")
    prompt = Prompt(
        turns=_instructions(body) + read_items(body, lost),
        is_stream=request.is_stream,
        tools=tools,
        tool_choice=read_tool_choice(body, tools, lost),
        parallel_tool_calls=body.flag("parallel_tool_calls"),
        max_tokens=body.integer("max_output_tokens", 0, MOST_TOKENS),
        temperature=body.number("temperature"),
        top_p=body.number("top_p"),
        reasoning=_reasoning(body, lost),
        shape=_shape(text),
        verbosity=text.text("verbosity"),
        top_logprobs=_top_logprobs(body),
    )
    return replace(
        prompt,
        user=body.text("safety_identifier") or body.text("user"),
        cache_key=body.text("prompt_cache_key"),
        service_tier=body.text("service_tier"),
        metadata=_metadata(body),
        extras={name: value for name in _KEPT_EXTRAS if (value := body.raw(name)) is not None},
        lost=tuple(sorted(lost)),
    )


def _refuse_what_is_elsewhere(request: Request, body: Members) -> None:
    if request.action == COMPACT:
        raise NotTranslatable("Only a backend of this format can compact a conversation.", "input")
    for name in _KEPT_ELSEWHERE:
        if body.has(name):
            raise NotTranslatable(f"What '{name}' names is at the provider that has it, and at no other.", name)
    if body.flag("background"):
        raise NotTranslatable("Only a backend of this format can work in the background.", "background")


def _switches(body: Members) -> set[str]:
    """Names of fields that are lost for some of their values only."""
    lost = set()
    if body.flag("store"):
        lost.add("store")
    if body.text("truncation") not in ("", "disabled"):
        lost.add("truncation")
    if any(name not in _INCLUDED for name in body.texts("include")):
        lost.add("include")
    return lost


def _instructions(body: Members) -> tuple[Turn, ...]:
    words = body.text("instructions")
    return (Turn(Role.SYSTEM, (Text(words),)),) if words else ()


def _metadata(body: Members) -> msgspec.Raw | None:
    found = body.raw_object("metadata")
    return None if found is None or bytes(found) == b"{}" else found


_OF_REASONING = frozenset({"effort", "summary", "generate_summary"})


def _reasoning(body: Members, lost: set[str]) -> Reasoning | None:
    given = body.object("reasoning")
    lost.update(f"reasoning.{name}" for name in given.fields if name not in _OF_REASONING and given.has(name))
    effort, summary = given.text("effort"), given.text("summary") or given.text("generate_summary")
    if not effort and not summary:
        return None
    return Reasoning(effort=effort, is_shown=True if summary else None, summary=summary)


_KINDS = {"text": None, "json_object": ShapeKind.JSON_OBJECT, "json_schema": ShapeKind.JSON_SCHEMA}


def _shape(text: Members) -> Shape | None:
    given = text.object("format")
    word = given.text("type") or "text"
    if word not in _KINDS:
        raise NotTranslatable(f"The format of text '{word[:50]}' is not known.", given.where("type"))
    kind = _KINDS[word]
    if kind is not ShapeKind.JSON_SCHEMA:
        return None if kind is None else Shape(kind)
    return Shape(
        kind=kind,
        name=given.text("name"),
        schema=given.raw_object("schema"),
        is_strict=given.flag("strict"),
        description=given.text("description"),
    )


def _top_logprobs(body: Members) -> int | None:
    found = body.integer("top_logprobs", 0, _MOST_ALTERNATIVES)
    return 0 if found is None and LOGPROBS in body.texts("include") else found
