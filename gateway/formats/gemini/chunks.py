"""Gemini's answers as they are decoded, whole ones and chunks of streams alike."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.formats.conversation_facts import encoded, hash_of
from gateway.formats.gemini.seals import unsealed
from gateway.formats.intermediate import ToolCall
from gateway.formats.messages.custom_tools import is_marked, unmarked_name, unwrapped
from gateway.model.registry import ApiFormat

_MISSING = msgspec.Raw(b"null")


class Call(msgspec.Struct):
    """`args` stay raw: their numbers must not change."""

    id: Any = None
    name: Any = None
    args: msgspec.Raw = _MISSING


class Part(msgspec.Struct):
    text: Any = None
    thought: Any = None
    thoughtSignature: Any = None
    functionCall: Call | None = None
    inlineData: Any = None
    fileData: Any = None
    executableCode: Any = None
    codeExecutionResult: Any = None


class Content(msgspec.Struct):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct):
    content: Content | None = None
    finishReason: Any = None
    index: Any = 0
    groundingMetadata: Any = None
    citationMetadata: Any = None
    logprobsResult: Any = None


class Chunk(msgspec.Struct):
    candidates: list[Candidate] | None = None
    promptFeedback: Any = None
    usageMetadata: Any = None
    modelVersion: Any = None
    responseId: Any = None
    error: Any = None


CHUNK = msgspec.json.Decoder(Chunk)

_LOST_OF_CANDIDATES = ("groundingMetadata", "citationMetadata", "logprobsResult")
_LOST_OF_PARTS = ("fileData", "executableCode", "codeExecutionResult")


def block_reason(chunk: Chunk) -> str:
    """Why the question was blocked; empty where it was not."""
    feedback = chunk.promptFeedback
    return text_or_empty(feedback.get("blockReason")) if isinstance(feedback, dict) else ""


def lost_of(candidate: Candidate) -> set[str]:
    return {name for name in _LOST_OF_CANDIDATES if getattr(candidate, name)}


def lost_of_part(part: Part) -> set[str]:
    return {f"parts.{name}" for name in _LOST_OF_PARTS if getattr(part, name)}


def seal_of(part: Part) -> tuple[str, ApiFormat]:
    """The signature on the part and the format that it belongs to."""
    return unsealed(text_or_empty(part.thoughtSignature))


def call_of(call: Call, answer_id: str, number: int) -> ToolCall:
    """The call, the `number`th of its answer. Without an id it is given one that other answers do not have."""
    name = text_or_empty(call.name)
    call_id = text_or_empty(call.id) or "call_" + hash_of([encoded(f"{answer_id}/{number}")])
    args = bytes(call.args)
    arguments = args.decode("utf-8", "replace") if args.startswith(b"{") else ""
    if is_marked(name):
        return ToolCall(call_id, unmarked_name(name), unwrapped(arguments), is_custom=True)
    return ToolCall(call_id, name, arguments)


def text_or_empty(value: Any) -> str:
    return value if isinstance(value, str) else ""


def inline_of(part: Part) -> tuple[str, str]:
    """Type and base64 of the file in the part; empty where there is none."""
    found = part.inlineData
    if not isinstance(found, dict):
        return "", ""
    return text_or_empty(found.get("mimeType")), text_or_empty(found.get("data"))
