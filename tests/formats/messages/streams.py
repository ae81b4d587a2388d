"""Streams of events for tests, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from gateway.formats.intermediate import (
    Began,
    Delta,
    Ended,
    Event,
    Kind,
    Measured,
    Part,
    PartBegan,
    PartEnded,
    Signed,
    Stop,
    Stopped,
    Text,
    Thinking,
    ToolCall,
)
from gateway.model.calls import Usage, UsageSource

USAGE = Usage(10, 5, 3, 2, 1, UsageSource.REPORTED, 4)


def joined(events: Iterable[Event]) -> list[Event]:
    """The events without estimates of usage, adjacent deltas of one part joined, empty ones left out."""
    found: list[Event] = []
    for event in events:
        if isinstance(event, Measured) and event.usage.source is UsageSource.ESTIMATED:
            continue
        last = found[-1] if found else None
        if isinstance(event, Delta) and isinstance(last, Delta) and last.index == event.index:
            found[-1] = Delta(event.index, last.text + event.text)
        elif not isinstance(event, Delta) or event.text:
            found.append(event)
    return found


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def part_events(index: int, part: Part, size: int) -> list[Event]:
    """The events of one part, its text in pieces."""
    if isinstance(part, Text):
        begun, text = PartBegan(index, Kind.TEXT), part.text
    elif isinstance(part, Thinking):
        begun, text = PartBegan(index, Kind.THINKING), part.text
    else:
        assert isinstance(part, ToolCall)
        begun, text = PartBegan(index, Kind.TOOL_CALL, part.id, part.name), part.arguments
    signed: list[Event] = []
    if isinstance(part, Thinking) and part.signature and part.origin is not None:
        signed = [Signed(index, part.signature, part.origin)]
    return [begun, *(Delta(index, piece) for piece in pieces(text, size)), *signed, PartEnded(index)]


def stream_of(parts: Iterable[Part], stop: Stop, size: int) -> list[Event]:
    middle = [event for index, part in enumerate(parts) for event in part_events(index, part, size)]
    return [Began("msg_1", "asked-model"), *middle, Measured(USAGE), Stopped(stop), Ended()]


SIZES = st.integers(min_value=1, max_value=7)
