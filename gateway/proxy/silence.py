"""The silences of a stream on its way to a client: a ping fills the provider's, a client's own ends it.

One timer looks after both: a chunk that passes only leaves the time.
"""

from __future__ import annotations

import asyncio

from gateway.proxy.sending import Send

WRITE_IDLE_SECONDS = 60.0
"""A client that takes nothing for so long has left; it is noticed a look later."""
_LOOK_SECONDS = 5.0


class Silence:
    """Send through `write`; `end` it at last. `ping` is empty where the stream has none.

    Where the client stopped reading, the task that made this is cancelled, and `is_given_up`.
    """

    __slots__ = (
        *("_last", "_look_seconds", "_loop", "_patience", "_ping", "_ping_seconds"),
        *("_pinging", "_send", "_task", "_timer", "_writing_since"),
    )

    def __init__(self, send: Send, ping: bytes, ping_seconds: float, patience: float = WRITE_IDLE_SECONDS) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task(self._loop)
        self._send = send
        self._ping = ping
        self._ping_seconds = ping_seconds
        self._patience = patience
        self._look_seconds = min(_LOOK_SECONDS, ping_seconds, patience)
        self._pinging: asyncio.Task[None] | None = None
        self._writing_since: float | None = None
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(self._look_seconds, self._look)

    @property
    def is_given_up(self) -> bool:
        return self._timer is None

    def take_back(self) -> None:
        """The cancellation was understood."""
        assert self._task is not None
        self._task.uncancel()

    async def write(self, body: bytes, *, more: bool) -> None:
        """One write, after the ping that may be on its way."""
        if self._pinging is not None:
            await self._pinging
        await self._write(body, more=more)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._pinging is not None:
            self._pinging.cancel()

    async def _write(self, body: bytes, *, more: bool) -> None:
        self._writing_since = self._loop.time()
        await self._send({"type": "http.response.body", "body": body, "more_body": more})
        self._last, self._writing_since = self._writing_since, None

    async def _write_ping(self) -> None:
        try:
            await self._write(self._ping, more=True)
        finally:
            self._pinging = None

    def _look(self) -> None:
        now = self._loop.time()
        if self._writing_since is not None:
            if now - self._writing_since >= self._patience:
                self._timer = None
                assert self._task is not None
                self._task.cancel()
                return
        elif self._ping and now - self._last >= self._ping_seconds:
            self._pinging = self._loop.create_task(self._write_ping())
        due = self._last + self._ping_seconds - now if self._ping else self._look_seconds
        self._timer = self._loop.call_later(due if 0 < due < self._look_seconds else self._look_seconds, self._look)
