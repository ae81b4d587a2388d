"""Gemini generateContent: a whole answer, read and written."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.formats.gemini import chunks
from gateway.formats.gemini.chunks import CHUNK, Candidate, Chunk, text_or_empty
from gateway.formats.gemini.endings import MALFORMED_CALL, finish_reason, is_failure, read_stop, read_usage, write_usage
from gateway.formats.gemini.seals import GEMINI, sealed
from gateway.formats.gemini.write_contents import arguments_object
from gateway.formats.intermediate import (
    Answer,
    Audio,
    BadAnswer,
    File,
    Image,
    Part,
    Refusal,
    Stop,
    Text,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.messages.custom_tools import marked_name, wrapped
from gateway.formats.metering import error_message, message_of

Block = dict[str, Any]


def read_whole(body: bytes) -> Answer:
    """Raises BadAnswer where it is not an answer. Of several candidates the first one is read."""
    try:
        body.decode()
        found = CHUNK.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer(message_of(body) or "The provider's answer is not one of Gemini's.") from None
    if found.error:
        raise BadAnswer(error_message(found.error) or "The provider reported an error.")
    if found.candidates:
        return _answer(found, found.candidates[0])
    if not chunks.block_reason(found):
        raise BadAnswer("The provider's answer has no candidates.")
    return _answer(found, Candidate(finishReason="SAFETY"))


def _answer(found: Chunk, candidate: Candidate) -> Answer:
    if is_failure(candidate.finishReason):
        raise BadAnswer("The provider's model failed to write its answer.")
    lost = chunks.lost_of(candidate)
    if found.candidates is not None and len(found.candidates) > 1:
        lost.add("candidates")
    answer_id = text_or_empty(found.responseId)
    parts: list[Part] = []
    for given in (candidate.content.parts or []) if candidate.content is not None else []:
        lost |= chunks.lost_of_part(given)
        parts += _parts(given, answer_id, sum(isinstance(part, ToolCall) for part in parts))
    return Answer(
        id=answer_id,
        model=text_or_empty(found.modelVersion),
        parts=tuple(parts),
        stop=read_stop(candidate.finishReason, calls=any(isinstance(part, ToolCall) for part in parts)),
        usage=read_usage(found.usageMetadata),
        lost=tuple(sorted(lost)),
    )


def _parts(given: chunks.Part, answer_id: str, calls: int) -> list[Part]:
    """The part, after the signature on it where it is not a thought itself."""
    text = text_or_empty(given.text)
    signature, origin = chunks.seal_of(given)
    if given.thought is True:
        return [Thinking(text, signature, origin)] if text or signature else []
    parts: list[Part] = [Thinking(signature=signature, origin=origin)] if signature else []
    if given.functionCall is not None:
        parts.append(chunks.call_of(given.functionCall, answer_id, calls))
    elif given.inlineData is not None:
        parts.append(_media(*chunks.inline_of(given)))
    elif text:
        parts.append(Text(text))
    return parts


def _media(media_type: str, encoded: str) -> Part:
    if media_type.startswith("audio/"):
        return Audio(encoded, media_type)
    if media_type.startswith("image/"):
        return Image(data=encoded, media_type=media_type)
    return File(data=encoded, media_type=media_type)


def write_whole(answer: Answer, told: Told) -> bytes:
    """The answer as Google's SDK reads it. A call whose arguments are no object cannot be one of Gemini's: it is told
    as such, unless the answer was cut off in it.
    """
    parts, seal = [], ""
    malformed = ""
    for part in answer.parts:
        if isinstance(part, Thinking) and part.origin == GEMINI and not part.text:
            seal = part.signature
            continue
        block = part_block(part)
        if block is None:
            malformed = malformed or _malformed(part)
            continue
        parts.append(block | _signature(seal))
        seal = ""
    if seal:
        parts.append({"text": ""} | _signature(seal))
    refuses = any(isinstance(part, Refusal) for part in answer.parts)
    candidate: Block = {"content": {"parts": parts, "role": "model"}} | ending(answer.stop, malformed, refuses=refuses)
    return msgspec.json.encode(
        {
            "candidates": [candidate],
            "usageMetadata": write_usage(answer.usage or told.estimate),
            "modelVersion": told.model or answer.model,
            "responseId": answer.id or told.call_id,
        }
    )


def ending(stop: Stop, malformed: str, *, refuses: bool) -> Block:
    """The members of a candidate that end it; `malformed` is the first call that could not be written."""
    if malformed and stop not in (Stop.LENGTH, Stop.CONTEXT):
        return {"finishReason": MALFORMED_CALL, "finishMessage": malformed, "index": 0}
    return {"finishReason": finish_reason(stop, refuses=refuses), "index": 0}


def part_block(part: Part) -> Block | None:
    """None for a part that Gemini has no form for."""
    match part:
        case Text() | Refusal():
            return {"text": part.text}
        case Thinking():
            return {"text": part.text, "thought": True} | _signature(sealed(part.signature, part.origin))
        case ToolCall():
            return call_block(part)
        case Image() if part.url:
            return {"fileData": {"fileUri": part.url} | ({"mimeType": part.media_type} if part.media_type else {})}
        case Image() | Audio() | File():
            return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
        case _:
            return None


def call_block(call: ToolCall) -> Block | None:
    """None where the arguments are no object."""
    args = wrapped(call.arguments) if call.is_custom else arguments_object(call.arguments)
    if args is None:
        return None
    name = marked_name(call.name) if call.is_custom else call.name
    return {"functionCall": {"id": call.id, "name": name, "args": args}}


def malformed_call(call: ToolCall) -> str:
    return f"Malformed function call: {call.name}({call.arguments})"


def _malformed(part: Part) -> str:
    return malformed_call(part) if isinstance(part, ToolCall) else ""


def _signature(seal: str) -> Block:
    return {"thoughtSignature": seal} if seal else {}
