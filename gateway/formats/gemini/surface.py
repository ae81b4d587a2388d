"""Gemini generateContent: what routing reads of a request, and what metering reads of an answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats import conversation_facts as shared
from gateway.formats.body import Fields
from gateway.formats.gemini import endings
from gateway.formats.gemini.spelling import camel, one, spelled
from gateway.formats.members import Members
from gateway.formats.metering import AnswerFacts, characters, covering, error_message, members, message_of
from gateway.formats.request import Asked, Facts, Request
from gateway.formats.sse import event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.capabilities import JSON_SCHEMA, TOOLS, VISION
from gateway.model.registry import ApiFormat

COUNT = "countTokens"
MOST_TOKENS = 10_000_000
MOST_ANSWERS = 128
_MODELS = "models/"
_WHOLE = "generateContentRequest"  # a request inside the question for its tokens
_QUESTION = ("systemInstruction", "contents")
# A quote inside a JSON string has a backslash before it: text that tells of pictures is none.
_PICTURE = re.compile(rb'(?<!\\)"image/')
_SCHEMAS = ("responseSchema", "responseJsonSchema")

read_usage = endings.read_usage


def read_request(asked: Asked) -> Request:
    """Model and streaming are in the path. Raises BadInput naming the field that is missing or of the wrong type."""
    fields = bodies.parse_object(asked.body)
    question = _question(fields)
    contents = question.raw("contents")
    if contents is None:
        raise BadInput("The field 'contents' is missing.", param="contents", code="missing_required_parameter")
    if not (bodies.begins_with(contents, b"[") or bodies.begins_with(contents, b"{")):
        raise BadInput("The field 'contents' must be a list.", param="contents", code="invalid_type")
    config = one(question, "generationConfig")
    config.integer("maxOutputTokens", 0, MOST_TOKENS)
    config.integer("candidateCount", 0, MOST_ANSWERS)
    return Request(ApiFormat.GEMINI_GENERATE, asked.model, asked.is_stream, fields, action=asked.action)


def _question(fields: Fields) -> Members:
    """The request, also where it is inside the question for its tokens."""
    body = spelled(Members(fields))
    return one(body, _WHOLE) if body.has(_WHOLE) else body


def upstream_body(request: Request, model: str) -> bytes:
    """The client's fields, with the provider's name of the model wherever the body names one."""
    return bodies.encode_object(_renamed(request.fields, model))


def _renamed(fields: Fields, model: str) -> Fields:
    renamed = dict(fields)
    for name in fields:
        if name == "model":
            renamed[name] = bodies.raw(model if model.startswith(_MODELS) else _MODELS + model)
        elif camel(name) == _WHOLE:
            inner = Members(fields).object(name).fields
            renamed[name] = msgspec.Raw(bodies.encode_object(_renamed(inner, model)))
    return renamed


def facts(request: Request, default_output: int, session_header: str | None) -> Facts:
    """Raises BadInput for limits that are none. `default_output` tokens are reserved where the call sets no limit."""
    question = _question(request.fields)
    config = one(question, "generationConfig")
    given = config.integer("maxOutputTokens", 0, MOST_TOKENS)
    answers = config.integer("candidateCount", 0, MOST_ANSWERS) or 1
    return Facts(
        capabilities=_capabilities(question, config),
        tokens=shared.tokens_of(sum(len(question.fields[name]) for name in _QUESTION if question.has(name))),
        most_input=shared.most_tokens_of(shared.size_of(request.fields)),
        most_output=answers * (default_output if given is None else given),
        session="" if session_header is None else _session(request, question, session_header),
    )


def _session(request: Request, question: Members, header: str) -> str:
    told = [question.fields[name] for name in ("systemInstruction", "tools") if question.has(name)]
    return shared.session_name((header,), shared.beginning_of(request.model, told, question.raw("contents")))


def _capabilities(question: Members, config: Members) -> frozenset[str]:
    found = set()
    if shared.is_given(question.fields, "tools"):
        found.add(TOOLS)
    if any(config.has(name) for name in _SCHEMAS):
        found.add(JSON_SCHEMA)
    if any(_has_picture(question.fields[name]) for name in _QUESTION if question.has(name)):
        found.add(VISION)
    return frozenset(found)


def _has_picture(value: msgspec.Raw) -> bool:
    # A word is found sooner than a pattern.
    return bodies.holds(value, b'"image/') and _PICTURE.search(value) is not None


def asked_characters(request: Request) -> int:
    """Characters of text in the question."""
    question = _question(request.fields)
    return sum(characters(bodies.decode_any(question.fields[name])) for name in _QUESTION if question.has(name))


class StreamTap(msgspec.Struct):
    """A metering.Tap: any part with something in it is output, a reason for the end or for a block the end.

    Every chunk tells what was used up to it: until the end the usage is an estimate, of at least the text that came.
    """

    has_output: bool = False
    is_finished: bool = False
    error: str = ""
    told: Usage | None = None
    characters: int = 0
    said: str = ""
    answer_id: str = ""

    @property
    def usage(self) -> Usage | None:
        if self.told is None or self.is_finished:
            return self.told
        return covering(replace(self.told, source=UsageSource.ESTIMATED), self.characters)

    def read(self, event: bytes) -> bool:
        """Take note of one event. None tells its usage alone, so that it could be kept from a client."""
        payload = event_payload(event)
        if not payload:
            return False
        chunk = bodies.decode_any(payload)
        if isinstance(chunk, dict) and not chunk.get("error"):
            self._read_chunk(chunk)
        elif isinstance(chunk, dict | list):
            self.error = message_of(payload) or "the provider reported an error"
        else:
            self.has_output = True
        return False

    def _read_chunk(self, chunk: dict[str, Any]) -> None:
        usage = read_usage(chunk.get("usageMetadata"))
        if usage is not None:
            self.told = usage
        candidates = chunk.get("candidates")
        for candidate in candidates if isinstance(candidates, list) else ():
            self._read_candidate(members(candidate))
        if not candidates and members(chunk.get("promptFeedback")).get("blockReason"):
            self.has_output = self.is_finished = True

    def _read_candidate(self, candidate: dict[str, Any]) -> None:
        parts = members(candidate.get("content")).get("parts")
        for part in parts if isinstance(parts, list) else ():
            if any(value for value in members(part).values()):
                self.has_output = True
                self.characters += characters(part)
        if candidate.get("finishReason"):
            self.has_output = self.is_finished = True


class _Answer(msgspec.Struct):
    candidates: Any = None
    promptFeedback: Any = None
    usageMetadata: Any = None
    totalTokens: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200; that to a count of tokens is one too."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return AnswerFacts(message_of(body) or "the provider's answer is not a JSON object", None, 0)
    if answer.error:
        return AnswerFacts(error_message(answer.error) or "the provider reported an error", None, 0)
    usage = read_usage(answer.usageMetadata)
    if isinstance(answer.candidates, list) and answer.candidates:
        texts = (members(candidate).get("content") for candidate in answer.candidates)
        return AnswerFacts("", usage, sum(map(characters, texts)))
    if members(answer.promptFeedback).get("blockReason") or answer.totalTokens is not None:
        return AnswerFacts("", usage, 0)
    return AnswerFacts("the provider's answer has no candidates", usage, 0)


def count_answer(tokens: int) -> bytes:
    """The answer to a count of tokens."""
    return msgspec.json.encode({"totalTokens": tokens})
