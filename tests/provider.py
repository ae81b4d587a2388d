"""A scripted provider on a real socket: it hears requests and does what it is told, to the byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

CHAT_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "upstream-name",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
}

PICTURE_TURN: dict[str, Any] = {
    "role": "user",
    "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
}


@dataclass(frozen=True, slots=True)
class Heard:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Exchange:
    """One request, and the socket to answer it on."""

    heard: Heard
    writer: asyncio.StreamWriter
    reader: asyncio.StreamReader

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in list(HTTPStatus) else 'Odd'}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        await self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


Scene = Callable[[Exchange], Awaitable[None]]


def answer(body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None) -> Scene:
    """A whole answer: an object is sent as JSON, bytes as they are."""
    sent = body if isinstance(body, bytes) else json.dumps(CHAT_ANSWER if body is None else body).encode()

    async def play(exchange: Exchange) -> None:
        kept = {"content-type": "application/json", "content-length": str(len(sent)), **(headers or {})}
        await exchange.head(status, kept)
        await exchange.write(sent)

    return play


def limited(seconds: object = None, *, error: Mapping[str, Any] | None = None, **headers: str) -> Scene:
    """A 429, with `retry-after` where seconds are given."""
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    if seconds is not None:
        found["retry-after"] = str(seconds)
    return answer({"error": dict(error or {"message": "slow down", "code": "rate_limit_exceeded"})}, 429, found)


def refused(status: int, message: str = "no", **error: Any) -> Scene:
    return answer({"error": {"message": message, **error}}, status)


@dataclass(frozen=True, slots=True)
class Pause:
    """Seconds between two parts of a stream."""

    seconds: float


def sse(*payloads: Any) -> list[bytes]:
    """Events of a stream; a string is sent as it is."""
    return [
        b"data: " + (item.encode() if isinstance(item, str) else json.dumps(item).encode()) + b"\n\n"
        for item in payloads
    ]


def delta(text: str | None = None, *, role: bool = False, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk of a streamed chat completion."""
    inner: dict[str, Any] = {"role": "assistant", "content": ""} if role else {}
    if text is not None:
        inner["content"] = text
    choice = {"index": 0, "delta": inner, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "u", "choices": [choice], **more}


USAGE_CHUNK = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "u",
    "choices": [],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
}


def hello_stream(*, usage: bool = True) -> list[bytes]:
    found = [delta(role=True), delta("Hel"), delta("lo"), delta(finish="stop")]
    return sse(*found, *([USAGE_CHUNK] if usage else []), "[DONE]")


def stream(
    parts: Sequence[bytes | Pause] | None = None, *, cut: bool = False, left: asyncio.Event | None = None
) -> Scene:
    """A stream of chunks. `cut` closes the socket instead of ending it; `left` is set when the client goes."""

    async def play(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        watch = asyncio.create_task(exchange.reader.read())
        try:
            for part in hello_stream() if parts is None else parts:
                if isinstance(part, Pause):
                    await asyncio.wait({watch}, timeout=part.seconds)
                    if watch.done():
                        break
                else:
                    await exchange.chunk(part)
            if not cut and not watch.done():
                await exchange.write(b"0\r\n\r\n")
        finally:
            if watch.done() and left is not None:
                left.set()
            watch.cancel()
            exchange.writer.close()

    return play


def hang(left: asyncio.Event | None = None) -> Scene:
    """Never answer; `left` is set when the client goes."""

    async def play(exchange: Exchange) -> None:
        with contextlib.suppress(ConnectionError):
            await exchange.reader.read()
        if left is not None:
            left.set()

    return play


def drop() -> Scene:
    """Close without a word."""

    async def play(exchange: Exchange) -> None:
        exchange.writer.close()

    return play


def raw(data: bytes) -> Scene:
    """Exactly these bytes, then close."""

    async def play(exchange: Exchange) -> None:
        await exchange.write(data)
        exchange.writer.close()

    return play


@dataclass(slots=True)
class Provider:
    """`heard` are its requests. It plays the scenes of `script` in turn, then `always`.

    `arrived` are the bytes of bodies that have come, whole or not.
    """

    origin: str
    always: Scene
    heard: list[Heard] = field(default_factory=list)
    script: deque[Scene] = field(default_factory=deque)
    arrived: int = 0

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def then(self, *scenes: Scene) -> Provider:
        self.script.extend(scenes)
        return self


@contextlib.asynccontextmanager
async def scripted_provider(always: Scene | None = None) -> AsyncIterator[Provider]:
    provider = Provider("", always or answer())
    tasks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        try:
            # Cancelled at the end of the test, it ends like any other conversation.
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    heard = await _read_request(reader, provider)
                    provider.heard.append(heard)
                    scene = provider.script.popleft() if provider.script else provider.always
                    await scene(Exchange(heard, writer, reader))
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    provider.origin = f"http://{host}:{port}"
    try:
        yield provider
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks))


async def _read_request(reader: asyncio.StreamReader, provider: Provider) -> Heard:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
    if headers.get("transfer-encoding") == "chunked":
        return Heard(method, path, headers, await _read_chunks(reader, provider))
    body, left = b"", int(headers.get("content-length", "0"))
    while left:
        piece = await reader.read(left)
        if not piece:
            raise asyncio.IncompleteReadError(body, left)
        body, left = body + piece, left - len(piece)
        provider.arrived += len(piece)
    return Heard(method, path, headers, body)


async def _read_chunks(reader: asyncio.StreamReader, provider: Provider) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\n"), 16):
        body += await reader.readexactly(size)
        provider.arrived += size
        await reader.readline()
    await reader.readline()
    return body
