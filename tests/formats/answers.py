"""Answers and their streams for tests of every format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.formats.intermediate import (
    Answer,
    Began,
    Delta,
    Ended,
    Event,
    Kind,
    Measured,
    Part,
    PartBegan,
    PartEnded,
    Refusal,
    Signed,
    Stopped,
    StreamReader,
    StreamWriter,
    Text,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.sse import EventSplitter
from gateway.model.calls import Usage, UsageSource

TOLD = Told(
    call_id="c1",
    model="m",
    estimate=Usage(input=7, output=3, source=UsageSource.ESTIMATED),
    wants_usage=True,
    now=1_700_000_000,
)
tokens = st.integers(0, 10**9)


def events_of(answer: Answer, pieces: int = 3) -> list[Event]:
    """The stream that says the answer, its text and arguments in at most `pieces` pieces."""
    events: list[Event] = [Began(answer.id, answer.model, answer.created)]
    for index, part in enumerate(answer.parts):
        events += _part_events(index, part, pieces)
    events.append(Stopped(answer.stop, answer.stop_sequence))
    if answer.usage is not None:
        events.append(Measured(answer.usage))
    return [*events, Ended()]


def _part_events(index: int, part: Part, pieces: int) -> list[Event]:
    match part:
        case Text():
            began, text = PartBegan(index, Kind.TEXT), part.text
        case Refusal():
            began, text = PartBegan(index, Kind.REFUSAL), part.text
        case Thinking():
            began, text = PartBegan(index, Kind.THINKING, part.id), part.text
        case ToolCall():
            began = PartBegan(index, Kind.TOOL_CALL, part.id, part.name, part.is_custom)
            text = part.arguments
        case _:
            raise AssertionError(part)
    size = max(1, -(-len(text) // pieces))
    deltas: list[Event] = [Delta(index, text[start : start + size]) for start in range(0, len(text), size)]
    if isinstance(part, Thinking) and part.signature and part.origin:
        deltas.append(Signed(index, part.signature, part.origin))
    return [began, *deltas, PartEnded(index)]


def answer_of(events: Sequence[Event]) -> Answer:
    """What a stream said, once it is whole; it must keep to the order that is promised."""
    assert isinstance(events[0], Began)
    assert isinstance(events[-1], Ended)
    (stopped,) = (place for place, event in enumerate(events) if isinstance(event, Stopped))
    ending = events[stopped]
    assert isinstance(ending, Stopped)
    for event in events[stopped + 1 : -1]:
        assert isinstance(event, Measured)
    usages = [event.usage for event in events if isinstance(event, Measured)]
    return Answer(
        id=events[0].id,
        model=events[0].model,
        parts=parts_of(event for event in events[1:stopped] if not isinstance(event, Measured)),
        stop=ending.stop,
        stop_sequence=ending.stop_sequence,
        usage=usages[-1] if usages else None,
        created=events[0].created,
    )


def parts_of(events: Iterable[Event]) -> tuple[Part, ...]:
    """Parts out of the events between Began and Stopped: every one ends."""
    parts: list[Part] = []
    opened: set[int] = set()
    for event in events:
        if isinstance(event, PartBegan):
            assert event.index == len(parts)
            opened.add(event.index)
            parts.append(_begun(event))
            continue
        assert isinstance(event, Delta | Signed | PartEnded)
        assert event.index in opened
        if isinstance(event, PartEnded):
            opened.remove(event.index)
        else:
            parts[event.index] = _more(parts[event.index], event)
    assert not opened
    return tuple(parts)


def _begun(event: PartBegan) -> Part:
    match event.kind:
        case Kind.TEXT:
            return Text("")
        case Kind.REFUSAL:
            return Refusal("")
        case Kind.THINKING:
            return Thinking(id=event.id)
        case Kind.TOOL_CALL:
            return ToolCall(event.id, event.name, "", is_custom=event.is_custom)


def _more(part: Part, event: Delta | Signed) -> Part:
    if isinstance(event, Signed):
        assert isinstance(part, Thinking)
        return replace(part, signature=event.signature, origin=event.origin)
    if isinstance(part, ToolCall):
        return replace(part, arguments=part.arguments + event.text)
    assert isinstance(part, Text | Refusal | Thinking)
    return replace(part, text=part.text + event.text)


def written(writer: StreamWriter, events: Iterable[Event]) -> bytes:
    return b"".join(writer.write(event) for event in events)


def read(reader: StreamReader, stream: bytes, cuts: Sequence[int] = ()) -> list[Event]:
    """All events of a stream that came in chunks split at `cuts`."""
    splitter = EventSplitter()
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    events: list[Event] = []
    for start, end in zip(places, places[1:], strict=False):
        for event in splitter.feed(stream[start:end]):
            events += reader.read(event)
    if splitter.rest():
        events += reader.read(splitter.rest())
    return [*events, *reader.end()]
