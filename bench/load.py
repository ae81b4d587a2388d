"""Load from a process of its own: N connections, each asking again as soon as it was answered.

Run as `python -m bench.load URL KEY CONNECTIONS REQUESTS MODE`; it prints one JSON line. MODE is whole or stream.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit


class Client(asyncio.Protocol):
    """One connection. `waiter` is resolved when an answer is complete; `first` is when its first body byte came."""

    def __init__(self, is_stream: bool) -> None:
        self.end = b"0\r\n\r\n" if is_stream else b""
        self.waiter: asyncio.Future[None] | None = None
        self.buffer = b""
        self.first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer[-16:] + data if self.end and self.first else self.buffer + data
        if not self.first and b"\r\n\r\n" in self.buffer and (not self.end or b"data:" in self.buffer):
            self.first = time.perf_counter()
            if not self.buffer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(self.buffer[:500].decode())
        if self._is_whole() and self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def _is_whole(self) -> bool:
        if self.end:
            return self.buffer.endswith(self.end)
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        return bool(found) and len(body) >= int(head[at + 15 :].split(b"\r\n", 1)[0])

    async def ask(self, request: bytes) -> tuple[float, float]:
        """Seconds to the first byte of the body, and to the last."""
        self.waiter = asyncio.get_running_loop().create_future()
        self.buffer, self.first = b"", 0.0
        began = time.perf_counter()
        self.transport.write(request)
        await self.waiter
        return self.first - began, time.perf_counter() - began


async def main(url: str, key: str, connections: int, requests: int, is_stream: bool) -> dict[str, float]:
    parts = urlsplit(url)
    asked = {"model": "bench", "messages": [{"role": "user", "content": "Say something. " * 40}], "stream": is_stream}
    body = json.dumps(asked).encode()
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nhost: {parts.netloc}\r\nauthorization: Bearer {key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body
    times: list[tuple[float, float]] = []
    loop = asyncio.get_running_loop()

    async def one(count: int) -> None:
        _, client = await loop.create_connection(lambda: Client(is_stream), parts.hostname, parts.port)
        for _ in range(count):
            times.append(await client.ask(request))
        client.transport.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(requests // connections) for _ in range(connections)))
    seconds = time.perf_counter() - began
    firsts, lasts = sorted(first for first, _ in times), sorted(last for _, last in times)
    return {
        "requests": len(times),
        "per_second": len(times) / seconds,
        "first_ms": firsts[len(firsts) // 2] * 1000,
        "p50_ms": lasts[len(lasts) // 2] * 1000,
        "p99_ms": lasts[int(len(lasts) * 0.99)] * 1000,
    }


if __name__ == "__main__":
    _, url, key, connections, requests, mode = sys.argv
    print(json.dumps(asyncio.run(main(url, key, int(connections), int(requests), mode == "stream"))))
