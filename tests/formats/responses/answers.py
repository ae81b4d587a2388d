"""Parts and events of answers as Hypothesis draws them: everything that OpenAI Responses can say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

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
    Refusal,
    Signed,
    Stop,
    Stopped,
    Text,
    Thinking,
    Told,
    ToolCall,
)
from gateway.formats.responses.stream import Reader
from gateway.formats.sse import EventSplitter, event_payload
from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import ApiFormat

HERE = ApiFormat.OPENAI_RESPONSES
CLAUDE = ApiFormat.ANTHROPIC_MESSAGES
USED = Usage(input=50, output=30, cache_read=40, cache_creation=10, reasoning=20, source=UsageSource.REPORTED)
GUESSED = Usage(input=7, output=3, source=UsageSource.ESTIMATED)
TOLD = Told(call_id="c1", model="asked", estimate=GUESSED, wants_usage=False, now=1_700_000_000)

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=10)
FILLED = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10)
ARGUMENTS = st.sampled_from(['{"a": 1.50, "b": -0.0}', '{"n":123456789012345678901234567890}', "{}", '{"x":"\\ud83d'])


def _apart(parts: list[Any]) -> tuple[Part, ...]:
    """The parts with ids of their own, as every provider gives them."""
    return tuple(
        replace(part, id=f"{part.id}{place}") if isinstance(part, ToolCall | Thinking) else part
        for place, part in enumerate(parts)
    )


PARTS = st.lists(
    st.one_of(
        st.builds(Text, WORDS),
        st.builds(Refusal, WORDS),
        st.builds(ToolCall, st.sampled_from(["a", "b"]), st.just("weather"), ARGUMENTS),
        st.builds(ToolCall, st.just("c"), st.just("patch"), WORDS, st.just(True)),
        st.builds(Thinking, WORDS, FILLED, st.sampled_from([HERE, CLAUDE]), st.just("rs_1")),
        st.builds(Thinking, FILLED, st.just(""), st.none(), st.just("rs_2")),
    ),
    max_size=5,
).map(_apart)


def stop_of(parts: Iterable[Part]) -> Stop:
    kinds = {type(part) for part in parts}
    if ToolCall in kinds:
        return Stop.TOOL_CALLS
    return Stop.REFUSAL if Refusal in kinds else Stop.END


_KINDS: dict[type, Kind] = {
    Text: Kind.TEXT,
    Refusal: Kind.REFUSAL,
    ToolCall: Kind.TOOL_CALL,
    Thinking: Kind.THINKING,
}


def events_of(parts: Iterable[Any], usage: Usage = USED) -> list[Event]:
    """What a stream of these parts says, one after the other, every text in two pieces."""
    listed = tuple(parts)
    events: list[Event] = [Began("resp_1", "asked", 1_600_000_000)]
    for index, part in enumerate(listed):
        text = part.arguments if isinstance(part, ToolCall) else part.text
        if isinstance(part, ToolCall):
            events.append(PartBegan(index, Kind.TOOL_CALL, part.id, part.name, part.is_custom))
        else:
            events.append(PartBegan(index, _KINDS[type(part)], part.id if isinstance(part, Thinking) else ""))
        half = len(text) // 2
        events += [Delta(index, piece) for piece in (text[:half], text[half:]) if piece]
        if isinstance(part, Thinking) and part.origin is not None:
            events.append(Signed(index, part.signature, part.origin))
        events.append(PartEnded(index))
    return [*events, Measured(usage), Stopped(stop_of(listed)), Ended()]


def joined(events: Iterable[Event]) -> list[Event]:
    """The events with what was added to one part in one piece."""
    found: list[Event] = []
    for event in events:
        last = found[-1] if found else None
        if isinstance(event, Delta) and isinstance(last, Delta) and last.index == event.index:
            found[-1] = Delta(event.index, last.text + event.text)
        else:
            found.append(event)
    return found


def read(*chunks: bytes) -> list[Event]:
    splitter, reader, found = EventSplitter(), Reader(), list[Event]()
    for chunk in chunks:
        for event in splitter.feed(chunk):
            found += reader.read(event)
    return found + reader.end()


OFFICIAL: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def payloads(stream: bytes) -> list[dict[str, Any]]:
    return [msgspec.json.decode(payload) for event in EventSplitter().feed(stream) if (payload := event_payload(event))]
