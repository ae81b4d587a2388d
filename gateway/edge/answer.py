"""One request and its answer at the socket: uvicorn's own, which writes an answer's head and beginning at once.

An application is told the moment its client leaves, instead of waiting for it in a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.edge.offers import offer, withdraw

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode("ascii") for status in HTTPStatus}
_NO_BODY = frozenset({204, 304})
_COLON = b": "
_LINGER_SECONDS = 5.0


class Answer(RequestResponseCycle):
    """The ASGI side of one request. `adopt` makes it of the one that uvicorn made."""

    parts: list[bytes]
    held: int
    head: bytes
    flushing: asyncio.Handle | None
    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[None]
    tasks: set[asyncio.Task[None]]
    is_following: bool
    is_cut_short: bool

    def adopt(self, loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[None]]) -> None:
        """`tasks` are those that the server waits for before it stops; this one leaves them at its end."""
        self.parts, self.held = [], 0
        self.head, self.flushing, self.loop, self.tasks = b"", None, loop, tasks
        self.is_following = self.is_cut_short = False
        offer(self.scope, self)

    # What it offers.

    @property
    def has_begun(self) -> bool:
        return self.response_started

    def follow_client(self, *, is_following: bool) -> None:
        self.is_following = is_following
        if is_following and self.disconnected:
            self._cut_short()

    def whole_body(self) -> bytes | None:
        if self.more_body or self.disconnected:
            return None
        if self.flow.read_paused:
            self.flow.resume_reading()
        return self._taken()

    def heard(self, part: bytes) -> None:
        """More of the request's body came. Parts are kept as they are: a large body is copied once, by who wants it."""
        self.parts.append(part)
        self.held += len(part)
        if self.held > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    async def receive(self) -> Any:
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self._taken(), "more_body": self.more_body}

    def _taken(self) -> bytes:
        parts, self.parts, self.held = self.parts, [], 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def run_asgi(self, app: Any) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except BaseException as error:  # noqa: BLE001  # reason: the last place where a connection ends with its request
            self._note(error)
        try:
            if not self.response_complete:
                await self._end_early()
        finally:
            self.tasks.discard(self.task)
            self.on_response = _nothing
            withdraw(self.scope)

    def _note(self, error: BaseException) -> None:
        """Nothing to tell of where its client left, and nobody else ended it."""
        is_over = isinstance(error, asyncio.CancelledError) and self.is_cut_short and self.task.uncancel() <= 0
        if not is_over:
            self.logger.error("Exception in ASGI application\n", exc_info=error)

    async def _end_early(self) -> None:
        """An answer that was not begun becomes an error, one that was begun is cut."""
        if self.disconnected:
            return
        if self.response_started:
            self.transport.close()
        else:
            await self.send_500_response()
        if not self.response_complete:
            # It is being closed; a client that takes nothing any more would keep it open for ever.
            self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def left(self) -> None:
        """The client is gone."""
        if self.flushing is not None:
            self.flushing.cancel()
        if self.is_following:
            self._cut_short()

    def _cut_short(self) -> None:
        self.is_following, self.is_cut_short = False, True
        self.task.cancel()

    def respond(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        if self.flow.write_paused and not self.disconnected:
            return False
        if not self.disconnected:
            head = self._head_of(status, headers)
            self.transport.write(head + self._framed(body, is_last=True))
            self._end()
        return True

    def begin(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> bool:
        if self.flow.write_paused and not self.disconnected:
            return False
        if not self.disconnected:
            self.transport.write(self._head_of(status, headers) + self._framed(body, is_last=False))
        return True

    async def send(self, message: Any) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        else:
            self._body(message.get("body", b""), is_last=not message.get("more_body", False))

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self.head = self._head_of(status, headers)
        # Should the body be a while in coming, the head does not wait for it.
        self.flushing = self.loop.call_soon(self._flush)

    def _head_of(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        if self.response_started:
            raise RuntimeError("An answer begins once.")
        said = (*self.default_headers, *headers)
        lines, says_close = [_STATUS_LINES[status], *map(_COLON.join, said)], False
        for name, value in said:
            if name == b"content-length":
                self.chunked_encoding, self.expected_content_length = False, int(value)
            elif name == b"connection" and b"close" in value.lower():
                self.keep_alive, says_close = False, True
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in _NO_BODY:
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked")
        head, ends = b"\r\n".join(lines) + b"\r\n\r\n", len(lines) + 1
        # One look at the whole head in place of two patterns for each header: a value may not begin another line.
        # (`in` would first try whether what it looks for is a number.)
        if head.count(b"\n") != ends or head.count(b"\r") != ends or head.find(b"\0") >= 0:
            raise RuntimeError(f"One of {len(said)} headers of the answer has a line's end in it.")
        self.response_started, self.waiting_for_100_continue = True, False
        return head

    def _flush(self) -> None:
        head, self.head = self.head, b""
        if head and not self.disconnected:
            self.transport.write(head)

    def _body(self, body: bytes, *, is_last: bool) -> None:
        if not self.response_started or self.response_complete:
            raise RuntimeError("A body comes after its answer's beginning, and before its end.")
        text = self._framed(body, is_last=is_last)
        if self.head:
            text, self.head = self.head + text, b""
            if self.flushing is not None:
                self.flushing.cancel()
        if text:
            self.transport.write(text)
        if is_last:
            self._end()

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            return b""
        if self.chunked_encoding:
            chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            return chunk + b"0\r\n\r\n" if is_last else chunk
        self.expected_content_length -= len(body)
        if self.expected_content_length < 0:
            raise RuntimeError("The body is longer than its content-length.")
        return body

    def _end(self) -> None:
        if self.expected_content_length > 0:
            raise RuntimeError("The body is shorter than its content-length.")
        self.response_complete, self.is_following = True, False
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _nothing() -> None:
    """Nothing is to be done after an answer that was not whole."""
