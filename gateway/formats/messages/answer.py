"""Whole answers in Anthropic Messages, read and written."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.formats.body import Fields
from gateway.formats.intermediate import Answer, BadAnswer, Part, Refusal, Stop, Text, Thinking, Told, ToolCall
from gateway.formats.messages.custom_tools import is_marked, unmarked_name, unwrapped, wrapped
from gateway.formats.messages.endings import explanation_of, read_stop, stop_reason, write_usage
from gateway.formats.messages.read_blocks import HERE, REDACTED, redacted, signature_of
from gateway.formats.messages.surface import read_usage
from gateway.formats.metering import error_message
from gateway.formats.signatures import marked


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    citations: Any = None


class _Answer(msgspec.Struct):
    content: list[_Block]
    id: str | None = None
    model: str | None = None
    stop_reason: Any = None
    stop_sequence: Any = None
    stop_details: Any = None
    usage: Any = None


class _Fault(msgspec.Struct):
    error: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)
_FAULT = msgspec.json.Decoder(_Fault)
_OBJECT = msgspec.json.Decoder(Fields)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes) -> Answer:
    """Raises BadAnswer for an error, and for what is no message."""
    try:
        found = _ANSWER.decode(body)
    except _UNREADABLE as error:
        raise BadAnswer(_reported(body) or f"the provider's answer is not a message: {error}") from None
    lost: set[str] = set()
    parts = tuple(part for block in found.content if (part := _part(block, lost)) is not None)
    if why := explanation_of(found.stop_details):
        parts = (*parts, Refusal(why))
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    return Answer(
        id=found.id or "",
        model=found.model or "",
        parts=parts,
        stop=read_stop(found.stop_reason, has_calls=has_calls),
        stop_sequence=found.stop_sequence if isinstance(found.stop_sequence, str) else "",
        usage=read_usage(found.usage),
        lost=tuple(sorted(lost)),
    )


def _reported(body: bytes) -> str:
    try:
        return error_message(_FAULT.decode(body).error)
    except _UNREADABLE:
        return ""


def _part(block: _Block, lost: set[str]) -> Part | None:
    if block.citations:
        lost.add("messages.citations")
    if block.type == "text":
        return Text(block.text or "")
    if block.type == "thinking":
        return Thinking(block.thinking or "", *signature_of(block.signature or ""))
    if block.type == "redacted_thinking":
        return redacted(block.data or "")
    if block.type == "tool_use":
        return call_of(block.id or "", block.name or "", _arguments(block.input))
    lost.add(f"messages.{block.type[:100]}")
    return None


def _arguments(found: msgspec.Raw) -> str:
    text = bytes(found)
    return "" if text == b"null" else text.decode("utf-8", "replace")


def call_of(call_id: str, name: str, arguments: str) -> ToolCall:
    """A call, of a tool for free text where its name is marked as one's."""
    if is_marked(name):
        return ToolCall(call_id, unmarked_name(name), unwrapped(arguments), is_custom=True)
    return ToolCall(call_id, name, arguments)


def write_whole(answer: Answer, told: Told) -> bytes:
    """The answer as Anthropic's SDK reads it. Pictures and sound have no place in it."""
    has_calls = any(isinstance(part, ToolCall) for part in answer.parts)
    refuses = any(isinstance(part, Refusal) for part in answer.parts)
    reason = stop_reason(answer.stop, has_calls=has_calls, refuses=refuses)
    return msgspec.json.encode(
        {
            "id": answer.id or f"msg_{told.call_id}",
            "type": "message",
            "role": "assistant",
            "model": told.model or answer.model,
            "content": [block for part in answer.parts if (block := _block(part)) is not None],
            "stop_reason": reason,
            "stop_sequence": stop_sequence(answer.stop, answer.stop_sequence),
            "usage": write_usage(answer.usage or told.estimate),
        }
    )


def stop_sequence(stop: Stop, found: str) -> str | None:
    """The sequence that ended the answer, where one did."""
    return found or None if stop is Stop.STOP_SEQUENCE else None


def _block(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text | Refusal):
        return {"type": "text", "text": part.text}
    if isinstance(part, Thinking):
        return _thought(part)
    if isinstance(part, ToolCall):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": _input(part)}
    return None


def _thought(part: Thinking) -> dict[str, Any]:
    if not part.text and (data := redacted_data(part.signature, part.origin)):
        return {"type": "redacted_thinking", "data": data}
    return {"type": "thinking", "thinking": part.text, "signature": marked(part.signature, part.origin, HERE)}


def redacted_data(signature: str, origin: Any) -> str:
    """The data of a thought without text, where it is to be told as one that was redacted; empty otherwise."""
    if origin in (None, HERE):
        return signature.removeprefix(REDACTED) if signature.startswith(REDACTED) else ""
    return marked(signature, origin, HERE)


def _input(part: ToolCall) -> msgspec.Raw:
    """Arguments as they are. What is no object, because it was cut or is free text, is put into one."""
    if part.is_custom:
        return wrapped(part.arguments)
    found = msgspec.Raw(part.arguments.strip().encode("utf-8", "replace") or b"{}")
    try:
        _OBJECT.decode(found)
    except _UNREADABLE:
        return wrapped(part.arguments)
    return found


def count_answer(tokens: int) -> bytes:
    """The answer to a request to count tokens."""
    return msgspec.json.encode({"input_tokens": tokens})
