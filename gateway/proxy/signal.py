"""What one task waits for. The task goes on in the very step of the event loop in which it comes.

A future of asyncio's wakes its task in the loop's next step. For each piece of an answer that is one more turn of the
loop, with its system call, before the client gets the piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context


class Signal:
    """To be awaited once, by the task that made it, and given once. Tasks know it by what asyncio asks of futures that
    are not its own: `_asyncio_future_blocking`, `get_loop`, `add_done_callback`, `result` and `cancel`.
    """

    __slots__ = ("_asyncio_future_blocking", "_context", "_is_cancelled", "_is_done", "_loop", "_wake_up")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._wake_up: Callable[[Signal], object] | None = None
        self._is_done = self._is_cancelled = False

    def __await__(self) -> Generator[Signal, None, None]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self

    def done(self) -> bool:
        return self._is_done

    def give(self) -> None:
        """Let the task go on now, before this returns; in the loop's next step where another task gives it.

        The last thing that its caller does: the task may do anything to the connection.
        """
        if self._is_done:
            return
        if asyncio.current_task(self._loop) is None:
            self._is_done = True
            if self._wake_up is not None:
                self._context.run(self._wake_up, self)
        else:
            self.give_soon()

    def give_soon(self) -> None:
        """Let the task go on in the loop's next step."""
        if not self._is_done:
            self._is_done = True
            self._schedule()

    def cancel(self, msg: object = None) -> bool:
        if self._is_done:
            return False
        self._is_done = self._is_cancelled = True
        self._schedule()
        return True

    def result(self) -> None:
        if self._is_cancelled:
            raise asyncio.CancelledError

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, wake_up: Callable[[Signal], object], *, context: Context) -> None:
        self._wake_up, self._context = wake_up, context

    def _schedule(self) -> None:
        if self._wake_up is not None:
            self._loop.call_soon(self._wake_up, self, context=self._context)
