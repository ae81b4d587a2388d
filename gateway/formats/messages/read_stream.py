"""A stream in Anthropic Messages, read into events that every format has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

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
    Signed,
    Stopped,
)
from gateway.formats.messages.custom_tools import is_marked, unmarked_name, unwrapped
from gateway.formats.messages.endings import explanation_of, read_stop
from gateway.formats.messages.read_blocks import redacted, signature_of
from gateway.formats.messages.surface import merged_usage, read_usage
from gateway.formats.metering import covering, error_message, members
from gateway.formats.sse import event_payload
from gateway.model.calls import UsageSource


class _Delta(msgspec.Struct, gc=False):
    type: str
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None


class _More(msgspec.Struct, gc=False):
    """The event that there is one of for every token."""

    type: str
    index: int
    delta: _Delta


class _Said(msgspec.Struct, gc=False):
    type: Any = None
    index: Any = None
    delta: Any = None
    content_block: msgspec.Raw = msgspec.Raw()
    message: Any = None
    usage: Any = None
    error: Any = None


class _Block(msgspec.Struct):
    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


_MORE = msgspec.json.Decoder(_More)
_SAID = msgspec.json.Decoder(_Said)
_BLOCK = msgspec.json.Decoder(_Block)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_IS_MORE = b'"content_block_delta"'
_NO_INPUT = frozenset({b"", b"null", b"{}"})


class _Open(msgspec.Struct):
    """A part that has begun. `whole` gathers the input of a tool for free text, which is known at its end only.

    `given` is an input that came with the beginning, until more of it comes.
    """

    index: int
    kind: Kind
    signature: str = ""
    given: str = ""
    whole: list[str] | None = None


class Reader(msgspec.Struct):
    """intermediate.StreamReader for Messages.

    Until the end tells it, the output in Measured is an estimate from the text that came, and marked as one.
    """

    lost: set[str] = msgspec.field(default_factory=set)
    _open: dict[int, _Open] = msgspec.field(default_factory=dict)
    _parts: int = 0
    _characters: int = 0
    _known: dict[str, Any] = msgspec.field(default_factory=dict)
    _is_told: bool = False
    _has_calls: bool = False
    _has_begun: bool = False
    _has_stopped: bool = False
    _is_over: bool = False

    def read(self, event: bytes) -> list[Event]:
        payload = event_payload(event)
        if not payload or self._is_over:
            return []
        if payload.find(_IS_MORE) >= 0:
            try:
                return self._more(_MORE.decode(payload))
            except _UNREADABLE:
                pass
        try:
            said = _SAID.decode(payload)
        except _UNREADABLE:
            return []
        frame = _FRAMES.get(said.type) if isinstance(said.type, str) else None
        return frame(self, said) if frame else []

    def end(self) -> list[Event]:
        """Ended where the reason for the end came, and only `message_stop` is missing."""
        if self._is_over or not self._has_stopped:
            return []
        self._is_over = True
        return [Ended()]

    def _begun(self, said: _Said) -> list[Event]:
        if self._has_begun:
            return []
        self._has_begun = True
        message = members(said.message)
        self._known = merged_usage(self._known, message.get("usage"))
        return [Began(_text(message.get("id")), _text(message.get("model"))), *self._measured()]

    def _late_begin(self) -> list[Event]:
        """What comes before its beginning is begun."""
        if self._has_begun:
            return []
        self._has_begun = True
        return [Began("", "")]

    def _measured(self) -> list[Event]:
        usage = read_usage(self._known)
        if usage is None:
            return []
        if not self._is_told:
            usage = covering(replace(usage, source=UsageSource.ESTIMATED), self._characters)
        return [Measured(usage)]

    def _block_began(self, said: _Said) -> list[Event]:
        try:
            block = _BLOCK.decode(said.content_block)
        except _UNREADABLE:
            return []
        kind = _KINDS.get(block.type)
        if kind is None:
            self.lost.add(f"messages.{block.type[:100]}")
            return []
        if self._has_stopped or not _is_index(said.index):
            return []
        events: list[Event] = [*self._late_begin(), *self._ended_at(said.index)]
        part = _Open(self._parts, kind)
        self._parts += 1
        self._open[said.index] = part
        return [*events, *self._first(part, block)]

    def _first(self, part: _Open, block: _Block) -> list[Event]:
        """The beginning of a part, and what the block has from the beginning."""
        if part.kind is Kind.TOOL_CALL:
            return [self._call_began(part, block)]
        events: list[Event] = [PartBegan(part.index, part.kind)]
        if text := (block.text if part.kind is Kind.TEXT else block.thinking):
            self._characters += len(text)
            events.append(Delta(part.index, text))
        if part.kind is Kind.THINKING:
            part.signature = block.signature or ""
        if block.type == "redacted_thinking":
            thought = redacted(block.data or "")
            if thought.origin is not None:
                events.append(Signed(part.index, thought.signature, thought.origin))
        return events

    def _call_began(self, part: _Open, block: _Block) -> Event:
        self._has_calls = True
        name = block.name or ""
        if is_marked(name):
            part.whole = []
        if (given := bytes(block.input)) not in _NO_INPUT:
            part.given = given.decode("utf-8", "replace")
        is_custom = part.whole is not None
        name = unmarked_name(name) if is_custom else name
        return PartBegan(part.index, Kind.TOOL_CALL, block.id or "", name, is_custom)

    def _more(self, said: _More) -> list[Event]:
        part = self._open.get(said.index)
        if part is None:
            return []
        delta = said.delta
        text = delta.text or delta.partial_json or delta.thinking
        if not text:
            part.signature += delta.signature or ""
            if delta.type not in _DELTAS:
                self.lost.add(_LOST_DELTAS.get(delta.type, f"messages.{delta.type[:100]}"))
            return []
        self._characters += len(text)
        part.given = ""
        if part.whole is not None:
            part.whole.append(text)
            return []
        return [Delta(part.index, text)]

    def _block_ended(self, said: _Said) -> list[Event]:
        return self._ended_at(said.index) if _is_index(said.index) else []

    def _ended_at(self, index: int) -> list[Event]:
        part = self._open.pop(index, None)
        if part is None:
            return []
        events: list[Event] = []
        if part.given:
            self._characters += len(part.given)
        if part.whole is not None:
            events.append(Delta(part.index, unwrapped("".join(part.whole) or part.given)))
        elif part.given:
            events.append(Delta(part.index, part.given))
        if part.signature:
            signature, origin = signature_of(part.signature)
            events += [Signed(part.index, signature, origin)] if signature and origin is not None else []
        return [*events, PartEnded(part.index)]

    def _message_delta(self, said: _Said) -> list[Event]:
        self._known = merged_usage(self._known, said.usage)
        self._is_told = self._is_told or "output_tokens" in members(said.usage)
        delta = members(said.delta)
        reason = delta.get("stop_reason")
        events = [*self._late_begin(), *self._measured()]
        if not reason or self._has_stopped:
            return events
        return [*events, *self._all_ended(), *self._stopped(delta, reason)]

    def _all_ended(self) -> list[Event]:
        return [event for index in list(self._open) for event in self._ended_at(index)]

    def _stopped(self, delta: dict[str, Any], reason: Any) -> list[Event]:
        self._has_stopped = True
        events: list[Event] = []
        if why := explanation_of(delta.get("stop_details")):
            events = [PartBegan(self._parts, Kind.REFUSAL), Delta(self._parts, why), PartEnded(self._parts)]
            self._parts += 1
        stop = read_stop(reason, has_calls=self._has_calls)
        return [*events, Stopped(stop, _text(delta.get("stop_sequence")))]

    def _message_ended(self, said: _Said) -> list[Event]:
        events = [*self._late_begin(), *self._all_ended()]
        if not self._has_stopped:
            events += self._stopped({}, None)
        self._is_over = True
        return [*events, Ended()]

    def _failed(self, said: _Said) -> list[Event]:
        self._is_over = True
        return [Failed(error_message(said.error) or "the provider reported an error")]


_KINDS = {
    "text": Kind.TEXT,
    "thinking": Kind.THINKING,
    "redacted_thinking": Kind.THINKING,
    "tool_use": Kind.TOOL_CALL,
}
_DELTAS = frozenset({"text_delta", "input_json_delta", "thinking_delta", "signature_delta"})
_LOST_DELTAS = {"citations_delta": "messages.citations"}
_FRAMES: dict[str, Callable[[Reader, _Said], list[Event]]] = {
    "message_start": Reader._begun,
    "content_block_start": Reader._block_began,
    "content_block_stop": Reader._block_ended,
    "message_delta": Reader._message_delta,
    "message_stop": Reader._message_ended,
    "error": Reader._failed,
}


def _text(found: Any) -> str:
    return found if isinstance(found, str) else ""


def _is_index(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool)
