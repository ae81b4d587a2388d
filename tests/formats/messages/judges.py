"""The official SDK's types as judges of what is written in Anthropic Messages."""

from __future__ import annotations

import json
from typing import Any

from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from pydantic import TypeAdapter

_REQUEST: TypeAdapter[Any] = TypeAdapter(MessageCreateParamsNonStreaming)
_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def judged_request(body: bytes) -> dict[str, Any]:
    """The body, decoded; raises where it is none that the SDK would send."""
    sent: dict[str, Any] = json.loads(body)
    judged = {name: value for name, value in sent.items() if name != "stream"}
    _walk(_REQUEST.validate_python(judged, strict=True))
    return sent


def _walk(value: Any) -> None:
    """Lists are only judged when they are walked through."""
    if isinstance(value, dict):
        for inner in value.values():
            _walk(inner)
    elif not isinstance(value, str | bytes | int | float | None):
        for inner in value:
            _walk(inner)


def judged_answer(body: bytes) -> Message:
    return Message.model_validate_json(body, strict=True)


def judged_events(stream: bytes) -> list[dict[str, Any]]:
    """The payloads of a stream's events, each judged, and each named as its type says."""
    payloads = []
    for event in stream.decode().split("\n\n"):
        if not event:
            continue
        name, line = event.split("\n")
        payload = json.loads(line.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        if payload["type"] != "ping":
            _EVENT.validate_json(line.removeprefix("data: "), strict=True)
        payloads.append(payload)
    return payloads
