"""Thousands of requests to a provider that misbehaves at random, of clients that leave at random: nothing is left.

Some thousands in every test run; with SOAK=long a hundred thousand.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import httpx
import pytest

from gateway.proxy.connections import OwnTransport
from gateway.proxy.names import Names
from tests.proxy.asking import a_request, idle_count, open_count, own, served
from tests.proxy.test_exchange import sockets

pytestmark = pytest.mark.anyio
LONG = os.environ.get("SOAK") == "long"
REQUESTS = 100_000 if LONG else 3_000
AT_ONCE = 64
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
log = logging.getLogger(__name__)


class Misbehaving:
    """Answers `number` with `number`, whole or in chunks, or does one of many other things."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            number = head.partition(b"x-number: ")[2].split(b"\r\n")[0]
            if self.rng.random() < 0.04:
                return await self.leave(writer)
            await self.take(reader, head)
            await asyncio.sleep(self.rng.choice([0, 0, 0, 0.001, 0.01]))
            if self.rng.random() < 0.25:
                return await self.misbehave(writer, number)
            if self.rng.random() < 0.5:
                writer.write(OK + b"content-length: %d\r\n\r\n" % len(number) + number)
            else:
                await self.stream(writer, number)
            await writer.drain()
            if self.rng.random() < 0.1:
                return await self.leave(writer)

    async def take(self, reader: asyncio.StreamReader, head: bytes) -> None:
        if b"chunked" in head:
            while size := int(await reader.readuntil(b"\n"), 16):
                await reader.readexactly(size + 2)
            await reader.readuntil(b"\n")
        else:
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))

    async def stream(self, writer: asyncio.StreamWriter, number: bytes) -> None:
        writer.write(CHUNKED)
        for digit in number:
            writer.write(b"1\r\n%c\r\n" % digit)
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")

    async def misbehave(self, writer: asyncio.StreamWriter, number: bytes) -> None:
        """Never with the whole of an answer, or with more than that."""
        writer.write(
            self.rng.choice(
                [
                    b"",
                    b"HTTP/1.1 2",
                    b"SSH-2.0\r\n",
                    OK + b"content-length: 99\r\n\r\n" + number,
                    CHUNKED + b"1\r\n9\r\n",
                    CHUNKED + b"zz\r\n",
                    OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
                    OK + b"content-length: %d\r\n\r\n" % len(number) + number + OK + b"content-length: 1\r\n\r\nx",
                    OK + b"connection: close\r\n\r\n" + number,
                ]
            )
        )
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.02]))
        await self.leave(writer)

    async def leave(self, writer: asyncio.StreamWriter) -> None:
        if self.rng.random() < 0.5:
            writer.transport.abort()
        else:
            writer.close()


async def in_parts(body: bytes, rng: Random) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 5000):
        if rng.random() < 0.2:
            await asyncio.sleep(0.001)
        yield body[start : start + 5000]


async def one(transport: OwnTransport, url: str, number: int, rng: Random) -> str:
    """Asks, and says how it went. A whole answer is the one to this request."""
    body = b"x" * rng.choice([2, 2, 2, 2000, 100_000, 400_000])
    patience = {"first_byte": rng.choice([0.005, 1.0, 1.0]), "read": 1.0, "write": 1.0, "pool": 5.0}
    sent = in_parts(body, rng) if rng.random() < 0.1 else body
    request = a_request(url, sent, timeout=patience)
    request.headers["x-number"] = str(number)
    try:
        response = await transport.handle_async_request(request)
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        got = b""
        try:
            async for part in stream:
                got += part
                if rng.random() < 0.05:
                    return "closed early"
        finally:
            await stream.aclose()
    except httpx.TransportError as error:
        return type(error).__name__
    assert got == b"%d" % number, (got, number)
    return "whole"


async def worker(transport: OwnTransport, url: str, numbers: range, rng: Random, ends: Counter[str]) -> None:
    for number in numbers:
        asking = asyncio.create_task(one(transport, url, number, rng))
        if rng.random() < 0.2:
            for _ in range(rng.randrange(6)):
                await asyncio.sleep(0)
            if rng.random() < 0.5:
                await asyncio.sleep(rng.random() * 0.01)
            asking.cancel()
        await asyncio.wait({asking})
        ends["cancelled" if asking.cancelled() else asking.result()] += 1


async def run(transport: OwnTransport, url: str, requests: int, seed: int) -> Counter[str]:
    ends: Counter[str] = Counter()
    each = requests // AT_ONCE
    await asyncio.gather(
        *(
            worker(transport, url, range(at * each, (at + 1) * each), Random(seed * 1000 + at), ends)
            for at in range(AT_ONCE)
        )
    )
    return ends


def timers() -> int:
    loop = asyncio.get_running_loop()
    return sum(not timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]


async def test_nothing_is_left_of_many_requests_that_ended_in_many_ways() -> None:
    names = Names(lambda host, port: ["127.0.0.1"])
    async with served(Misbehaving(Random(1))) as url, own(names=names, most_per_origin=48) as transport:
        named = url.replace("127.0.0.1", "provider.test")
        await run(transport, named, REQUESTS // 3, 1)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        ends = await run(transport, named, REQUESTS, 2)
        async with asyncio.timeout(30):
            while open_count(transport) > idle_count(transport):
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert open_count(transport) <= 48
        for stall in transport._pool.stalls:
            for connection in list(stall.connections):
                connection.abort()
        await asyncio.sleep(0.1)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        log.info("%s; grown by %d bytes", dict(ends), grown)
        assert transport._pool.count == 0
        assert (transport._pool.crowded, [stall.queue for stall in transport._pool.stalls]) == ({}, [{}])
        assert {task.get_coro().__qualname__ for task in asyncio.all_tasks()} & {"one", "Exchange._send_each"} == set()
        assert timers() <= 1
        assert grown < 1_000_000
    assert ends["whole"] > REQUESTS / 4
    assert ends["cancelled"] > REQUESTS / 20
    assert ends["RemoteProtocolError"] > REQUESTS / 50
    assert not sockets_of_the_transport_left()


def sockets_of_the_transport_left() -> bool:
    """What the event loop and the test itself hold is a handful."""
    return sockets() > 12
