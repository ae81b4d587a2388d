"""A connection by itself: its one timer, its ends, and any bytes at all that come over it."""

from __future__ import annotations

import asyncio
import itertools

import h11
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.proxy.exchange import Exchange, Patience
from gateway.proxy.http1 import NEVER, Connection
from gateway.proxy.outgoing import written
from gateway.proxy.pool import Pool, Stall
from tests.proxy.test_incoming import answers, cuts

pytestmark = pytest.mark.anyio


class Wire(asyncio.Transport):
    """A transport whose other side is the test."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.written: list[bytes] = []
        self.is_aborted = self.is_paused = False
        connection.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.is_aborted

    def abort(self) -> None:
        self.is_aborted = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def bring(self, data: bytes) -> None:
        for start in range(0, len(data), 65536):
            piece = data[start : start + 65536]
            self.connection.get_buffer(-1)[: len(piece)] = piece
            self.connection.buffer_updated(len(piece))


class Speaking:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def heard(self, data: memoryview) -> None:
        self.told.append(bytes(data).decode())

    def cut(self, reason: Exception | None) -> None:
        self.told.append("cut" if reason is None else type(reason).__name__)

    def drained(self) -> None:
        self.told.append("drained")

    def expired(self) -> None:
        self.told.append("expired")


def connected() -> tuple[Stall, Connection, Wire]:
    stall = Pool(9, 9).stall(lambda connection: None)
    connection = stall.reserve()
    return stall, connection, Wire(connection)


async def test_what_comes_is_told_to_who_speaks_and_closes_a_connection_on_which_nobody_does() -> None:
    stall, connection, wire = connected()
    speaker = Speaking()
    connection.begin(speaker)
    wire.bring(b"hello")
    connection.pause_writing()
    assert connection.is_full
    connection.resume_writing()
    connection.end(is_keepable=True)
    assert (speaker.told, wire.is_aborted, list(stall.idle)) == (["hello", "drained"], False, [connection])

    wire.bring(b"anything")
    assert (wire.is_aborted, connection.is_lost, stall.idle, stall.connections) == (True, True, {}, set())
    assert speaker.told == ["hello", "drained"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda connection: connection.eof_received(), "cut"),
        (lambda connection: connection.connection_lost(None), "cut"),
        (lambda connection: connection.connection_lost(ConnectionResetError()), "ConnectionResetError"),
        (lambda connection: connection.abort(), "ConnectionAbortedError"),
    ],
    ids=["closed", "gone", "torn down", "closed from here"],
)
async def test_whoever_ends_a_connection_who_speaks_on_it_is_told(end: object, told: str) -> None:
    stall, connection, _ = connected()
    speaker = Speaking()
    connection.begin(speaker)
    end(connection)  # type: ignore[operator]
    assert (speaker.told[0], connection.is_lost, stall.connections) == (told, True, set())


async def test_the_end_is_counted_once_however_often_it_is_told() -> None:
    stall, connection, _ = connected()
    other = stall.reserve()
    connection.abort()
    connection.eof_received()
    connection.connection_lost(None)
    assert stall.connections == {other}


async def test_a_connection_that_was_given_up_while_it_opened_is_closed_as_it_opens() -> None:
    stall = Pool(9, 9).stall(lambda connection: None)
    connection = stall.reserve()
    connection.abort()
    assert Wire(connection).is_aborted


async def test_a_deadline_that_moves_on_sets_no_timer_and_one_that_comes_closer_does() -> None:
    _, connection, _ = connected()
    speaker = Speaking()
    connection.begin(speaker)
    now = connection.loop.time()
    connection.arm(now + 0.03)
    timer = connection._timer
    for later in range(100):
        connection.arm(now + 1 + later)
    assert connection._timer is timer
    await asyncio.sleep(0.05)
    assert connection._timer is not timer and speaker.told == []
    connection.arm(connection.loop.time() + 0.01)
    await asyncio.sleep(0.03)
    assert speaker.told == ["expired"]
    connection.arm(NEVER)
    assert connection._timer is None
    connection.arm(connection.loop.time() + 0.01)
    connection.arm(NEVER)
    await asyncio.sleep(0.03)
    assert (speaker.told, connection._timer) == (["expired"], None)
    connection.abort()


async def test_a_free_connection_closes_when_its_time_has_come() -> None:
    stall = Pool(9, 9, idle_seconds=0.02).stall(lambda connection: None)
    connection = stall.reserve()
    wire = Wire(connection)
    stall.freed(connection)
    await asyncio.sleep(0.05)
    assert (wire.is_aborted, stall.idle) == (True, {})


async def test_an_answer_that_comes_in_the_moment_of_its_deadline_has_come() -> None:
    """As after a machine slept: both are found at once, the bytes first."""
    stall, connection, wire = connected()
    exchange = Exchange(connection, written(b"POST", b"/", [], b""), Patience(first_byte=60, read=60))
    asking = asyncio.create_task(exchange.ask())
    await asyncio.sleep(0)
    wire.bring(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    exchange.expired()
    await asking
    reading = asyncio.create_task(exchange.__anext__())
    await asyncio.sleep(0)
    wire.bring(b"o")
    exchange.expired()
    assert await reading == b"o"
    exchange.expired()
    wire.bring(b"k")
    assert (await anext(exchange), list(stall.idle)) == (b"k", [connection])
    connection.abort()


def said_by_h11(data: bytes) -> tuple[int, bytes] | None:
    """What another parser makes of a whole answer; None where it makes nothing of it."""
    reading = h11.Connection(our_role=h11.CLIENT)
    reading.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
    reading.send(h11.EndOfMessage())
    reading.receive_data(data)
    reading.receive_data(b"")
    status, body = 0, b""
    try:
        while True:
            event = reading.next_event()
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, body
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None


async def come_to_an_end(pieces: list[bytes], *, is_reset: bool) -> tuple[int, bytes] | None:
    """The answer that these bytes are; None where they are none. Nothing is left either way."""
    stall, connection, wire = connected()
    exchange = Exchange(connection, written(b"POST", b"/", [], b""), Patience())
    asking = asyncio.create_task(exchange.ask())
    await asyncio.sleep(0)
    for piece in pieces:
        if not wire.is_aborted and not stall.idle:
            wire.bring(piece)
    if not stall.idle:
        if is_reset:
            connection.connection_lost(ConnectionResetError())
        else:
            connection.eof_received()
    body = b""
    try:
        async with asyncio.timeout(2):
            await asking
            async for part in exchange:
                body += part
        found = exchange.answer.status, body
    except (httpx.RemoteProtocolError, httpx.ReadError):
        found = None
    assert (len(stall.idle), wire.is_aborted) in ((0, True), (1, False))
    assert not (found is None and stall.idle)
    for kept in list(stall.idle):
        kept.abort()
    assert (stall.connections, connection._speaker, connection._timer) == (set(), None, None)
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in itertools.pairwise(at)]


@given(answers(), cuts)
@settings(deadline=None)
def test_any_answer_comes_over_any_connection(
    sent: tuple[bytes, int, list[tuple[bytes, bytes]], bytes], places: list[int]
) -> None:
    data, status, _, body = sent
    assert asyncio.run(come_to_an_end(cut(data, places), is_reset=False)) == (status, body)


damages = st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=3), st.integers(0, 2)), min_size=1, max_size=4)


@given(answers(), damages, cuts, st.booleans())
@settings(deadline=None)
def test_a_damaged_answer_ends_and_is_never_taken_for_another(
    sent: tuple[bytes, int, list[tuple[bytes, bytes]], bytes],
    damages: list[tuple[int, bytes, int]],
    places: list[int],
    is_reset: bool,
) -> None:
    """What is taken for whole, another parser takes for the same, or for nothing."""
    data = bytearray(sent[0])
    for place, put, gone in damages:
        at = place % (len(data) + 1)
        data[at : at + gone] = put
    found = asyncio.run(come_to_an_end(cut(bytes(data), places), is_reset=is_reset))
    other = said_by_h11(bytes(data))
    assert found is None or other is None or found == other


@given(st.lists(st.binary(max_size=200), max_size=10), st.booleans())
@settings(deadline=None)
def test_any_bytes_at_all_come_to_an_end(pieces: list[bytes], is_reset: bool) -> None:
    assert asyncio.run(come_to_an_end(pieces, is_reset=is_reset)) is None
