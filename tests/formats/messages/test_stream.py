"""Streams in Anthropic Messages: what is written is read again the same."""

from __future__ import annotations

from hypothesis import given, settings
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
    Stop,
    Stopped,
    Told,
    ToolCall,
)
from gateway.formats.messages.stream import Reader, Writer
from gateway.formats.sse import EventSplitter
from gateway.model.calls import Usage, UsageSource
from tests.formats.messages.judges import judged_events
from tests.formats.messages.parts import PARTS
from tests.formats.messages.streams import SIZES, USAGE, joined, stream_of

TOLD = Told("call1", "asked-model", Usage(7, 3, source=UsageSource.ESTIMATED), wants_usage=False, now=1)


def read_in_chunks(stream: bytes, size: int) -> list[Event]:
    splitter, reader = EventSplitter(), Reader()
    chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
    events = [event for chunk in chunks for whole in splitter.feed(chunk) for event in reader.read(whole)]
    return [*events, *reader.end()]


@settings(max_examples=100, deadline=None)
@given(PARTS, st.sampled_from([Stop.LENGTH, Stop.PAUSE, Stop.REFUSAL, Stop.CONTEXT]), SIZES, st.integers(1, 200))
def test_what_is_written_is_read_again_the_same(parts: tuple[Part, ...], stop: Stop, size: int, chunk: int) -> None:
    events = stream_of(parts, stop, size)
    writer = Writer(TOLD)

    stream = b"".join(map(writer.write, events))

    judged_events(stream)
    assert joined(read_in_chunks(stream, chunk)) == joined(events)


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1), SIZES)
def test_free_text_for_a_tool_is_an_input_that_can_be_read(words: str, size: int) -> None:
    call = ToolCall("t", "patch__free_text", words)
    begun = PartBegan(0, Kind.TOOL_CALL, "t", "patch__free_text", is_custom=True)
    events = [begun if isinstance(event, PartBegan) else event for event in stream_of([call], Stop.LENGTH, size)]
    writer = Writer(TOLD)

    stream = b"".join(map(writer.write, events))

    judged_events(stream)
    assert Delta(0, words) in read_in_chunks(stream, 50)


def test_calls_whose_arguments_come_in_turns_stay_apart() -> None:
    events: list[Event] = [
        Began("msg_1", "asked-model"),
        PartBegan(0, Kind.TOOL_CALL, "a", "f"),
        PartBegan(1, Kind.TOOL_CALL, "b", "g"),
        *(Delta(0, '{"x'), Delta(1, '{"y'), Delta(0, '":1}'), Delta(1, '":2}')),
        *(PartEnded(0), PartEnded(1), Measured(USAGE), Stopped(Stop.TOOL_CALLS), Ended()),
    ]
    writer = Writer(TOLD)

    assert joined(read_in_chunks(b"".join(map(writer.write, events)), 30)) == joined(events)
