"""Whole answers in OpenAI Responses, read and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.formats.intermediate import Answer, BadAnswer, Image, Part, Refusal, Text, Told, ToolCall
from gateway.formats.metering import count, error_message
from gateway.formats.responses.endings import COMPLETED, INCOMPLETE, incomplete_reason, read_stop
from gateway.formats.responses.output import IMAGE_FORMATS, Ids, frame_of, output_item, response_object, status_for
from gateway.formats.responses.surface import read_usage
from gateway.formats.responses.thoughts import thinking_of


class _Response(msgspec.Struct):
    output: list[msgspec.Raw] | None = None
    id: str | None = None
    model: str | None = None
    created_at: Any = None
    status: Any = None
    error: Any = None
    incomplete_details: Any = None
    usage: Any = None


class _Kind(msgspec.Struct):
    type: str


class Content(msgspec.Struct):
    """A part of a message or of a thought."""

    type: str
    text: str | None = None
    refusal: str | None = None
    annotations: Any = None
    logprobs: Any = None


class Item(msgspec.Struct):
    """An item of those types that every format has."""

    type: str
    id: str | None = None
    content: list[Content] | None = None
    summary: list[Content] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    result: str | None = None
    output_format: str | None = None


_RESPONSE = msgspec.json.Decoder(_Response)
_KIND = msgspec.json.Decoder(_Kind)
_ITEM = msgspec.json.Decoder(Item)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_whole(body: bytes) -> Answer:
    """Raises BadAnswer for an error, for what failed or is not finished, and for what is no response."""
    try:
        found = _RESPONSE.decode(body)
        _refuse_what_is_no_answer(found)
        lost: set[str] = set()
        parts = tuple(part for item in found.output or [] for part in read_item(item, lost))
    except _UNREADABLE as error:
        raise BadAnswer(f"The provider's answer is not a response: {error}") from None
    has_calls = any(isinstance(part, ToolCall) for part in parts)
    refuses = any(isinstance(part, Refusal) for part in parts)
    return Answer(
        id=found.id or "",
        model=found.model or "",
        parts=parts,
        stop=read_stop(found.status, found.incomplete_details, has_calls=has_calls, refuses=refuses),
        usage=read_usage(found.usage),
        created=count(found.created_at),
        lost=tuple(sorted(lost)),
    )


def _refuse_what_is_no_answer(found: _Response) -> None:
    if found.error and found.status != COMPLETED:
        raise BadAnswer(error_message(found.error) or "The provider reported an error.")
    if found.status not in (None, COMPLETED, INCOMPLETE):
        raise BadAnswer(f"The provider's answer has the status '{str(found.status)[:50]}'.")
    if found.output is None:
        raise BadAnswer("The provider's answer has no output.")


def read_item(given: msgspec.Raw, lost: set[str]) -> list[Part]:
    """The parts of one item of the output. Raises what msgspec does where it is not one."""
    kind = _KIND.decode(given).type
    read = _ITEMS.get(kind)
    if read is None:
        lost.add(f"output.{kind[:100]}")
        return []
    return read(_ITEM.decode(given), lost)


def _message(item: Item, lost: set[str]) -> list[Part]:
    return [part for content in item.content or [] if (part := content_part(content, lost)) is not None]


def content_part(content: Content, lost: set[str]) -> Text | Refusal | None:
    """What a part of a message says."""
    lost.update(name for name in ("annotations", "logprobs") if getattr(content, name))
    if content.type == "refusal":
        return Refusal(content.refusal or "")
    if content.type == "output_text":
        return Text(content.text or "")
    lost.add(f"output.{content.type[:100]}")
    return None


def _reasoning(item: Item, lost: set[str]) -> list[Part]:
    thought = thinking_of(texts_of(item.content), texts_of(item.summary), item.encrypted_content or "", item.id or "")
    return [thought] if thought.text or thought.signature else []


def texts_of(parts: list[Content] | None) -> list[str]:
    return [part.text or "" for part in parts or []]


def _call(item: Item, lost: set[str]) -> list[Part]:
    return [call_of(item)]


def call_of(item: Item) -> ToolCall:
    """The call of a function or of a custom tool, as far as it is known."""
    is_custom = item.type == "custom_tool_call"
    given = (item.input if is_custom else item.arguments) or ""
    return ToolCall(item.call_id or item.id or "", item.name or "", given, is_custom, item.namespace or "")


def _picture(item: Item, lost: set[str]) -> list[Part]:
    ending = item.output_format if item.output_format in IMAGE_FORMATS else "png"
    return [Image(data=item.result, media_type=f"image/{ending}")] if item.result else []


_ITEMS: dict[str, Callable[[Item, set[str]], list[Part]]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _call,
    "image_generation_call": _picture,
}


def write_whole(answer: Answer, told: Told) -> bytes:
    """The answer as OpenAI's SDK reads it. Sound, and pictures by URL, have no place in it."""
    refuses = any(isinstance(part, Refusal) for part in answer.parts)
    reason = incomplete_reason(answer.stop, refuses=refuses)
    ids = Ids(told)
    output = [item for place, part in enumerate(answer.parts) if (item := output_item(part, ids, place)) is not None]
    frame = frame_of(answer.id, answer.model, answer.created, told)
    return msgspec.json.encode(
        response_object(frame, status_for(reason), output, answer.usage or told.estimate, reason)
    )
