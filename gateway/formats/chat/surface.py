"""OpenAI chat completions: what routing reads of a request, and what metering reads of an answer."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.errors import BadInput
from gateway.formats import body as bodies
from gateway.formats.metering import AnswerFacts, characters, count, error_message
from gateway.formats.request import Asked, Request
from gateway.formats.sse import DONE, event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat

_CHAT, _REPORTED = ApiFormat.OPENAI_CHAT, UsageSource.REPORTED
MOST_TOKENS = 10_000_000
MOST_ANSWERS = 128
_ASKING = bodies.exactly('{"include_usage":true}')
_NUMBERS = {"n": (1, MOST_ANSWERS), "max_tokens": (0, MOST_TOKENS), "max_completion_tokens": (0, MOST_TOKENS)}


def read_request(asked: Asked) -> Request:
    """Raises BadInput naming the field that is missing or of the wrong type."""
    fields = bodies.parse_object(asked.body)
    model = bodies.text_field(fields, "model")
    messages = fields.get("messages")
    if messages is None:
        raise BadInput("The field 'messages' is missing.", param="messages", code="missing_required_parameter")
    if not bodies.begins_with(messages, b"["):
        raise BadInput("The field 'messages' must be a list.", param="messages", code="invalid_type")
    for name, (lowest, highest) in _NUMBERS.items():
        if name in fields:
            bodies.integer_field(fields, name, lowest, highest)
    options = bodies.decode_any(fields["stream_options"]) if "stream_options" in fields else None
    return Request(
        api_format=_CHAT,
        model=model,
        is_stream=bodies.bool_field(fields, "stream") if "stream" in fields else False,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        fields=fields,
        source=asked.body,
    )


def upstream_body(request: Request, model: str) -> bytes:
    """The client's fields with the provider's name of the model, in the order they came."""
    return bodies.encode_object({**request.fields, "model": bodies.name(model)})


def asking_usage(request: Request) -> Request | None:
    """The same stream with the usage chunk asked for, whose options we can read; None where that is not to be."""
    if not request.is_stream or request.wants_usage:
        return None
    found = request.fields.get("stream_options")
    options = None if found is None else bodies.decode_any(found)
    if options is not None and not isinstance(options, dict):
        return None
    asking = bodies.raw({**options, "include_usage": True}) if options else _ASKING
    return request.with_fields({**request.fields, "stream_options": asking})


def not_asking_usage(body: bytes) -> bytes:
    """A body of ours without its wish for the usage chunk, for servers that do not know it."""
    fields = bodies.parse_object(body)
    fields.pop("stream_options", None)
    return bodies.encode_object(fields)


def asked_characters(request: Request) -> int:
    """Characters of text in the question."""
    return characters(bodies.decode_any(request.fields["messages"]))


class _Chunk(msgspec.Struct):
    choices: Any = None
    usage: Any = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class StreamTap(msgspec.Struct):
    """A metering.Tap: every delta but the role is output, a finish reason or [DONE] the end."""

    has_output: bool = False
    is_finished: bool = False
    saw_done: bool = False
    error: str = ""
    usage: Usage | None = None
    characters: int = 0
    answer_id: str = ""
    said: str = ""

    def read(self, event: bytes) -> bool:
        """Take note of one event; True where it is the usage chunk and nothing else."""
        self.said = ""
        payload = event_payload(event)
        if not payload:
            return False
        if payload == DONE:
            self.saw_done = self.is_finished = True
            return False
        try:
            chunk = _CHUNK.decode(payload)
        except _UNREADABLE:
            self.has_output = True
            return False
        if chunk.error:
            self.error = error_message(chunk.error) or "the provider reported an error"
            return False
        usage = read_usage(chunk.usage)
        if usage is not None:
            self.usage = usage
        if not isinstance(chunk.choices, list):
            self.has_output = True
            return False
        self._read_choices(chunk.choices)
        if usage is None:
            return False
        self.said = ""
        return not chunk.choices

    def _read_choices(self, choices: list[Any]) -> None:
        for choice in choices:
            self._read_choice(choice)
        if len(choices) > 1:
            self.said = ""

    def _read_choice(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            told = [value for name, value in delta.items() if value and name != "role"]
            for value in told:
                self.has_output = True
                self.characters += characters(value)
            if len(told) == 1 and isinstance(told[0], str):
                self.said = told[0]
        if choice.get("finish_reason"):
            self.has_output = self.is_finished = True
            self.said = ""


class _Answer(msgspec.Struct):
    choices: Any = None
    usage: Any = None
    error: Any = None


class _InputDetails(msgspec.Struct):
    cached_tokens: int = 0
    cache_creation_tokens: int = 0
    cache_write_tokens: int = 0


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int = 0


class _Counted(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Common(msgspec.Struct):
    """An answer as nearly all are. Of its text nothing is decoded, as its usage is told."""

    choices: list[msgspec.Raw]
    usage: _Counted
    error: None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_COMMON = msgspec.json.Decoder(_Common)


def read_answer(body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200. Characters are counted where no usage is told."""
    try:
        return AnswerFacts("", _usage(_COMMON.decode(body).usage), 0)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_closely(body)


def _usage(told: _Counted) -> Usage:
    inputs, outputs = told.prompt_tokens_details, told.completion_tokens_details
    return usage_of(
        count(told.prompt_tokens),
        count(told.completion_tokens),
        read=0 if inputs is None else count(inputs.cached_tokens),
        written=0 if inputs is None else count(inputs.cache_creation_tokens or inputs.cache_write_tokens),
        reasoning=0 if outputs is None else count(outputs.reasoning_tokens),
    )


def _read_closely(body: bytes) -> AnswerFacts:
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return AnswerFacts("the provider's answer is not a JSON object", None, 0)
    if answer.error:
        return AnswerFacts(error_message(answer.error) or "the provider reported an error", None, 0)
    if not isinstance(answer.choices, list):
        return AnswerFacts("the provider's answer has no choices", None, 0)
    usage = read_usage(answer.usage)
    texts = [choice.get("message") for choice in answer.choices if isinstance(choice, dict)] if usage is None else []
    return AnswerFacts("", usage, sum(characters(text) for text in texts))


def read_usage(found: Any) -> Usage | None:
    """OpenAI's usage object. Its prompt tokens include the cached ones; here each is counted once."""
    if not isinstance(found, dict) or "prompt_tokens" not in found and "completion_tokens" not in found:
        return None
    prompt, output = count(found.get("prompt_tokens")), count(found.get("completion_tokens"))
    inputs = found.get("prompt_tokens_details")
    outputs = found.get("completion_tokens_details")
    inputs = inputs if isinstance(inputs, dict) else {}
    outputs = outputs if isinstance(outputs, dict) else {}
    return usage_of(
        prompt,
        output,
        read=count(inputs.get("cached_tokens")),
        written=count(inputs.get("cache_creation_tokens") or inputs.get("cache_write_tokens")),
        reasoning=count(outputs.get("reasoning_tokens")),
    )


def usage_of(prompt: int, output: int, *, read: int, written: int, reasoning: int) -> Usage:
    """`prompt` tokens have those in them that were `read` from a cache and `written` to it."""
    read = min(read, prompt)
    written = min(written, prompt - read)
    return Usage(
        input=prompt - read - written,
        output=output,
        cache_read=read,
        cache_creation=written,
        reasoning=reasoning,
        source=_REPORTED,
    )
