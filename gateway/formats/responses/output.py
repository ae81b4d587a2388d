"""The `response` object and the items in its output, as they stand in whole answers and in streams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.formats.intermediate import Image, Kind, Part, Refusal, Text, Thinking, Told, ToolCall
from gateway.formats.responses.endings import COMPLETED, INCOMPLETE, write_usage
from gateway.formats.responses.names import split
from gateway.formats.responses.thoughts import reasoning_item
from gateway.model.calls import Usage

Item = dict[str, Any]

_RESPONSE_ID, _THOUGHT_ID = "resp_", "rs_"


@dataclass(frozen=True, slots=True)
class Frame:
    """What every `response` object of one answer says alike: `created` is Unix seconds."""

    id: str
    model: str
    created: int


def frame_of(answer_id: str, model: str, created: int, told: Told) -> Frame:
    """An id of this format is kept, any other becomes one made from the call's."""
    own = answer_id if answer_id.startswith(_RESPONSE_ID) else _RESPONSE_ID + told.call_id
    return Frame(own, told.model or model, created or told.now)


def response_object(
    frame: Frame, status: str, output: Sequence[Any], usage: Usage | None, reason: str = ""
) -> dict[str, Any]:
    """Every member that the official type has to have; what the request said is not told again."""
    return {
        "id": frame.id,
        "object": "response",
        "created_at": frame.created,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": frame.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": None,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "truncation": "disabled",
        "usage": None if usage is None else write_usage(usage),
        "user": None,
    }


def status_for(reason: str) -> str:
    """The status of an answer that is over."""
    return INCOMPLETE if reason else COMPLETED


def item_id(kind: Kind, told: Told, place: int, given: str = "", *, is_custom: bool = False) -> str:
    """The id of the item at `place` of an answer. A thought's own is kept: its provider knows it by that."""
    if kind is Kind.THINKING:
        return given if given.startswith(_THOUGHT_ID) else f"{_THOUGHT_ID}{told.call_id}_{place}"
    if kind is Kind.TOOL_CALL:
        return f"{'ctc' if is_custom else 'fc'}_{told.call_id}_{place}"
    return f"msg_{told.call_id}_{place}"


def text_content(words: str) -> Item:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": words}


def refusal_content(words: str) -> Item:
    return {"type": "refusal", "refusal": words}


def message_item(own: str, status: str, content: Sequence[Item]) -> Item:
    return {"id": own, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(own: str, status: str, call: ToolCall) -> Item:
    """A call; of a tool in a group where its name says so. A custom one has no status."""
    namespace, name = (call.namespace, call.name) if call.namespace else split(call.name)
    grouped = {"namespace": namespace} if namespace else {}
    named = {"call_id": call.id, "name": name, **grouped}
    if call.is_custom:
        return {"id": own, "type": "custom_tool_call", **named, "input": call.arguments}
    return {"id": own, "type": "function_call", "status": status, **named, "arguments": call.arguments}


def output_item(part: Part, told: Told, place: int) -> Item | None:
    """A whole part as an item of its own; None for what has no place in an answer here."""
    if isinstance(part, Text):
        return message_item(item_id(Kind.TEXT, told, place), COMPLETED, [text_content(part.text)])
    if isinstance(part, Refusal):
        return message_item(item_id(Kind.REFUSAL, told, place), COMPLETED, [refusal_content(part.text)])
    if isinstance(part, ToolCall):
        own = item_id(Kind.TOOL_CALL, told, place, is_custom=part.is_custom)
        arguments = part.arguments if part.is_custom else part.arguments or "{}"
        return call_item(own, COMPLETED, ToolCall(part.id, part.name, arguments, part.is_custom, part.namespace))
    if isinstance(part, Thinking):
        return reasoning_item(part, item_id(Kind.THINKING, told, place, part.id))
    if isinstance(part, Image) and part.data:
        return _image_item(part, f"ig_{told.call_id}_{place}")
    return None


def _image_item(part: Image, own: str) -> Item:
    shape = {"output_format": ending} if (ending := part.media_type.removeprefix("image/")) in IMAGE_FORMATS else {}
    return {"id": own, "type": "image_generation_call", "status": COMPLETED, "result": part.data, **shape}


IMAGE_FORMATS = frozenset({"png", "webp", "jpeg", "gif"})
