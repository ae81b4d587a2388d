"""The `response` object and the items in its output, as they stand in whole answers and in streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from gateway.formats.intermediate import Image, Part, Refusal, Text, Thinking, Told, ToolCall
from gateway.formats.responses.endings import COMPLETED, INCOMPLETE, write_usage
from gateway.formats.responses.names import split
from gateway.formats.responses.thoughts import reasoning_item
from gateway.model.calls import Usage

Item = dict[str, Any]

MESSAGE_ID = "msg_"
_RESPONSE_ID, _THOUGHT_ID = "resp_", "rs_"


class Frame(msgspec.Struct, frozen=True):
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


class Ids:
    """Ids of the items of one answer, each of its own, made from the id of the call."""

    __slots__ = ("_call_id", "_used")

    def __init__(self, told: Told) -> None:
        self._call_id = told.call_id
        self._used: set[str] = set()

    def of(self, prefix: str, place: int) -> str:
        """The id of the item at `place` of the output."""
        return f"{prefix}{self._call_id}_{place}"

    def of_thought(self, given: str, place: int) -> str:
        """A thought's own id is kept, for its provider knows it by that; not a second time, nor that of a stranger."""
        if not given.startswith(_THOUGHT_ID) or given in self._used:
            return self.of(_THOUGHT_ID, place)
        self._used.add(given)
        return given


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


def output_item(part: Part, ids: Ids, place: int) -> Item | None:
    """A whole part as an item of its own; None for what has no place in an answer here."""
    if isinstance(part, Text):
        return message_item(ids.of(MESSAGE_ID, place), COMPLETED, [text_content(part.text)])
    if isinstance(part, Refusal):
        return message_item(ids.of(MESSAGE_ID, place), COMPLETED, [refusal_content(part.text)])
    if isinstance(part, ToolCall):
        called = part if part.is_custom or part.arguments else replace(part, arguments="{}")
        return call_item(ids.of(call_prefix(is_custom=part.is_custom), place), COMPLETED, called)
    if isinstance(part, Thinking):
        return reasoning_item(part, ids.of_thought(part.id, place))
    if isinstance(part, Image) and part.data:
        return _image_item(part, ids.of("ig_", place))
    return None


def call_prefix(*, is_custom: bool) -> str:
    """What the id of a call's item begins with."""
    return "ctc_" if is_custom else "fc_"


def _image_item(part: Image, own: str) -> Item:
    shape = {"output_format": ending} if (ending := part.media_type.removeprefix("image/")) in IMAGE_FORMATS else {}
    return {"id": own, "type": "image_generation_call", "status": COMPLETED, "result": part.data, **shape}


IMAGE_FORMATS = frozenset({"png", "webp", "jpeg", "gif"})
