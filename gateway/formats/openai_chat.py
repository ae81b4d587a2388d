"""OpenAI chat completions: what routing reads of a request, and what metering reads of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.errors import BadInput, GatewayError
from gateway.formats import body as bodies
from gateway.formats.body import Fields
from gateway.formats.sse import event_payload
from gateway.model.calls import Usage, UsageSource

DONE = b"[DONE]"
MOST_TOKENS = 10_000_000
MOST_ANSWERS = 128
_MOST_COUNTED = 10**12


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`fields` are the body's; `wants_usage` is whether the client asked for the usage chunk of a stream."""

    model: str
    is_stream: bool
    wants_usage: bool
    fields: Fields


def read_request(body: bytes) -> ChatRequest:
    """Raises BadInput naming the field that is missing or of the wrong type."""
    fields = bodies.parse_object(body)
    model = bodies.text_field(fields, "model")
    messages = fields.get("messages")
    if messages is None:
        raise BadInput("The field 'messages' is missing.", param="messages", code="missing_required_parameter")
    if not bytes(messages).startswith(b"["):
        raise BadInput("The field 'messages' must be a list.", param="messages", code="invalid_type")
    bodies.integer_field(fields, "n", 1, MOST_ANSWERS)
    bodies.integer_field(fields, "max_tokens", 0, MOST_TOKENS)
    bodies.integer_field(fields, "max_completion_tokens", 0, MOST_TOKENS)
    options = bodies.decode_any(fields["stream_options"]) if "stream_options" in fields else None
    return ChatRequest(
        model=model,
        is_stream=bodies.bool_field(fields, "stream"),
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        fields=fields,
    )


def upstream_body(request: ChatRequest, upstream_model: str, *, injects_usage: bool) -> bytes:
    """The client's fields with the provider's name of the model, and the usage chunk asked for if wished."""
    fields = dict(request.fields)
    fields["model"] = bodies.raw(upstream_model)
    if injects_usage:
        options = bodies.decode_any(fields["stream_options"]) if "stream_options" in fields else None
        fields["stream_options"] = bodies.raw({**(options or {}), "include_usage": True})
    return bodies.encode_object(fields)


def may_inject_usage(request: ChatRequest) -> bool:
    """Whether to ask for usage on the client's behalf: a stream whose options we can read."""
    if not request.is_stream or request.wants_usage:
        return False
    options = request.fields.get("stream_options")
    return options is None or bodies.decode_any(options) is None or isinstance(bodies.decode_any(options), dict)


@dataclass(slots=True)
class StreamTap:
    """Reads along a stream of events without changing them.

    `has_output`: something real came (not only a role, a ping or a comment). `is_finished`: the answer said
    that it is complete. `error` is the message of an error event. `characters` of text came so far.
    """

    has_output: bool = False
    is_finished: bool = False
    saw_done: bool = False
    error: str = ""
    usage: Usage | None = None
    characters: int = 0

    def read(self, event: bytes) -> bool:
        """Take note of one event; True where it is the usage chunk and nothing else."""
        payload = event_payload(event)
        if not payload:
            return False
        if payload == DONE:
            self.saw_done = self.is_finished = True
            return False
        chunk = bodies.decode_any(payload)
        if not isinstance(chunk, dict):
            self.has_output = True
            return False
        if chunk.get("error"):
            self.error = error_message(chunk["error"]) or "the provider reported an error"
            return False
        usage = read_usage(chunk.get("usage"))
        if usage is not None:
            self.usage = usage
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            self.has_output = True
            return False
        for choice in choices:
            self._read_choice(choice)
        return usage is not None and not choices

    def _read_choice(self, choice: Any) -> None:
        if not isinstance(choice, dict):
            return
        delta = choice.get("delta")
        if isinstance(delta, dict):
            for name, value in delta.items():
                if name != "role" and value:
                    self.has_output = True
                    self.characters += _characters(value)
        if choice.get("finish_reason"):
            self.has_output = self.is_finished = True


def is_whole_event(rest: bytes) -> bool:
    """Whether what came after the last event is one more, only without its empty line, and not a torn one."""
    payload = event_payload(rest)
    return payload == DONE or isinstance(bodies.decode_any(payload), dict)


@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What a whole answer says: `fault` is why it is not one, empty where it is."""

    fault: str
    usage: Usage | None
    characters: int


class _Answer(msgspec.Struct):
    choices: Any = None
    usage: Any = None
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_answer(body: bytes) -> AnswerFacts:
    """Look at a whole answer with status 200."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return AnswerFacts("the provider's answer is not a JSON object", None, 0)
    if answer.error:
        return AnswerFacts(error_message(answer.error) or "the provider reported an error", None, 0)
    if not isinstance(answer.choices, list):
        return AnswerFacts("the provider's answer has no choices", None, 0)
    texts = [choice.get("message") for choice in answer.choices if isinstance(choice, dict)]
    return AnswerFacts("", read_usage(answer.usage), sum(_characters(text) for text in texts))


def read_usage(found: Any) -> Usage | None:
    """OpenAI's usage object. Its prompt tokens include the cached ones; here each is counted once."""
    if not isinstance(found, dict) or "prompt_tokens" not in found and "completion_tokens" not in found:
        return None
    prompt, output = _count(found.get("prompt_tokens")), _count(found.get("completion_tokens"))
    inputs = found.get("prompt_tokens_details")
    outputs = found.get("completion_tokens_details")
    inputs = inputs if isinstance(inputs, dict) else {}
    outputs = outputs if isinstance(outputs, dict) else {}
    read = min(_count(inputs.get("cached_tokens")), prompt)
    written = min(_count(inputs.get("cache_creation_tokens") or inputs.get("cache_write_tokens")), prompt - read)
    return Usage(
        input=prompt - read - written,
        output=output,
        cache_read=read,
        cache_creation=written,
        reasoning=_count(outputs.get("reasoning_tokens")),
        source=UsageSource.REPORTED,
    )


def estimate_usage(request: ChatRequest, characters: int) -> Usage:
    """Four characters a token, rounded up: what is written down where the provider gave no usage."""
    asked = _characters(bodies.decode_any(request.fields["messages"]))
    return Usage(input=-(-asked // 4), output=-(-characters // 4), source=UsageSource.ESTIMATED)


def error_body(error: GatewayError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": _error_object(error, request_id)})


def error_event(error: GatewayError, request_id: str) -> bytes:
    """The end of a stream that broke: one error event and no [DONE]."""
    return b"data: " + error_body(error, request_id) + b"\n\n"


def _error_object(error: GatewayError, request_id: str) -> dict[str, object]:
    return {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
        **error.details,
    }


def message_of(body: bytes) -> str:
    """What a provider's error body says; empty where it says nothing that can be read."""
    found = bodies.decode_any(body)
    return error_message(found.get("error", found)) if isinstance(found, dict) else ""


def error_message(error: Any) -> str:
    """The words of a provider's error, whatever its shape; at most 500 characters."""
    if isinstance(error, dict):
        error = error.get("message") or error.get("error") or error.get("detail") or error.get("code")
        if isinstance(error, dict):
            error = error.get("message")
    return error[:500] if isinstance(error, str) else ""


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= _MOST_COUNTED else 0


_NOT_TEXT = frozenset({"image_url", "input_audio", "file", "data", "id", "type", "role", "audio", "encrypted"})


def _characters(value: Any) -> int:
    """Characters of the text in a message, a delta or a list of them; pictures and sound do not count."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_characters(item) for item in value)
    if isinstance(value, dict):
        return sum(_characters(item) for name, item in value.items() if name not in _NOT_TEXT)
    return 0
