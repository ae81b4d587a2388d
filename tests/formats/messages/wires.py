"""Requests, answers and streams of Anthropic Messages as they are on the wire."""

from __future__ import annotations

import json
from typing import Any

from gateway.formats.messages.surface import read_request
from gateway.formats.request import Asked, Request

USER = {"role": "user", "content": "Hello"}
WEATHER = {
    "name": "weather",
    "description": "The weather of a place",
    "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
}


def request(*messages: Any, action: str = "", **body: Any) -> Request:
    sent = {"model": "m", "max_tokens": 100, "messages": list(messages) or [USER], **body}
    return read_request(Asked(json.dumps(sent).encode(), action=action))


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def message(*content: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 5},
        **fields,
    }


def start(**usage: Any) -> bytes:
    told = {"input_tokens": 10, "output_tokens": 1, **usage}
    return event("message_start", message=message(stop_reason=None, usage=told))


def block(index: int, **fields: Any) -> bytes:
    return event("content_block_start", index=index, content_block=fields)


def delta(index: int, **fields: Any) -> bytes:
    return event("content_block_delta", index=index, delta=fields)


def text(index: int, words: str) -> bytes:
    return delta(index, type="text_delta", text=words)


def stop(index: int) -> bytes:
    return event("content_block_stop", index=index)


def end(reason: str = "end_turn", **usage: Any) -> bytes:
    return event(
        "message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 5, **usage}
    )


PING = b'event: ping\ndata: {"type": "ping"}\n\n'
DONE = event("message_stop")
