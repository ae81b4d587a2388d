"""OpenAI Responses: the events of a stream, written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Signed,
    Stop,
    Stopped,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.metering import covering
from gateway.formats.responses.endings import COMPLETED, incomplete_reason
from gateway.formats.responses.output import (
    MESSAGE_ID,
    Frame,
    Ids,
    Item,
    call_item,
    call_prefix,
    frame_of,
    message_item,
    refusal_content,
    response_object,
    status_for,
    text_content,
)
from gateway.formats.responses.thoughts import reasoning_item
from gateway.model.calls import Usage

_IN_PROGRESS = "in_progress"
_encode = msgspec.json.Encoder().encode


class _Way(msgspec.Struct, frozen=True):
    """How one kind of part is told: the event of its deltas, that of their end, and the member of the latter."""

    delta: str
    done: str
    member: str
    place: dict[str, int]


_CONTENT, _SUMMARY = {"content_index": 0}, {"summary_index": 0}
_TEXT = _Way("response.output_text.delta", "response.output_text.done", "text", _CONTENT)
_REFUSAL = _Way("response.refusal.delta", "response.refusal.done", "refusal", _CONTENT)
_THINKING = _Way("response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "text", _SUMMARY)
_CALL = _Way("response.function_call_arguments.delta", "response.function_call_arguments.done", "arguments", {})
_CUSTOM_CALL = _Way("response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input", {})
_WAYS = {Kind.TEXT: _TEXT, Kind.REFUSAL: _REFUSAL, Kind.THINKING: _THINKING, Kind.TOOL_CALL: _CALL}
_LOGPROBS: dict[str, Any] = {"logprobs": []}


class _Open(msgspec.Struct):
    """A part that is being told: an item of its own, at `place` of the output."""

    began: PartBegan
    own: str
    place: int
    way: _Way
    head: bytes
    tail: bytes
    texts: list[str] = msgspec.field(default_factory=list)
    signed: Signed | None = None

    @property
    def at(self) -> dict[str, Any]:
        """Where the part is, for every event about its content."""
        return {"item_id": self.own, "output_index": self.place, **self.way.place}

    @property
    def extra(self) -> dict[str, Any]:
        return _LOGPROBS if self.began.kind is Kind.TEXT else {}


class Writer:
    """Every part is an item; the text is told piece by piece and once more at its end, as OpenAI does."""

    ping = b": ping\n\n"

    def __init__(self, told: Told) -> None:
        self._told = told
        self._ids = Ids(told)
        self._usage: Usage = told.estimate
        self._frame = Frame("", "", 0)
        self._sequence = 0
        self._open: dict[int, _Open] = {}
        self._output: dict[int, Item] = {}
        self._places = 0
        self._characters = 0
        self._refuses = False
        self._stop = Stop.END
        self._writes: dict[type, Callable[[Any], bytes]] = {
            Began: self._began,
            PartBegan: self._part_began,
            Signed: self._signed,
            PartEnded: self._part_ended,
            Measured: self._measured,
            Stopped: self._stopped,
            Ended: self._ended,
        }

    def write(self, event: Event) -> bytes:
        if type(event) is Delta:
            return self._delta(event)
        write = self._writes.get(type(event))
        return b"" if write is None else write(event)

    def _delta(self, event: Delta) -> bytes:
        part = self._open.get(event.index)
        if part is None or not event.text:
            return b""
        opening = b""
        if not part.texts and part.began.kind is Kind.THINKING:
            opening = self._summary("response.reasoning_summary_part.added", part, "")
        part.texts.append(event.text)
        number = self._sequence
        self._sequence += 1
        return opening + part.head + _encode(event.text) + part.tail + b"%d}\n\n" % number

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        said = _encode({"type": kind, "sequence_number": self._sequence, **fields})
        self._sequence += 1
        return b"event: " + kind.encode() + b"\ndata: " + said + b"\n\n"

    def _began(self, event: Began) -> bytes:
        self._frame = frame_of(event.id, event.model, event.created, self._told)
        response = response_object(self._frame, _IN_PROGRESS, [], None)
        return self._event("response.created", {"response": response}) + self._event(
            "response.in_progress", {"response": response}
        )

    def _part_began(self, event: PartBegan) -> bytes:
        place = self._places
        self._places += 1
        own = self._id(event, place)
        way = _CUSTOM_CALL if event.is_custom else _WAYS[event.kind]
        part = _Open(event, own, place, way, b"", b"")
        part.head, part.tail = _around(part)
        self._open[event.index] = part
        self._refuses = self._refuses or event.kind is Kind.REFUSAL
        added = self._event(
            "response.output_item.added", {"output_index": place, "item": _item(part, "", _IN_PROGRESS)}
        )
        if way.place is not _CONTENT:
            return added
        return added + self._event("response.content_part.added", {**part.at, "part": _content(part, "")})

    def _id(self, event: PartBegan, place: int) -> str:
        if event.kind is Kind.THINKING:
            return self._ids.of_thought(event.id, place)
        prefix = call_prefix(is_custom=event.is_custom) if event.kind is Kind.TOOL_CALL else MESSAGE_ID
        return self._ids.of(prefix, place)

    def _signed(self, event: Signed) -> bytes:
        part = self._open.get(event.index)
        if part is not None:
            part.signed = event
        return b""

    def _part_ended(self, event: PartEnded) -> bytes:
        """A function without arguments is called with an empty object; a thought without text has no summary."""
        part = self._open.get(event.index)
        if part is None:
            return b""
        said = b""
        if part.way is _CALL and not any(part.texts):
            said = self._delta(Delta(event.index, "{}"))
        del self._open[event.index]
        text = "".join(part.texts)
        self._characters += len(text)
        if part.texts or part.way is not _THINKING:
            said += self._event(part.way.done, {**part.at, part.way.member: text, **part.extra})
        if part.way is _THINKING and part.texts:
            said += self._summary("response.reasoning_summary_part.done", part, text)
        if part.way.place is _CONTENT:
            said += self._event("response.content_part.done", {**part.at, "part": _content(part, text)})
        item = self._output[part.place] = _item(part, text, COMPLETED)
        return said + self._event("response.output_item.done", {"output_index": part.place, "item": item})

    def _summary(self, kind: str, part: _Open, text: str) -> bytes:
        return self._event(kind, {**part.at, "part": {"type": "summary_text", "text": text}})

    def _measured(self, event: Measured) -> bytes:
        self._usage = event.usage
        return b""

    def _stopped(self, event: Stopped) -> bytes:
        self._stop = event.stop
        return b""

    def _ended(self, _: Ended) -> bytes:
        """The whole answer once more, with its usage: that may come as late as this."""
        said = b"".join(self._part_ended(PartEnded(index)) for index in list(self._open))
        reason = incomplete_reason(self._stop, refuses=self._refuses)
        status = status_for(reason)
        output = [self._output[place] for place in sorted(self._output)]
        response = response_object(self._frame, status, output, covering(self._usage, self._characters), reason)
        return said + self._event(f"response.{status}", {"response": response})


def _around(part: _Open) -> tuple[bytes, bytes]:
    """What stands before and after the text of a delta, up to its number."""
    kind = part.way.delta
    head = _encode({"type": kind, **part.at})[:-1] + b',"delta":'
    tail = b"".join(b',"%s":%s' % (name.encode(), _encode(value)) for name, value in part.extra.items())
    return b"event: " + kind.encode() + b"\ndata: " + head, tail + b',"sequence_number":'


def _content(part: _Open, text: str) -> Item:
    return refusal_content(text) if part.way is _REFUSAL else text_content(text)


def _item(part: _Open, text: str, status: str) -> Item:
    began = part.began
    if began.kind is Kind.TOOL_CALL:
        return call_item(part.own, status, ToolCall(began.id, began.name, text, began.is_custom))
    if began.kind is Kind.THINKING:
        signature, origin = (part.signed.signature, part.signed.origin) if part.signed else ("", None)
        return reasoning_item(Thinking(text, signature, origin), part.own)
    return message_item(part.own, status, [_content(part, text)] if status == COMPLETED else [])
