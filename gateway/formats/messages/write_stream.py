"""A stream of any format, written in Anthropic Messages."""

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
    Kind,
    Measured,
    PartBegan,
    PartEnded,
    Signed,
    Stop,
    Stopped,
    Told,
)
from gateway.formats.messages.answer import redacted_data, stop_sequence
from gateway.formats.messages.endings import stop_reason, write_usage
from gateway.formats.messages.read_blocks import HERE
from gateway.formats.metering import estimated
from gateway.formats.signatures import marked
from gateway.formats.sse import named_event
from gateway.model.calls import Usage
from gateway.model.registry import ApiFormat

_encode = msgspec.json.Encoder().encode
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END = b"}}\n\n"
_TEXT = (b"text_delta", b"text")
_DELTAS = {
    Kind.TEXT: _TEXT,
    Kind.REFUSAL: _TEXT,
    Kind.THINKING: (b"thinking_delta", b"thinking"),
    Kind.TOOL_CALL: (b"input_json_delta", b"partial_json"),
}


class _Open(msgspec.Struct):
    """A part that has begun. `before` stands before the text of each delta; it is empty until the block has begun.

    `index` is the block's. The signature of a thought is kept until its end: only then is it known whether the thought
    has text.
    """

    kind: Kind
    is_custom: bool
    index: int = 0
    before: bytes = b""
    signature: str = ""
    origin: ApiFormat | None = None


class Writer:
    """intermediate.StreamWriter for Messages.

    The end tells the whole usage again, for the beginning can only estimate the input.
    """

    ping = b'event: ping\ndata: {"type": "ping"}\n\n'

    def __init__(self, told: Told) -> None:
        self._told = told
        self._usage: Usage | None = None
        self._characters = 0
        self._open: dict[int, _Open] = {}
        self._blocks = 0
        self._stopped = Stopped(Stop.END)
        self._has_calls = False
        self._refuses = False
        self._writes: dict[type, Callable[[Any], bytes]] = {
            Began: self._began,
            PartBegan: self._part_began,
            Delta: self._delta,
            Signed: self._signed,
            PartEnded: self._part_ended,
            Measured: self._measured,
            Stopped: self._stopping,
            Ended: self._ended,
        }

    def write(self, event: Event) -> bytes:
        write = self._writes.get(type(event))
        return write(event) if write else b""

    def _began(self, event: Began) -> bytes:
        message: dict[str, Any] = {
            "id": event.id or f"msg_{self._told.call_id}",
            "type": "message",
            "role": "assistant",
            "model": self._told.model or event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(replace(self._told.estimate, output=0)),
        }
        return _event("message_start", message=message)

    def _part_began(self, event: PartBegan) -> bytes:
        part = self._open[event.index] = _Open(event.kind, event.is_custom)
        if event.kind is Kind.THINKING:
            return b""
        if event.kind is Kind.TOOL_CALL:
            self._has_calls = True
            begun = self._block_began(part, {"type": "tool_use", "id": event.id, "name": event.name, "input": {}})
            return begun + self._more(part, b'"{\\"input\\":\\""') if event.is_custom else begun
        self._refuses = self._refuses or event.kind is Kind.REFUSAL
        return self._block_began(part, {"type": "text", "text": ""})

    def _block_began(self, part: _Open, block: dict[str, Any]) -> bytes:
        part.index = self._blocks
        part.before = _DELTA % (part.index, *_DELTAS[part.kind])
        self._blocks += 1
        return _event("content_block_start", index=part.index, content_block=block)

    def _thought_began(self, part: _Open) -> bytes:
        return self._block_began(part, {"type": "thinking", "thinking": "", "signature": ""})

    def _delta(self, event: Delta) -> bytes:
        part = self._open.get(event.index)
        if part is None or not event.text:
            return b""
        self._characters += len(event.text)
        begun = b"" if part.before else self._thought_began(part)
        if part.is_custom:
            # Free text is the inside of a string, in JSON that is itself told as a string.
            return self._more(part, _encode(_encode(event.text)[1:-1].decode()))
        return begun + part.before + _encode(event.text) + _DELTA_END

    def _more(self, part: _Open, string: bytes) -> bytes:
        return part.before + string + _DELTA_END

    def _signed(self, event: Signed) -> bytes:
        if part := self._open.get(event.index):
            part.signature, part.origin = event.signature, event.origin
        return b""

    def _part_ended(self, event: PartEnded) -> bytes:
        part = self._open.pop(event.index, None)
        if part is None:
            return b""
        last = b""
        if part.kind is Kind.THINKING:
            last = self._thought_ended(part)
        elif part.is_custom:
            last = self._more(part, b'"\\"}"')
        return last + _event("content_block_stop", index=part.index)

    def _thought_ended(self, part: _Open) -> bytes:
        """The signature, or the whole of a thought that has no text."""
        if not part.before and (data := redacted_data(part.signature, part.origin)):
            return self._block_began(part, {"type": "redacted_thinking", "data": data})
        if not part.before and not part.signature:
            return self._thought_began(part)
        begun = b"" if part.before else self._thought_began(part)
        # No provider of this format leaves a thought unsigned: what has no signature came from one of chat's.
        signature = marked(part.signature, part.origin or ApiFormat.OPENAI_CHAT, HERE)
        delta = {"type": "signature_delta", "signature": signature}
        return begun + _event("content_block_delta", index=part.index, delta=delta)

    def _measured(self, event: Measured) -> bytes:
        self._usage = event.usage
        return b""

    def _stopping(self, event: Stopped) -> bytes:
        self._stopped = event
        return b""

    def _ended(self, event: Ended) -> bytes:
        stop = self._stopped.stop
        delta = {
            "stop_reason": stop_reason(stop, has_calls=self._has_calls, refuses=self._refuses),
            "stop_sequence": stop_sequence(stop, self._stopped.stop_sequence),
        }
        usage = self._usage or replace(self._told.estimate, output=estimated(0, self._characters).output)
        return _event("message_delta", delta=delta, usage=write_usage(usage)) + _event("message_stop")


def _event(kind: str, **fields: Any) -> bytes:
    return named_event(kind, _encode({"type": kind, **fields}))
