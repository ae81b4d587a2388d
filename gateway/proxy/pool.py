"""Which connection a request gets: a kept one, newest first, a new one where there is room, else its turn in a queue.

Taking and giving back cost the same however many connections there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.proxy.http1 import Connection

IDLE_SECONDS = 20.0
"""So long a connection is kept unused: less than the patience of most servers."""
_READ = 64 * 1024
"""The most that is read at once."""


class Pool:
    """At most `most` connections to all origins together, and `most_per_origin` to each; unused ones end by themselves
    after `idle_seconds`.
    """

    def __init__(self, most: int, most_per_origin: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self.idle_seconds = idle_seconds
        self.most = most
        self.most_per_origin = most_per_origin
        self.count = 0
        self.buffer = memoryview(bytearray(_READ))
        self.stalls: list[Stall] = []
        self.crowded: dict[Stall, None] = {}

    def stall(self, on_answer: Callable[[Connection], None]) -> Stall:
        """For a further origin. `on_answer` is told of each connection when it has answered for the first time."""
        made = Stall(self, on_answer)
        self.stalls.append(made)
        return made

    def has_room(self, stall: Stall) -> bool:
        """Whether it may open one more; somebody else's longest idle connection makes way for it."""
        if len(stall.connections) >= self.most_per_origin:
            return False
        for other in self.stalls if self.count >= self.most else ():
            if other.idle and other is not stall:
                next(iter(other.idle)).abort()
                break
        return self.count < self.most

    def left(self, stall: Stall) -> None:
        """A place became free: for who waits at the same stall, else at another."""
        for one in (stall, *self.crowded):
            waiter = one.first()
            if waiter is not None and self.has_room(one):
                waiter.set_result(one.reserve())
                return


class Stall:
    """The connections to one origin; it owns them, so that it hears when one is free or lost."""

    def __init__(self, pool: Pool, on_answer: Callable[[Connection], None]) -> None:
        self.idle: dict[Connection, None] = {}
        self.connections: set[Connection] = set()
        self.queue: dict[asyncio.Future[Connection], None] = {}
        self._pool = pool
        self._on_answer = on_answer

    def newest(self) -> Connection | None:
        """An idle connection, taken out."""
        return self.idle.popitem()[0] if self.idle else None

    def reserve(self) -> Connection:
        """A connection that is still to be opened. Its place is free again when it is lost."""
        made = Connection(asyncio.get_running_loop(), self, self._pool.buffer)
        self.connections.add(made)
        self._pool.count += 1
        return made

    def reserved(self) -> Connection | None:
        """As `reserve`, where there is room."""
        return self.reserve() if self._pool.has_room(self) else None

    async def turn(self) -> Connection:
        """Wait until there is a free connection or room for one; it may be lost by the time that it comes."""
        waiter: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.queue[waiter] = None
        self._pool.crowded[self] = None
        try:
            return await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._pass_on(waiter.result())
            raise
        finally:
            self.queue.pop(waiter, None)
            if not self.queue:
                self._pool.crowded.pop(self, None)

    def first(self) -> asyncio.Future[Connection] | None:
        """Who waits longest and still does."""
        for waiter in self.queue:
            if not waiter.done():
                return waiter
        return None

    def freed(self, connection: Connection) -> None:
        if not connection.has_answered:
            connection.has_answered = True
            self._on_answer(connection)
        waiter = self.first() if self.queue else None
        if waiter is not None:
            waiter.set_result(connection)
        elif self._pool.crowded and self._pool.count >= self._pool.most:
            connection.abort()
        else:
            self.idle[connection] = None
            connection.arm(connection.loop.time() + self._pool.idle_seconds)

    def lost(self, connection: Connection) -> None:
        self.idle.pop(connection, None)
        self.connections.discard(connection)
        self._pool.count -= 1
        self._pool.left(self)

    def _pass_on(self, connection: Connection) -> None:
        """What came to somebody who had left."""
        if connection.transport is None:
            connection.abort()
        elif not connection.is_lost:
            self.freed(connection)
