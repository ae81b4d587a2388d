"""What a request to a provider costs by itself: our own transport beside httpx's, in one process, in turns.

    python -m bench.transport [--rounds 5] [--requests 2000]

CPU time of this process, without the mock provider's: making a request, asking, reading the answer to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from statistics import median
from typing import cast

import httpx

from bench.upstream import CHUNKS
from gateway.proxy.connections import OwnTransport
from gateway.proxy.dialling import Dialler
from gateway.proxy.exchange import Patience
from gateway.proxy.names import Names
from gateway.proxy.outgoing import written
from gateway.proxy.transports import StockTransport

CONNECTIONS = (1, 16, 256)
BODY = b'{"model":"bench","messages":[{"role":"user","content":"%b"}]%b}'
HEADERS = [
    (b"authorization", b"Bearer sk-bench"),
    (b"content-type", b"application/json"),
    (b"accept-encoding", b"identity"),
]
Ask = Callable[[], Awaitable[None]]
Opened = Callable[[str, bytes], AbstractAsyncContextManager[Ask]]
"""Makes what asks the address once with this body, and reads the answer to its end."""


def _everything_local(host: str, port: int) -> bool:
    return True


@asynccontextmanager
async def own(url: str, body: bytes) -> AsyncIterator[Ask]:
    """As the gateway asks: written straight to the wire."""
    where = httpx.URL(url)
    address, target = (where.scheme, where.raw_host, where.port), where.raw_path
    patience = Patience(connect=10.0, pool=10.0, write=60.0, read=60.0, first_byte=60.0)
    names = Names()
    async with OwnTransport(Dialler(names, _everything_local, httpx.create_ssl_context)) as transport:

        async def ask() -> None:
            sent = written(b"POST", target, [(b"host", where.netloc), *HEADERS], body)
            exchange = await transport.exchange(address, sent, patience)
            if exchange.rest() is None:
                async for _ in exchange:
                    pass

        yield ask
    names.close()


@asynccontextmanager
async def stock(url: str, body: bytes) -> AsyncIterator[Ask]:
    where = httpx.URL(url)
    timeout = {"connect": 10.0, "pool": 10.0, "write": 60.0, "read": 60.0}
    names = Names()
    async with StockTransport(_everything_local, names, None) as transport:

        async def ask() -> None:
            request = httpx.Request("POST", where, headers=HEADERS, content=body, extensions={"timeout": timeout})
            response = await transport.handle_async_request(request)
            async for _ in cast("httpx.AsyncByteStream", response.stream):
                pass
            await response.aclose()

        yield ask
    names.close()


@contextmanager
def mock_provider() -> Iterator[str]:
    """Its address."""
    process = subprocess.Popen([sys.executable, "-m", "bench.upstream"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1/chat/completions"
    finally:
        process.terminate()
        process.wait()


async def cpu_per_request(opened: Opened, url: str, connections: int, requests: int, *, is_stream: bool) -> float:
    """µs of CPU per request, or per chunk of a stream."""
    each = max(1, requests // connections)
    async with opened(url, BODY % (b"Say something. " * 40, b',"stream":true' if is_stream else b"")) as ask:

        async def several(number: int) -> None:
            for _ in range(number):
                await ask()

        await asyncio.gather(*(several(2) for _ in range(connections)))
        began = time.process_time()
        await asyncio.gather(*(several(each) for _ in range(connections)))
        spent = time.process_time() - began
    return spent * 1e6 / (each * connections * (CHUNKS if is_stream else 1))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.transport")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000)
    chosen = parser.parse_args()
    print(f"{'':34} {'own':>8} {'httpx':>8} {'own/httpx':>10}")
    with mock_provider() as url:
        for is_stream, named in ((False, "CPU µs per request"), (True, "CPU µs per chunk of a stream")):
            for connections in CONNECTIONS:
                found: dict[Opened, list[float]] = {own: [], stock: []}
                requests = max(chosen.requests // (20 if is_stream else 1), connections)
                for _ in range(chosen.rounds):
                    for make, figures in found.items():
                        cost = cpu_per_request(make, url, connections, requests, is_stream=is_stream)
                        figures.append(asyncio.run(cost))
                ours, theirs = (median(figures) for figures in found.values())
                print(f"{named + f', {connections} at once':34} {ours:8.1f} {theirs:8.1f} {ours / theirs:10.3f}")


if __name__ == "__main__":
    main()
