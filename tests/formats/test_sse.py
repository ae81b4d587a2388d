from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UpstreamFailed
from gateway.formats.sse import LARGEST_EVENT, EventSplitter, event_payload

pieces = st.lists(
    st.sampled_from([b"data: x", b"\n", b"\r\n", b"\r", b"\n\n", b": ping", b"event: e", b"data:", b" ", b"\xc3\xa9"]),
    max_size=30,
).map(b"".join)


def whole(text: bytes) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    return splitter.feed(text), splitter.rest()


@given(pieces, st.lists(st.integers(0, 200), max_size=8))
def test_any_split_of_a_stream_gives_the_same_events_and_loses_no_byte(text: bytes, cuts: list[int]) -> None:
    splitter = EventSplitter()
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    events = [event for start, end in zip(places, places[1:], strict=False) for event in splitter.feed(text[start:end])]

    assert b"".join(events) + splitter.rest() == text
    assert (events, splitter.rest()) == whole(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (b"data: a\n\ndata: b\n\n", 2),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", 2),
        (b"data: a\r\rdata: b\r\rx", 2),
        (b"data: a\n", 0),
    ],
)
def test_every_end_of_line_ends_events(text: bytes, count: int) -> None:
    assert len(whole(text)[0]) == count


@pytest.mark.parametrize(
    ("event", "payload"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\r\n\r\n", b"{}"),
        (b"event: x\ndata: a\ndata: b\n\n", b"a\nb"),
        (b": ping\n\n", b""),
        (b"data:  two spaces\n\n", b" two spaces"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
    ],
)
def test_the_payload_is_the_data_lines(event: bytes, payload: bytes) -> None:
    assert event_payload(event) == payload


def test_an_event_without_end_is_refused_before_it_fills_the_memory() -> None:
    splitter = EventSplitter()
    with pytest.raises(UpstreamFailed):
        for _ in range(LARGEST_EVENT // 1_000_000 + 2):
            splitter.feed(b"x" * 1_000_000)
