"""What a request to a provider costs by itself: our own transport beside httpx's, in one process, in turns.

    python -m bench.transport [--rounds 5] [--requests 2000]

CPU time of this process, without the mock provider's. Requests are made once and asked with again and again, so that
what is measured is the transport and not what httpx takes to make a request.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from statistics import median

import httpx

from bench.upstream import CHUNKS
from gateway.proxy.connections import OwnTransport
from gateway.proxy.dialling import Dialler
from gateway.proxy.exchange import Exchange
from gateway.proxy.names import Names
from gateway.proxy.transports import StockTransport

CONNECTIONS = (1, 16, 256)
PATIENCE = {"connect": 10.0, "pool": 10.0, "write": 60.0, "read": 60.0, "first_byte": 60.0}
BODY = b'{"model":"bench","messages":[{"role":"user","content":"%b"}]%b}'
Opened = Callable[[Names], httpx.AsyncBaseTransport]


def _everything_local(host: str, port: int) -> bool:
    return True


def own(names: Names) -> httpx.AsyncBaseTransport:
    return OwnTransport(Dialler(names, _everything_local, httpx.create_ssl_context))


def stock(names: Names) -> httpx.AsyncBaseTransport:
    return StockTransport(_everything_local, names, None)


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


@asynccontextmanager
async def opened(make: Opened) -> AsyncIterator[httpx.AsyncBaseTransport]:
    names = Names()
    try:
        async with make(names) as transport:
            yield transport
    finally:
        names.close()


def a_request(url: str, *, is_stream: bool) -> httpx.Request:
    body = BODY % (b"Say something. " * 40, b',"stream":true' if is_stream else b"")
    headers = {"authorization": "Bearer sk-bench", "content-type": "application/json", "accept-encoding": "identity"}
    return httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": PATIENCE})


async def _read(transport: httpx.AsyncBaseTransport, request: httpx.Request) -> None:
    """Ask, and read to the end as it comes."""
    response = await transport.handle_async_request(request)
    stream = response.stream
    if isinstance(stream, Exchange) and stream.rest() is not None:
        return
    assert isinstance(stream, httpx.AsyncByteStream)
    async for _ in stream:
        pass
    await stream.aclose()


async def cpu_per_request(make: Opened, url: str, connections: int, requests: int, *, is_stream: bool) -> float:
    """µs of CPU per request, or per chunk of a stream."""
    each = max(1, requests // connections)
    async with opened(make) as transport:

        async def ask(number: int) -> None:
            request = a_request(url, is_stream=is_stream)
            for _ in range(number):
                await _read(transport, request)

        await asyncio.gather(*(ask(2) for _ in range(connections)))
        began = time.process_time()
        await asyncio.gather(*(ask(each) for _ in range(connections)))
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
