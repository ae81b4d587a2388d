"""What the built-in demo backend says: OpenAI chat completions that repeat the last user message."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

FAULTS = ("429", "500", "503", "slow", "cut", "hang")
MODELS = ("echo", *FAULTS)
_NOTHING_SAID = "Send a message with the role user, and this demo repeats it."


class Question(msgspec.Struct, frozen=True):
    """A chat request as far as the demo understands it. `fault` is one of FAULTS or empty."""

    model: str
    text: str
    prompt_tokens: int
    is_stream: bool
    wants_usage: bool
    max_tokens: int | None
    fault: str


class Refused(Exception):
    """An answer with an error status, its headers and its JSON body."""

    def __init__(self, status: int, error: Mapping[str, object], headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.body = msgspec.json.encode({"error": {"param": None, "code": None} | dict(error)})
        self.headers = dict(headers or {})


def read_question(body: bytes, asked_fault: str, faults_count: bool) -> Question:
    """Raises Refused 400 for what is no chat request and 404 for a model that the demo does not have."""
    try:
        asked = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise _bad("We could not parse the JSON body of your request.") from None
    messages = asked.get("messages") if isinstance(asked, dict) else None
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise _bad("'messages' must be a list of at least one message.", "messages")
    model = str(asked.get("model", "")).removeprefix("demo/")
    if model not in MODELS:
        raise Refused(404, {"message": f"The model `{model}` does not exist.", "code": "model_not_found"} | _INVALID)
    fault = asked_fault or model
    options = asked.get("stream_options")
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    said = [_text(item.get("content")) for item in messages if item.get("role") == "user"]
    return Question(
        model=model,
        text=said[-1] if said else _NOTHING_SAID,
        prompt_tokens=sum(len(_words(_text(item.get("content")))) for item in messages),
        is_stream=asked.get("stream") is True,
        wants_usage=isinstance(options, dict) and options.get("include_usage") is True,
        max_tokens=limit if isinstance(limit, int) else None,
        fault=fault if faults_count and fault in FAULTS else "",
    )


def refuse(fault: str) -> None:
    """Raises the error answer of `fault`, where it is one that answers at once."""
    if fault == "429":
        raise Refused(429, _RATE_LIMITED, _RATE_LIMIT_HEADERS)
    if fault == "500":
        raise Refused(500, {"message": "The demo had an error, as it was asked to.", "type": "server_error"})
    if fault == "503":
        raise Refused(503, {"message": "The demo is overloaded, as it was asked to be.", "type": "server_error"})


def whole(question: Question) -> bytes:
    """The JSON of an answer that is not streamed."""
    words, finish = _reply(question)
    message: dict[str, object] = {"role": "assistant", "content": "".join(words), "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = _head(question, "chat.completion")
    return msgspec.json.encode(head | {"choices": [choice], "usage": _usage(question, len(words))})


def events(question: Question) -> Iterator[bytes]:
    """The server-sent events of a streamed answer, one word in each, `[DONE]` at the end.

    With `include_usage` every chunk has `usage: null`, and one more without choices has the figures.
    """
    words, finish = _reply(question)
    head = _head(question, "chat.completion.chunk") | ({"usage": None} if question.wants_usage else {})
    yield _event(head | _choice({"role": "assistant", "content": "", "refusal": None}, None))
    for word in words:
        yield _event(head | _choice({"content": word}, None))
    yield _event(head | _choice({}, finish))
    if question.wants_usage:
        yield _event(head | {"choices": [], "usage": _usage(question, len(words))})
    yield b"data: [DONE]\n\n"


def model_list() -> bytes:
    return msgspec.json.encode(
        {
            "object": "list",
            "data": [{"id": name, "object": "model", "created": 0, "owned_by": "demo"} for name in MODELS],
        }
    )


_INVALID: dict[str, object] = {"type": "invalid_request_error"}
_RATE_LIMITED = {
    "message": "Rate limit reached for the demo on requests per min (RPM): Limit 3, Used 3, Requested 1. "
    "Please try again in 20s.",
    "type": "requests",
    "code": "rate_limit_exceeded",
}
_RATE_LIMIT_HEADERS = {
    "retry-after": "20",
    "retry-after-ms": "20000",
    "x-ratelimit-limit-requests": "3",
    "x-ratelimit-remaining-requests": "0",
    "x-ratelimit-reset-requests": "20s",
    "x-ratelimit-limit-tokens": "40000",
    "x-ratelimit-remaining-tokens": "39989",
    "x-ratelimit-reset-tokens": "16ms",
}


def _bad(message: str, param: str | None = None) -> Refused:
    return Refused(400, _INVALID | {"message": message, "param": param})


def _reply(question: Question) -> tuple[list[str], str]:
    """The words of the answer and why it ends."""
    words = _words(question.text)
    if question.max_tokens is not None and 0 < question.max_tokens < len(words):
        return words[: question.max_tokens], "length"
    return words, "stop"


def _words(text: str) -> list[str]:
    """Pieces that make up `text` again; each counts as one token."""
    return re.findall(r"\s*\S+|\s+$", text)


def _text(content: object) -> str:
    """The text of a message, whose content is text or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))


def _head(question: Question, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-demo{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": question.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def _choice(delta: Mapping[str, object], finish: str | None) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}


def _usage(question: Question, words: int) -> dict[str, object]:
    return {
        "prompt_tokens": question.prompt_tokens,
        "completion_tokens": words,
        "total_tokens": question.prompt_tokens + words,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _event(chunk: Mapping[str, object]) -> bytes:
    return b"data: " + msgspec.json.encode(chunk) + b"\n\n"
