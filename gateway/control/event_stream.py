"""The events as a stream of server-sent events over HTTP, for every face that serves them: plain ASGI.

It cleans up where it sends; an async generator's `finally` may not run where a client leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from gateway.control.events import EVERY_TOPIC, Event, Events, Listener, Topic
from gateway.errors import Unavailable

Header = tuple[bytes, bytes]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MEDIA_TYPE = "text/event-stream"
PING_SECONDS = 15.0
RETRY_MS = 3000
WRITE_IDLE_SECONDS = 60.0
_PING = b": still here\n\n"


class EventStream(msgspec.Struct, frozen=True):
    """ASGI. `after` is the id of the last event that the client has, as it sent it; its Last-Event-ID is newer.

    `is_allowed` is asked before anything is told, pings too: a session may end meanwhile, a token be disabled.
    """

    events: Events
    is_allowed: Callable[[], Awaitable[bool]]
    topics: frozenset[Topic] = EVERY_TOPIC
    after: str | None = None
    headers: tuple[Header, ...] = ()
    ping_seconds: float = PING_SECONDS

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        with self.events.listen(self.topics, self._resumed_after(scope)) as listener:
            await send({"type": "http.response.start", "status": 200, "headers": self._all_headers()})
            if scope["method"] != "HEAD":
                watch = asyncio.ensure_future(_until_left(receive))
                watch.add_done_callback(lambda _: listener.leave())
                try:
                    await self._tell(listener, send)
                finally:
                    watch.cancel()
            await _write(send, b"", more=False)

    async def _tell(self, listener: Listener, send: Send) -> None:
        await _write(send, b"retry: %d\n%b" % (RETRY_MS, _message(listener.since, "ready")))
        while True:
            await listener.wait(self.ping_seconds)
            if listener.is_over or not await self._is_still_allowed(send):
                return
            is_behind, news = listener.take()
            words = b"".join(map(_event, news))
            if is_behind:
                words = _message(news[0].id - 1 if news else self.events.latest, "resync") + words
            await _write(send, words or _PING)

    async def _is_still_allowed(self, send: Send) -> bool:
        try:
            if await self.is_allowed():
                return True
        except Unavailable:
            return False  # nobody knows; the client comes back and is told what it missed
        await _write(send, b"event: over\ndata: {}\n\n")
        return False

    def _resumed_after(self, scope: MutableMapping[str, Any]) -> int | None:
        sent = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"last-event-id"), "")
        wanted = sent or self.after
        if not wanted:
            return None
        return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) <= 18 else -1

    def _all_headers(self) -> list[Header]:
        own = {
            b"content-type": MEDIA_TYPE.encode() + b"; charset=utf-8",
            b"cache-control": b"no-store",
            b"x-accel-buffering": b"no",
        }
        return list({**own, **dict(self.headers)}.items())


def _event(event: Event) -> bytes:
    return _message(event.id, event.topic.value, msgspec.json.encode(event))


def _message(event_id: int, name: str, content: bytes = b"{}") -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event_id, name.encode(), content)


async def _write(send: Send, body: bytes, *, more: bool = True) -> None:
    """One write. A client that takes nothing for WRITE_IDLE_SECONDS has left."""
    try:
        async with asyncio.timeout(WRITE_IDLE_SECONDS):
            await send({"type": "http.response.body", "body": body, "more_body": more})
    except TimeoutError:
        raise asyncio.CancelledError("the client stopped reading") from None


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
