"""One HTTP/1.1 connection to a provider: the socket, its pauses and its one timer. What is said on it is elsewhere."""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

NEVER = float("inf")


class Speaker(Protocol):
    """Who speaks on a connection, one at a time. Once it is told of an end it is told nothing more."""

    def heard(self, data: memoryview) -> None:
        """`data` is gone when this returns."""

    def cut(self, reason: Exception | None) -> None:
        """The connection ended; without a reason the other side closed it in order."""

    def drained(self) -> None:
        """There is room again for what is sent."""

    def expired(self) -> None:
        """The time of `Connection.arm` has come."""


class Owner(Protocol):
    """Who is told what becomes of a connection."""

    def freed(self, connection: Connection) -> None:
        """It may be used again."""

    def lost(self, connection: Connection) -> None:
        """It is closed, or about to be. Told once."""


class Connection(asyncio.BufferedProtocol):
    """`owner` hears when it is free and when it is lost, and notes when it `has_answered` for the first time.

    Without a `transport` it is still to be opened. Free, it is closed by whatever comes from the other side.
    What is read goes through `buffer`, which all connections of an event loop may share: the loop fills it and tells
    of it in one step. Without one, asyncio makes 256 KiB anew for each read, which costs more than all else in it.
    """

    __slots__ = (
        "_buffer",
        "_deadline",
        "_fires_at",
        "_speaker",
        "_timer",
        "has_answered",
        "is_full",
        "is_lost",
        "loop",
        "owner",
        "transport",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner, buffer: memoryview) -> None:
        self.loop = loop
        self.owner = owner
        self._buffer = buffer
        self.transport: asyncio.Transport | None = None
        self.has_answered = False
        self.is_lost = False
        self.is_full = False
        self._speaker: Speaker | None = None
        self._deadline = NEVER
        self._timer: asyncio.TimerHandle | None = None
        self._fires_at = NEVER

    def begin(self, speaker: Speaker) -> asyncio.Transport:
        assert self.transport is not None and self._speaker is None
        self._speaker = speaker
        self._deadline = NEVER
        return self.transport

    def end(self, *, is_keepable: bool) -> None:
        """The speaker has done with it."""
        self._speaker = None
        self._deadline = NEVER
        if is_keepable and not self.is_lost:
            self.owner.freed(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close now: the other side hears of it within a step of the event loop."""
        if self.transport is not None:
            self.transport.abort()
        self._lose()

    def arm(self, deadline: float) -> None:
        """Tell the speaker, or close a free connection, at this time (the event loop's).

        To put it off costs nothing: the timer is set again when it fires too early.
        """
        self._deadline = deadline
        if deadline >= self._fires_at or self.is_lost:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._fires_at = self.loop.call_at(deadline, self._tick), deadline

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        if self.is_lost:
            self.transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._speaker is not None:
            self._speaker.heard(self._buffer[:nbytes])
        else:
            # Nothing was asked: who speaks now is out of step with us.
            self.abort()

    def eof_received(self) -> None:
        self._cut(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cut(exc)
        self._lose()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False
        if self._speaker is not None:
            self._speaker.drained()

    def _cut(self, reason: Exception | None) -> None:
        if self._speaker is not None:
            self._speaker.cut(reason)

    def _lose(self) -> None:
        if self.is_lost:
            return
        self.is_lost = True
        self._cut(ConnectionAbortedError("it was closed here"))
        self._speaker = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.owner.lost(self)

    def _tick(self) -> None:
        self._timer, self._fires_at = None, NEVER
        if self._deadline > self.loop.time():
            self.arm(self._deadline)
        elif self._speaker is not None:
            self._speaker.expired()
        else:
            self.abort()
