"""Transports by themselves: ours and httpx's, asked for what both can do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from gateway.proxy.connections import OwnTransport
from gateway.proxy.dialling import Dialler
from gateway.proxy.names import Names
from gateway.proxy.transports import StockTransport

KINDS = ("own", "stock")


def everything_local(host: str, port: int) -> bool:
    return True


@contextlib.asynccontextmanager
async def own(
    names: Names | None = None, tls: ssl.SSLContext | None = None, **bounds: Any
) -> AsyncIterator[OwnTransport]:
    names = names or Names()
    dialler = Dialler(names, everything_local, lambda: tls or httpx.create_ssl_context(trust_env=False))
    async with OwnTransport(dialler, **bounds) as transport:
        try:
            yield transport
        finally:
            names.close()
    assert transport.counted() == [] or all(found.open == 0 for found in transport.counted())


@contextlib.asynccontextmanager
async def transport_of(kind: str) -> AsyncIterator[httpx.AsyncBaseTransport]:
    if kind == "own":
        async with own() as transport:
            yield transport
        return
    names = Names()
    async with StockTransport(everything_local, names, None) as stock:
        yield stock
    names.close()


def a_request(url: str, body: Any = b"{}", *, method: str = "POST", **extensions: Any) -> httpx.Request:
    """`timeout` and `ends_at` are extensions; what is not said takes ten seconds."""
    patience = {"connect": 10.0, "pool": 10.0, "write": 10.0, "read": 10.0, **extensions.pop("timeout", {})}
    return httpx.Request(method, url, content=body, extensions={"timeout": patience, **extensions})


async def ask(transport: httpx.AsyncBaseTransport, url: str, body: Any = b"{}", **options: Any) -> httpx.Response:
    return await transport.handle_async_request(a_request(url, body, **options))


async def read(response: httpx.Response) -> bytes:
    """The body to its end, as it comes."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        return b"".join([part async for part in response.stream])
    finally:
        await response.stream.aclose()


async def asked(transport: httpx.AsyncBaseTransport, url: str, body: Any = b"{}", **options: Any) -> bytes:
    return await read(await ask(transport, url, body, **options))


async def until(is_so: Any, seconds: float = 5.0) -> None:
    """Wait until something has become so; a hang is the failure."""
    async with asyncio.timeout(seconds):
        while not is_so():
            await asyncio.sleep(0.001)


def open_count(transport: OwnTransport) -> int:
    return sum(found.open for found in transport.counted())


def idle_count(transport: OwnTransport) -> int:
    return sum(found.idle for found in transport.counted())


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Whatever comes to this address is handled so; nothing of it is left at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            await handler(reader, writer)
        writer.transport.abort()
        # Why it ended is asked for, or asyncio may tell of it as of something that nobody looked at.
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await writer.wait_closed()
        tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    scheme, host = ("http", "127.0.0.1") if tls is None else ("https", "localhost")
    try:
        yield f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def black_hole() -> AsyncIterator[tuple[str, int]]:
    """An address that answers no attempt to connect: its queue is full, and nobody takes anybody out of it."""
    hole = socket.socket()
    hole.bind(("127.0.0.2", 0))
    hole.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(hole.getsockname())
    try:
        yield hole.getsockname()
    finally:
        for one in (hole, *waiting):
            one.close()
