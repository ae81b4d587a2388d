"""A request and its answer on one connection: sending, waiting, and what ends it too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec

from gateway.proxy.http1 import NEVER, Connection
from gateway.proxy.incoming import Incoming
from gateway.proxy.outgoing import Outgoing
from gateway.proxy.signal import Signal

HIGH_WATER = 256 * 1024
"""Bytes that nobody has read yet, above which the provider has to wait."""
_JOINED = 64 * 1024
"""Up to this length a body goes out in one write with its head."""
_SLICE = 256 * 1024


class Patience(msgspec.Struct, frozen=True):
    """Seconds. For a place in the `pool` and to `connect`; to `write` without progress, for the `first_byte` from the
    request's end to the head of the answer, to `read` while somebody waits for bytes of the body. `ends_at` bounds all
    of it (the event loop's time).
    """

    pool: float = NEVER
    connect: float = NEVER
    write: float = NEVER
    first_byte: float = NEVER
    read: float = NEVER
    ends_at: float = NEVER


class Exchange(httpx.AsyncByteStream):
    """`ask` returns with the head of the `answer`. Then this is the stream of the body: each step gives all that came
    since the last one.

    Once the body is whole the connection is free, whether or not anybody has read it. Left before, it is closed.
    """

    # As of `Incoming`: what it begins with is the class's.
    _error: httpx.TransportError | None = None
    _news: Signal | None = None
    _room: Signal | None = None
    _is_sent = _is_reading_paused = False
    _unsent = 0

    def __init__(self, connection: Connection, sent: Outgoing, patience: Patience) -> None:
        self.answer = Incoming(is_bodiless=sent.is_bodiless)
        self._sent = sent
        self._connection = connection
        self._patience = patience
        self._ends_at = patience.ends_at
        self._idle_seconds = patience.read
        self._transport = connection.begin(self)

    async def ask(self) -> None:
        """Send the request and wait for the head. Raises httpx's errors; cancelled, it closes the connection."""
        sent = self._sent
        try:
            if sent.parts is not None:
                await self._send_parts(sent.head, sent.parts, sent.length)
            elif len(sent.body) <= _JOINED:
                self._transport.write(sent.head + sent.body)
                self._is_sent = True
            else:
                await self._send_large(sent.head, sent.body)
            deadline = self._until(self._patience.first_byte)
            while not self.answer.has_head:
                await self._wait(deadline)
        except BaseException:
            # reason: whatever ends it here, a cancellation above all, must not leave the connection behind.
            self._leave()
            raise

    def bound(self, ends_at: float, idle_seconds: float) -> None:
        """From now on these bound it: the event loop's time, and seconds of waiting for more of the body."""
        self._ends_at, self._idle_seconds = ends_at, idle_seconds

    @property
    def is_over(self) -> bool:
        """Whether the body is here to its end; then closing does nothing."""
        return self.answer.is_complete

    def rest(self) -> bytes | None:
        """What was not read yet of a body that is here to its end; None where more is to come."""
        return self.answer.take() if self.answer.is_complete else None

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        answer = self.answer
        # Nobody waits, and no timer is looked at, while more is always here already.
        if self._ends_at < NEVER and not answer.is_complete and self._connection.loop.time() >= self._ends_at:
            self._fail(httpx.ReadTimeout("the answer did not end in time"))
            self._raise_error()
        while not answer.parts:
            if answer.is_complete:
                raise StopAsyncIteration
            await self._wait(self._until(self._idle_seconds))
        if self._is_reading_paused and not answer.is_complete:
            self._transport.resume_reading()
        self._is_reading_paused = False
        return answer.take()

    async def aclose(self) -> None:
        """Before the end of the body this closes the connection; after it, nothing is left to do."""
        self._leave()

    # What the connection tells.

    def heard(self, data: memoryview) -> None:
        answer = self.answer
        had_head = answer.has_head
        try:
            answer.feed(data)
        except httpx.RemoteProtocolError as error:
            self._fail(error)
            return
        if answer.is_complete:
            self._finish()
            return
        if answer.held > HIGH_WATER and not self._is_reading_paused:
            self._is_reading_paused = True
            self._transport.pause_reading()
        if answer.parts or answer.has_head is not had_head:
            _wake(self._room)
            if self._news is not None:
                self._news.give()

    def cut(self, reason: Exception | None) -> None:
        if reason is not None:
            self._fail(httpx.ReadError(f"the connection broke: {reason}"))
            return
        try:
            self.answer.finish()
        except httpx.RemoteProtocolError as error:
            self._fail(error)
        else:
            self._finish()

    def drained(self) -> None:
        _wake(self._room)

    def expired(self) -> None:
        if _is_waiting(self._room):
            self._expired_sending()
        elif _is_waiting(self._news):
            waited = "the rest of the answer" if self.answer.has_head else "an answer"
            self._fail(httpx.ReadTimeout(f"waited too long for {waited}"))

    def _expired_sending(self) -> None:
        left = self._transport.get_write_buffer_size()
        if left < self._unsent and self._connection.loop.time() < self._ends_at:
            self._unsent = left
            self._connection.arm(self._until(self._patience.write))
        else:
            self._fail(httpx.WriteTimeout("the provider took nothing of the request for too long"))

    # Sending.

    async def _send_large(self, head: bytes, body: bytes) -> None:
        """Slice by slice: what the socket does not take at once is copied, and others have their turn in between."""
        self._transport.write(head)
        view = memoryview(body)
        for start in range(0, len(body), _SLICE):
            self._transport.write(view[start : start + _SLICE])
            await self._wait_for_room()
            if self.answer.has_head:
                return
        self._is_sent = True

    async def _send_parts(self, head: bytes, parts: AsyncIterator[bytes], length: int | None) -> None:
        """In a task of its own: an early answer is heard while the next part is still to come."""
        self._transport.write(head)
        sending = self._connection.loop.create_task(self._send_each(parts, length))
        sending.add_done_callback(lambda _: _wake(self._news))
        try:
            while not (self.answer.has_head or sending.done()):
                await self._wait(self._ends_at)
        except BaseException:
            # reason: the provider hears of it first, and the task ends with this one.
            self._leave()
            await _ended(sending)
            raise
        if sending.done():
            sending.result()
        else:
            await _ended(sending)

    async def _send_each(self, parts: AsyncIterator[bytes], length: int | None) -> None:
        left = length or 0
        async for part in parts:
            if length is None:
                part = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
            elif len(part) > left:
                raise httpx.LocalProtocolError("the request's body is longer than it said")
            else:
                left -= len(part)
            self._transport.write(part)
            await self._wait_for_room()
        if left:
            raise httpx.LocalProtocolError("the request's body is shorter than it said")
        if length is None:
            self._transport.write(b"0\r\n\r\n")
        self._is_sent = True

    # Waiting. Deadlines mostly move forward, so that none of this sets a timer; one that comes while nobody waits is
    # nobody's.

    def _until(self, seconds: float) -> float:
        return min(self._connection.loop.time() + seconds, self._ends_at)

    async def _wait_for_room(self) -> None:
        connection = self._connection
        if self._transport.is_closing():
            # A write failed; of that the connection tells in the event loop's next step.
            await asyncio.sleep(0)
        while connection.is_full and not self.answer.has_head:
            self._raise_error()
            self._unsent = self._transport.get_write_buffer_size()
            connection.arm(self._until(self._patience.write))
            self._room = Signal(connection.loop)
            try:
                await self._room
            finally:
                self._room = None
                if self._error is None and not self.answer.is_complete:
                    # Else the connection is no longer ours.
                    connection.arm(self._ends_at)
        self._raise_error()

    async def _wait(self, deadline: float) -> None:
        """For anything new. Raises the error that ended the exchange; cancelled, it closes the connection."""
        if self._error is not None:
            raise self._error
        self._connection.arm(deadline)
        self._news = Signal(self._connection.loop)
        try:
            await self._news
        except asyncio.CancelledError:
            self._leave()
            raise
        finally:
            self._news = None
        if not self.answer.parts:
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    # Ends.

    def _finish(self) -> None:
        is_whole = self._is_sent and not self._transport.get_write_buffer_size()
        self._connection.end(is_keepable=is_whole and self.answer.is_keepable)
        # In the loop's next step, as nothing follows that could be late: under load it has more to do in each of them.
        _wake(self._news)
        _wake(self._room)

    def _fail(self, error: httpx.TransportError) -> None:
        if self._error is None and not self.answer.is_complete:
            self._error = error
            self.answer.let_go()
            self._connection.end(is_keepable=False)
        _wake(self._news)
        _wake(self._room)

    def _leave(self) -> None:
        self._fail(httpx.ReadError("the answer was left before its end"))


def _is_waiting(waiter: Signal | None) -> bool:
    """Not where what was waited for has come, and only who waited has not had its turn yet."""
    return waiter is not None and not waiter.done()


def _wake(waiter: Signal | None) -> None:
    if waiter is not None:
        waiter.give_soon()


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel it and see to it that it is over, whatever it says of that."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
