"""Gemini generateContent: a request as what every format can say."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.errors import NotTranslatable
from gateway.formats.gemini.read_contents import read_turns
from gateway.formats.gemini.schemas import json_schema
from gateway.formats.gemini.spelling import one, several, spelled
from gateway.formats.intermediate import ChoiceMode, Prompt, Reasoning, Shape, ShapeKind, Tool, ToolChoice
from gateway.formats.members import Members, wrong_type
from gateway.formats.request import Request

MOST_TOKENS = 10_000_000
_LEAST, _MOST = -(2**63), 2**63 - 1
_MOST_ANSWERS = 128
_AUTOMATIC = -1  # a budget that the model chooses

_READ = frozenset(
    {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "model",
        "serviceTier",
        "cachedContent",
    }
)
_READ_CONFIG = frozenset(
    {
        *("maxOutputTokens", "temperature", "topP", "topK", "stopSequences", "seed", "candidateCount"),
        *("presencePenalty", "frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema"),
        *("responseModalities", "thinkingConfig", "responseLogprobs", "logprobs", "responseFormat"),
    }
)
_TIERS = {"standard": "default"}
_MODES = {"": ChoiceMode.AUTO, "AUTO": ChoiceMode.AUTO, "ANY": ChoiceMode.REQUIRED, "NONE": ChoiceMode.NONE}


def read_prompt(request: Request) -> Prompt:
    """Raises BadInput naming a field that is missing or wrong, NotTranslatable one that no other format can honour."""
    body = spelled(Members(request.fields))
    config = one(body, "generationConfig")
    _refuse_what_cannot_be_honoured(body, config)
    lost = set(_unread(body, _READ, "")) | set(_unread(config, _READ_CONFIG, "generationConfig."))
    turns = read_turns(body, lost)
    tools = tuple(_tools(body, lost))
    tier = body.text("serviceTier").lower()
    return Prompt(
        turns=turns,
        is_stream=request.is_stream,
        tools=tools,
        tool_choice=_tool_choice(body, lost),
        max_tokens=config.integer("maxOutputTokens", 0, MOST_TOKENS),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=_whole(config, "topK"),
        seed=config.integer("seed", _LEAST, _MOST),
        presence_penalty=config.number("presencePenalty"),
        frequency_penalty=config.number("frequencyPenalty"),
        stop=config.texts("stopSequences"),
        reasoning=_reasoning(config),
        shape=_shape(config),
        top_logprobs=(config.integer("logprobs", 0, 100) or 0) if config.flag("responseLogprobs") else None,
        service_tier=_TIERS.get(tier, tier),
        lost=tuple(sorted(lost)),
    )


def _unread(found: Members, read: frozenset[str], before: str) -> Iterable[str]:
    return (before + name for name in found.fields if name not in read and found.has(name))


def _refuse_what_cannot_be_honoured(body: Members, config: Members) -> None:
    if (config.integer("candidateCount", 0, _MOST_ANSWERS) or 1) > 1:
        place = config.where("candidateCount")
        raise NotTranslatable(f"The model's API gives one answer a call: '{place}' must be 1.", param=place)
    if {word.upper() for word in config.texts("responseModalities")} - {"TEXT"}:
        raise NotTranslatable("The model's API answers with text only.", param=config.where("responseModalities"))
    if body.has("cachedContent"):
        raise NotTranslatable("What is kept in Google's cache cannot be read elsewhere.", param="cachedContent")
    if config.has("responseFormat"):
        raise NotTranslatable("This form of the answer cannot be asked for.", param=config.where("responseFormat"))


def _whole(config: Members, name: str) -> int | None:
    """A whole number, which may be written as 40.0."""
    found = config.number(name)
    if found is not None and (found != int(found) or abs(found) > _MOST):
        raise wrong_type(config.where(name), "a whole number")
    return None if found is None else int(found)


def _reasoning(config: Members) -> Reasoning | None:
    if not config.has("thinkingConfig"):
        return None
    found = one(config, "thinkingConfig")
    budget = found.integer("thinkingBudget", _AUTOMATIC, MOST_TOKENS)
    level = found.text("thinkingLevel").lower()
    return Reasoning(
        effort="" if level == "thinking_level_unspecified" else level,
        budget=None if budget == _AUTOMATIC else budget,
        is_shown=found.flag("includeThoughts"),
    )


def _shape(config: Members) -> Shape | None:
    kind = config.text("responseMimeType")
    if kind in ("", "text/plain"):
        return Shape(ShapeKind.TEXT) if kind else None
    if kind != "application/json":
        place = config.where("responseMimeType")
        raise NotTranslatable(f"The model's API cannot answer in '{kind}'.", param=place)
    schema = _schema(config, "responseJsonSchema", "responseSchema")
    if schema is None:
        return Shape(ShapeKind.JSON_OBJECT)
    return Shape(ShapeKind.JSON_SCHEMA, schema=schema)


def _schema(found: Members, full: str, older: str) -> msgspec.Raw | None:
    """A schema under the name of a full one or of Google's older kind."""
    if (schema := found.raw_object(full)) is not None:
        return schema
    schema = found.raw_object(older)
    return None if schema is None else json_schema(schema, found.where(older))


def _tools(body: Members, lost: set[str]) -> Iterable[Tool]:
    """Functions; Google's own tools are added to `lost` by their names."""
    for given in several(body, "tools"):
        lost.update(f"tools.{name}" for name in given.fields if name != "functionDeclarations")
        for declared in several(given, "functionDeclarations"):
            yield Tool(
                name=declared.needed_text("name"),
                description=declared.text("description"),
                schema=_schema(declared, "parametersJsonSchema", "parameters"),
            )


def _tool_choice(body: Members, lost: set[str]) -> ToolChoice | None:
    config = one(body, "toolConfig")
    lost.update(_unread(config, frozenset({"functionCallingConfig"}), "toolConfig."))
    if not config.has("functionCallingConfig"):
        return None
    found = one(config, "functionCallingConfig")
    word = found.text("mode").upper()
    allowed = found.texts("allowedFunctionNames")
    if word == "VALIDATED":
        return ToolChoice(ChoiceMode.AUTO, allowed=allowed)
    if word not in _MODES:
        raise NotTranslatable(f"The choice of tools '{word}' is not known.", param=found.where("mode"))
    mode = _MODES[word]
    if mode == ChoiceMode.REQUIRED and len(allowed) == 1:
        return ToolChoice(ChoiceMode.NAMED, name=allowed[0])
    return ToolChoice(mode, allowed=allowed if mode == ChoiceMode.REQUIRED else ())
