"""Formats that only pass: completions, embeddings, moderations, pictures, sound, reranking. They differ by a table.

Of a request the model and the size of its text are read, of an answer its usage and whether it is one at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.metering import AnswerFacts, characters, count, error_message, members
from gateway.formats.request import Asked, Facts, Request
from gateway.formats.sse import DONE, event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat

_BYTES_PER_TOKEN = 3
_CHARACTERS_PER_TOKEN = 4


class Simple(msgspec.Struct, frozen=True):
    """What is different about one of these formats.

    `asked` are the fields with the question's text, the first of them required; `answered` is the member that every
    whole JSON answer has, empty where answers need not be JSON. `default_model` serves where the client names none,
    as the provider's own default would. `has_output`: its answers are made of tokens, so that a limit on them counts.
    """

    api_format: ApiFormat
    asked: tuple[str, ...]
    answered: str
    default_model: str = ""
    has_output: bool = False


COMPLETIONS = Simple(ApiFormat.OPENAI_COMPLETIONS, ("prompt", "suffix"), "choices", has_output=True)
EMBEDDINGS = Simple(ApiFormat.OPENAI_EMBEDDINGS, ("input",), "data")
MODERATIONS = Simple(ApiFormat.OPENAI_MODERATIONS, ("input",), "results", "omni-moderation-latest")
IMAGES = Simple(ApiFormat.OPENAI_IMAGES, ("prompt",), "data", "gpt-image-1", has_output=True)
AUDIO = Simple(ApiFormat.OPENAI_AUDIO, ("input", "instructions"), "", has_output=True)
RERANK = Simple(ApiFormat.RERANK, ("query", "documents"), "results")

_TOLD = ("error", "usage", "choices", "delta", "text", "type")
_NULL = bodies.raw(None)
_MOST_TOKENS = 10_000_000
_MOST_ANSWERS = 128


def read_request(simple: Simple, asked: Asked) -> Request:
    """Raises BadInput naming the field that is missing or of the wrong type."""
    fields = bodies.parse_object(asked.body)
    if simple.default_model and bodies.is_null(fields.get("model", b"null")):
        fields = {"model": bodies.raw(simple.default_model), **{k: v for k, v in fields.items() if k != "model"}}
    model = bodies.text_field(fields, "model")
    needed = simple.asked[0]
    if bodies.is_null(fields.get(needed, b"null")):
        raise BadInput(f"The field '{needed}' is missing.", param=needed, code="missing_required_parameter")
    bodies.integer_field(fields, "n", 1, _MOST_ANSWERS)
    bodies.integer_field(fields, "max_tokens", 0, _MOST_TOKENS)
    options = members(bodies.decode_any(fields.get("stream_options", b"null")))
    return Request(
        api_format=simple.api_format,
        model=model,
        is_stream=bodies.bool_field(fields, "stream"),
        fields=fields,
        wants_usage=options.get("include_usage") is True,
        action=asked.action,
    )


def facts(simple: Simple, request: Request, default_output: int, session_header: str | None) -> Facts:
    """A question has no conversation here: `session_header` alone holds calls together."""
    fields = request.fields
    text = sum(len(fields[name]) for name in simple.asked if name in fields)
    size = sum(map(len, fields.values()))
    limit = bodies.integer_field(fields, "max_tokens", 0, _MOST_TOKENS)
    answers = bodies.integer_field(fields, "n", 1, _MOST_ANSWERS) or 1
    most = answers * (default_output if limit is None else limit) if simple.has_output else 0
    return Facts(
        tokens=-(-text // _CHARACTERS_PER_TOKEN),
        most_input=-(-size // _BYTES_PER_TOKEN),
        most_output=most,
        session=session_header or "",
    )


def asked_characters(simple: Simple, request: Request) -> int:
    """Characters of text in the question."""
    return sum(characters(bodies.decode_any(request.fields[name])) for name in simple.asked if name in request.fields)


def read_answer(simple: Simple, body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200. Where it need not be JSON, any bytes but none are one."""
    try:
        fields = bodies.parse_object(body)
    except BadInput:
        if simple.answered:
            return AnswerFacts("the provider's answer is not a JSON object", None, 0)
        return AnswerFacts("" if body else "the provider's answer is empty", None, _text_size(body))
    # Embeddings and pictures are megabytes of what nobody here wants to know.
    told = {name: bodies.decode_any(fields[name]) for name in _TOLD if name in fields}
    if told.get("error"):
        return AnswerFacts(error_message(told["error"]) or "the provider reported an error", None, 0)
    if simple.answered and not bodies.begins_with(fields.get(simple.answered, _NULL), b"["):
        return AnswerFacts(f"the provider's answer has no {simple.answered}", None, 0)
    return AnswerFacts("", read_usage(told.get("usage")), characters(_said(told)) if simple.has_output else 0)


def read_usage(found: Any) -> Usage | None:
    """A usage object in the words of any of these formats; None where it tells no tokens."""
    told = members(found)
    question = next((told[name] for name in ("prompt_tokens", "input_tokens", "total_tokens") if name in told), None)
    answer = next((told[name] for name in ("completion_tokens", "output_tokens") if name in told), None)
    if question is None and answer is None:
        return None
    details = members(told.get("prompt_tokens_details") or told.get("input_tokens_details"))
    asked = count(question)
    cached = min(count(details.get("cached_tokens")), asked)
    return Usage(input=asked - cached, output=count(answer), cache_read=cached, source=UsageSource.REPORTED)


class StreamTap(msgspec.Struct):
    """A metering.Tap for events of completions (`choices`, then [DONE]), of pictures and of sound (`type`)."""

    has_output: bool = False
    is_finished: bool = False
    error: str = ""
    usage: Usage | None = None
    characters: int = 0
    said: str = ""
    answer_id: str = ""

    def read(self, event: bytes) -> bool:
        payload = event_payload(event)
        if not payload:
            return False
        if payload == DONE:
            self.is_finished = True
            return False
        found = bodies.decode_any(payload)
        if not isinstance(found, dict):
            self.has_output = True
            return False
        kind = found.get("type")
        if found.get("error") or kind == "error":
            self.error = error_message(found.get("error") or found) or "the provider reported an error"
            return False
        usage = read_usage(found.get("usage"))
        self.usage = usage or self.usage
        choices = found.get("choices")
        if usage is not None and choices == []:
            return True
        self.has_output = True
        if isinstance(kind, str) and kind.endswith((".done", ".completed")):
            self.is_finished = True
            return False
        self.characters += characters(_said(found))
        ended = isinstance(choices, list) and any(members(choice).get("finish_reason") for choice in choices)
        self.is_finished = self.is_finished or ended
        return False


def _said(found: Mapping[str, Any]) -> Any:
    """The text of an answer or a chunk."""
    choices = found.get("choices")
    if isinstance(choices, list):
        return [members(choice).get("text") for choice in choices]
    delta = found.get("delta", found.get("text"))
    return None if "audio" in str(found.get("type")) else delta


def _text_size(body: bytes) -> int:
    """Characters of an answer that is text; sound has none."""
    try:
        return len(body.decode("utf-8"))
    except UnicodeDecodeError:
        return 0
