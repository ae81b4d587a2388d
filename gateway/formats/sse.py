"""Server-sent events as bytes: split at their ends, never re-encoded."""

from __future__ import annotations

import re
from typing import Protocol

from gateway.errors import UpstreamFailed
from gateway.formats.body import decode_any

# An end of line is \r\n, \n or \r, and an event ends with two of them.
_END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
LARGEST_EVENT = 8 * 1024 * 1024
DONE = b"[DONE]"
"""The payload of the last event in streams of chat and completions."""


class Splitter(Protocol):
    """Cuts what arrives into what is looked at."""

    def whole(self, chunk: bytes) -> bytes: ...

    def rest(self) -> bytes: ...


class EventSplitter:
    """Whole events, with their ends, out of chunks split anywhere: joined they are the bytes that came in."""

    __slots__ = ("_rest",)

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def whole(self, chunk: bytes) -> bytes:
        """The events that are whole by now, joined. Raises UpstreamFailed where one exceeds LARGEST_EVENT."""
        text = self._rest + chunk if self._rest else chunk
        # The end may begin up to three bytes before the new chunk; what is older was searched already.
        search = max(0, len(self._rest) - 3)
        if is_plain(text):
            end = text.rfind(b"\n\n", search) + 2
            end = 0 if end == 1 else end
        else:
            end = _last_end(text, search)
        self._rest = text[end:]
        if len(self._rest) > LARGEST_EVENT:
            raise UpstreamFailed("The provider sent one event that is too large to relay.")
        return text[:end] if self._rest else text

    def feed(self, chunk: bytes) -> list[bytes]:
        """As `whole`, one by one."""
        return split_events(self.whole(chunk))

    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def is_plain(text: bytes) -> bool:
    """Whether every event in it ends with \\n\\n and with nothing else, as nearly all do.

    By `find`, as everywhere where a stream is looked at: `in` tries first whether what it looks for is a number.
    """
    return text.find(b"\r") < 0 and text.find(b"\n\n\n") < 0


def first_event(block: bytes) -> tuple[bytes, bytes]:
    """The first of whole events, and the others; all of them where they do not end in the plain way."""
    end = block.find(b"\n\n") + 2 if block and is_plain(block) else len(block)
    return block[:end], block[end:]


def split_events(block: bytes) -> list[bytes]:
    """Whole events, one by one, each with its end."""
    if is_plain(block):
        return [event + b"\n\n" for event in block[:-2].split(b"\n\n")] if block else []
    events, start = [], 0
    for found in _END.finditer(block):
        events.append(block[start : found.end()])
        start = found.end()
    return events


def _last_end(text: bytes, search: int) -> int:
    """Where the last whole event ends; 0 where none does."""
    end = 0
    for found in _END.finditer(text, search):
        if found.end() == len(text) and text.endswith(b"\r"):
            break  # the \n of this \r\n may still be on its way
        end = found.end()
    return end


def is_whole_event(rest: bytes) -> bool:
    """Whether what came after the last event is one more, only without its empty line, and not a torn one."""
    payload = event_payload(rest)
    return payload == DONE or isinstance(decode_any(payload), dict)


def event_payload(event: bytes) -> bytes:
    """The `data` of one event, its lines joined by \\n; empty for comments."""
    if event.startswith(b"data: ") and event.count(b"\n") <= 2 and event.find(b"\r") < 0:
        return event[6:].rstrip(b"\n")  # the usual one-line event
    lines = []
    for line in event.splitlines():
        if line.startswith(b"data:"):
            value = line[5:]
            lines.append(value[1:] if value.startswith(b" ") else value)
    return b"\n".join(lines)


def named_event(name: str, payload: bytes) -> bytes:
    """One event with its name, as Anthropic's and Responses' streams have them."""
    return b"event: " + name.encode() + b"\ndata: " + payload + b"\n\n"


def plain_event(payload: bytes) -> bytes:
    """One event without a name, as chat's and Gemini's streams have them."""
    return b"data: " + payload + b"\n\n"
