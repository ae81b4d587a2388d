"""A stream in OpenAI Responses, read into events that every format has.

Content is told up to three times: piece by piece, at its end, and in the item that it is part of. What came in pieces
is taken from them, and anything else from the first place that has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Failed,
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Refusal,
    Signed,
    Stopped,
    Text,
)
from gateway.formats.metering import count, error_message
from gateway.formats.responses.answer import Content, Item, call_of, content_part, texts_of
from gateway.formats.responses.endings import read_stop
from gateway.formats.responses.surface import read_usage
from gateway.formats.responses.thoughts import BETWEEN, thinking_of
from gateway.formats.sse import event_payload


class _Delta(msgspec.Struct, gc=False):
    """The event that there is one of for every token."""

    type: str
    delta: str
    output_index: int | None = None
    item_id: str | None = None
    content_index: int | None = None
    summary_index: int | None = None


class _Response(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    created_at: Any = None
    status: Any = None
    usage: Any = None
    error: Any = None
    incomplete_details: Any = None
    output: msgspec.Raw = msgspec.Raw(b"null")


class _Said(msgspec.Struct, gc=False):
    type: str
    output_index: Any = None
    item_id: Any = None
    content_index: Any = None
    item: msgspec.Raw = msgspec.Raw(b"null")
    part: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None
    message: Any = None
    code: Any = None


class _Fault(msgspec.Struct, gc=False):
    error: Any = None


class _Kind(msgspec.Struct, gc=False):
    type: str


_DELTA = msgspec.json.Decoder(_Delta)
_SAID = msgspec.json.Decoder(_Said)
_FAULT = msgspec.json.Decoder(_Fault)
_RESPONSE = msgspec.json.Decoder(_Response)
_KIND = msgspec.json.Decoder(_Kind)
_ITEM = msgspec.json.Decoder(Item)
_CONTENT = msgspec.json.Decoder(Content)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_IS_DELTA = b'.delta"'
_DELTAS = {
    "response.output_text.delta": Kind.TEXT,
    "response.refusal.delta": Kind.REFUSAL,
    "response.reasoning_summary_text.delta": Kind.THINKING,
    "response.reasoning_text.delta": Kind.THINKING,
    "response.function_call_arguments.delta": Kind.TOOL_CALL,
    "response.custom_tool_call_input.delta": Kind.TOOL_CALL,
}
_IN_CONTENT = (Kind.TEXT, Kind.REFUSAL)
_FAULT_WORDS = "the provider reported an error"

_Place = int | str
_Key = tuple[_Place, int]


class _Open(msgspec.Struct):
    """A part that has begun. `source` is the event that tells its text, and `section` which part of a summary."""

    index: int
    kind: Kind
    has_text: bool = False
    source: str = ""
    section: int = 0
    given: str = ""


class Reader(msgspec.Struct):
    """intermediate.StreamReader for Responses."""

    lost: set[str] = msgspec.field(default_factory=set)
    _open: dict[_Key, _Open] = msgspec.field(default_factory=dict)
    _closed: set[_Key] = msgspec.field(default_factory=set)
    _places: dict[str, _Place] = msgspec.field(default_factory=dict)
    _parts: int = 0
    _kinds: set[Kind] = msgspec.field(default_factory=set)
    _has_begun: bool = False
    _is_over: bool = False

    def read(self, event: bytes) -> list[Event]:
        payload = event_payload(event)
        if not payload or self._is_over:
            return []
        if payload.find(_IS_DELTA) >= 0:
            try:
                return self._delta(_DELTA.decode(payload))
            except _UNREADABLE:
                pass
        try:
            said = _SAID.decode(payload)
        except _UNREADABLE:
            return self._unknown(payload)
        frame = _FRAMES.get(said.type)
        return frame(self, said) if frame else []

    def end(self) -> list[Event]:
        """Nothing: an answer is complete only where its last event says so."""
        return []

    def _unknown(self, payload: bytes) -> list[Event]:
        """An error without a type, as some servers tell it."""
        try:
            error = _FAULT.decode(payload).error
        except _UNREADABLE:
            return []
        return self._failed_with(error_message(error)) if error else []

    def _began(self, said: _Said) -> list[Event]:
        return self._begun_with(_response(said))

    def _begun_with(self, response: _Response) -> list[Event]:
        if self._has_begun:
            return []
        self._has_begun = True
        return [Began(_text(response.id), _text(response.model), count(response.created_at))]

    def _delta(self, said: _Delta) -> list[Event]:
        kind = _DELTAS.get(said.type)
        if kind is None:
            return []
        place = self._place(said.output_index, said.item_id)
        key = (place, (said.content_index or 0) if kind in _IN_CONTENT else -1)
        part = self._open.get(key)
        events: list[Event] = []
        if part is None:
            # Arguments without a call say too little; the call tells them once more at its end.
            if kind is Kind.TOOL_CALL or key in self._closed:
                return []
            part, events = self._opened(key, kind, said.item_id or "")
        text = self._thought(part, said) if kind is Kind.THINKING else said.delta
        if text:
            part.has_text = True
            events.append(Delta(part.index, text))
        return events

    def _thought(self, part: _Open, said: _Delta) -> str:
        """Thoughts come as themselves or as a summary: whichever is first is told, with a gap between parts of it."""
        section = max(said.summary_index or 0, said.content_index or 0)
        if not part.source:
            part.source, part.section = said.type, section
        if part.source != said.type:
            return ""
        gap = BETWEEN if section != part.section and part.has_text else ""
        part.section = section
        return gap + said.delta

    def _opened(self, key: _Key, kind: Kind, own: str) -> tuple[_Open, list[Event]]:
        part = _Open(self._parts, kind)
        begun = PartBegan(part.index, kind, own if kind is Kind.THINKING else "")
        return part, self._add(key, part, begun)

    def _add(self, key: _Key, part: _Open, begun: PartBegan) -> list[Event]:
        self._open[key] = part
        self._parts += 1
        self._kinds.add(part.kind)
        return [*self._begun_with(_Response()), begun]

    def _item_added(self, said: _Said) -> list[Event]:
        item = self._item(said)
        if item is None:
            return []
        place = self._place(said.output_index, item.id)
        if item.id:
            self._places[item.id] = place
        return self._call_began(place, item) if item.type in _CALLS else []

    def _call_began(self, place: _Place, item: Item) -> list[Event]:
        key = (place, -1)
        if key in self._open or key in self._closed:
            return []
        call = call_of(item)
        part = _Open(self._parts, Kind.TOOL_CALL, given=call.arguments)
        return self._add(key, part, PartBegan(part.index, Kind.TOOL_CALL, call.id, call.name, call.is_custom))

    def _item(self, said: _Said) -> Item | None:
        """The item of an event; None, and its name kept, where it is of a type that not every format has."""
        try:
            kind = _KIND.decode(said.item).type
            if kind in _READ:
                return _ITEM.decode(said.item)
        except _UNREADABLE:
            return None
        self.lost.add(f"output.{kind[:100]}")
        return None

    def _place(self, index: Any, own: Any) -> _Place:
        """Where an item is: in the output, or by its id for servers that tell only that."""
        if isinstance(index, int) and not isinstance(index, bool):
            return index
        return self._places.get(own, own) if isinstance(own, str) else ""

    def _item_done(self, said: _Said) -> list[Event]:
        item = self._item(said)
        if item is None:
            return []
        return _READ[item.type](self, self._place(said.output_index, item.id), item)

    def _message_done(self, place: _Place, item: Item) -> list[Event]:
        events: list[Event] = []
        for position, content in enumerate(item.content or []):
            found = content_part(content, self.lost)
            if found is not None:
                events += self._content_ended((place, position), found)
        return events + self._ended_at(place)

    def _content_ended(self, key: _Key, found: Text | Refusal) -> list[Event]:
        if key in self._closed:
            return []
        part = self._open.get(key)
        events: list[Event] = []
        if part is None:
            part, events = self._opened(key, Kind.REFUSAL if isinstance(found, Refusal) else Kind.TEXT, "")
        return [*events, *self._ended(key, part, found.text)]

    def _content_done(self, said: _Said) -> list[Event]:
        try:
            found = content_part(_CONTENT.decode(said.part), set())
        except _UNREADABLE:
            return []
        if found is None or not isinstance(said.content_index, int):
            return []
        return self._content_ended((self._place(said.output_index, said.item_id), said.content_index), found)

    def _reasoning_done(self, place: _Place, item: Item) -> list[Event]:
        key = (place, -1)
        thought = thinking_of(
            texts_of(item.content), texts_of(item.summary), item.encrypted_content or "", item.id or ""
        )
        part = self._open.get(key)
        events: list[Event] = []
        if key in self._closed or part is None and not thought.text and not thought.signature:
            return []
        if part is None:
            part, events = self._opened(key, Kind.THINKING, thought.id)
        signed = [] if thought.origin is None else [Signed(part.index, thought.signature, thought.origin)]
        ended = self._ended(key, part, thought.text)
        return [*events, *ended[:-1], *signed, ended[-1]]

    def _call_done(self, place: _Place, item: Item) -> list[Event]:
        key = (place, -1)
        events = self._call_began(place, item)
        part = self._open.get(key)
        return [] if part is None else [*events, *self._ended(key, part, call_of(item).arguments)]

    def _ended(self, key: _Key, part: _Open, text: str = "") -> list[Event]:
        """The end of a part, and its text where none of it came before."""
        del self._open[key]
        self._closed.add(key)
        text = text or part.given
        missing: list[Event] = [Delta(part.index, text)] if text and not part.has_text else []
        return [*missing, PartEnded(part.index)]

    def _ended_at(self, place: _Place) -> list[Event]:
        keys = [key for key in self._open if key[0] == place]
        return [event for key in keys for event in self._ended(key, self._open[key])]

    def _annotated(self, said: _Said) -> list[Event]:
        self.lost.add("annotations")
        return []

    def _finished(self, said: _Said) -> list[Event]:
        response = _response(said)
        events = self._begun_with(response)
        if not self._parts:
            events += self._told_at_last(response)
        events += [event for key in list(self._open) for event in self._ended(key, self._open[key])]
        status = "incomplete" if said.type == "response.incomplete" else response.status
        has_calls, refuses = Kind.TOOL_CALL in self._kinds, Kind.REFUSAL in self._kinds
        stop = read_stop(status, response.incomplete_details, has_calls=has_calls, refuses=refuses)
        self._is_over = True
        return [*events, *_measured(response), Stopped(stop), Ended()]

    def _told_at_last(self, response: _Response) -> list[Event]:
        """The output of an answer that told nothing before its end."""
        try:
            items = _ITEMS.decode(response.output)
        except _UNREADABLE:
            return []
        said = [_Said("", output_index=place, item=item) for place, item in enumerate(items)]
        return [event for one in said for event in self._item_done(one)]

    def _failed(self, said: _Said) -> list[Event]:
        response = _response(said)
        words = error_message(response.error) or error_message(said.error)
        words = words or error_message({"message": said.message, "code": said.code})
        return [*_measured(response), *self._failed_with(words)]

    def _failed_with(self, words: str) -> list[Event]:
        self._is_over = True
        return [Failed(words or _FAULT_WORDS)]


_CALLS = frozenset({"function_call", "custom_tool_call"})
_READ: dict[str, Callable[[Reader, _Place, Item], list[Event]]] = {
    "message": Reader._message_done,
    "reasoning": Reader._reasoning_done,
    "function_call": Reader._call_done,
    "custom_tool_call": Reader._call_done,
}
_FRAMES: dict[str, Callable[[Reader, _Said], list[Event]]] = {
    "response.created": Reader._began,
    "response.queued": Reader._began,
    "response.in_progress": Reader._began,
    "response.output_item.added": Reader._item_added,
    "response.output_item.done": Reader._item_done,
    "response.content_part.done": Reader._content_done,
    "response.output_text.annotation.added": Reader._annotated,
    "response.completed": Reader._finished,
    "response.incomplete": Reader._finished,
    "response.failed": Reader._failed,
    "response.cancelled": Reader._failed,
    "error": Reader._failed,
}


def _response(said: _Said) -> _Response:
    try:
        return _RESPONSE.decode(said.response)
    except _UNREADABLE:
        return _Response()


def _measured(response: _Response) -> list[Event]:
    usage = read_usage(response.usage)
    return [] if usage is None else [Measured(usage)]


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""
