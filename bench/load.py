"""Load from a process of its own: N connections, each asking again as soon as it was answered.

Run as `python -m bench.load` with the members of `Load` as JSON on standard input; it prints one JSON line. Every
answer is checked: its status, its framing, its text, the number of chunks and the end of a stream. What is not as it
should be is counted, and the first one told.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.upstream import CHUNKS, TEXT, TOKEN

SHOWN = (0, 1, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95, 99, 99.9, 100)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """`pace`: chunks a second of each stream, 0 all at once. `size`: bytes of the request's text.

    `pause`: seconds between an answer and the next request of a connection. `seconds`: after so many no further request
    is sent, and after twice as many the run is ended. `models` and `tokens` (API keys) are asked with in turn.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    models: tuple[str, ...] = ("bench",)
    tokens: tuple[str, ...] = ()
    connections: int = 1
    requests: int = 1
    is_stream: bool = False
    pace: int = 0
    size: int = 560
    pause: float = 0.0
    seconds: float = 120.0


class Wrong(Exception):
    """An answer that is not the mock's, and why."""


class Client(asyncio.Protocol):
    """One connection. `waiter` is resolved when an answer is complete; `times` are when its parts came."""

    def __init__(self) -> None:
        self.waiter: asyncio.Future[None] | None = None
        self.parts: list[bytes] = []
        self.times: list[float] = []
        self.head = b""
        self.missing = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiter and not self.waiter.done():
            self.waiter.set_exception(Wrong(f"connection lost: {error}"))

    def data_received(self, data: bytes) -> None:
        if not self.head:
            data = b"".join((*self.parts, data))
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self.parts = [head]
                return
            self.head, self.parts = head, []
            length = _LENGTH.search(head)
            self.missing = int(length[1]) if length else -1
        if data:
            self.times.append(time.perf_counter())
            self.parts.append(data)
        if self._is_whole(data) and self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    def _is_whole(self, data: bytes) -> bool:
        if self.missing >= 0:
            self.missing -= len(data)
            return self.missing <= 0
        tail = data if len(data) > len(_END) else b"".join(self.parts[-6:])
        return tail.endswith(_END)

    async def ask(self, *request: bytes) -> list[float]:
        """When it was sent, and when each part of the body came. Raises Wrong."""
        self.waiter = asyncio.get_running_loop().create_future()
        self.parts, self.times, self.head = [], [], b""
        began = time.perf_counter()
        for part in request:
            self.transport.write(part)
        await self.waiter
        return [began, *self.times]

    def check(self, is_stream: bool) -> None:
        """Raises Wrong where the answer is not the mock's."""
        body = b"".join(self.parts)
        if self.missing < 0:
            body = _dechunked(body)
        if not self.head.startswith(b"HTTP/1.1 200"):
            raise Wrong((self.head[:200] + b" ... " + body[:300]).decode(errors="replace"))
        if is_stream:
            if body.count(TOKEN.encode()) != CHUNKS or not body.rstrip().endswith(b"data: [DONE]"):
                raise Wrong(f"{body.count(TOKEN.encode())} chunks, ending in {body[-60:]!r}")
        elif self.missing > 0 or TEXT.encode() not in body or not body.rstrip().endswith(b"}"):
            raise Wrong(f"not the answer: {body[:200]!r}")


def _dechunked(body: bytes) -> bytes:
    """Raises Wrong where the chunks do not end where they say."""
    found: list[bytes] = []
    at = 0
    while True:
        line = body.find(b"\r\n", at)
        if line < 0:
            raise Wrong("chunks without an end")
        size = int(body[at:line].split(b";")[0], 16)
        at = line + 2 + size
        if body[at : at + 2] != b"\r\n":
            raise Wrong("a chunk of another length than it says")
        if not size:
            return b"".join(found)
        found.append(body[line + 2 : at])
        at += 2


class Run:
    """All connections of one load, and what they saw."""

    def __init__(self, load: Load) -> None:
        self.load = load
        parts = urlsplit(load.url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.requests = [self._request(parts, model, token) for model, token in self._turns()]
        self.left = load.requests
        self.firsts: list[float] = []
        self.lasts: list[float] = []
        self.gaps: list[float] = []
        self.errors: list[str] = []

    def _turns(self) -> list[tuple[str, str]]:
        """Models and API keys, each in turn."""
        models, tokens = self.load.models, self.load.tokens or ("",)
        count = max(len(models), len(tokens))
        return [(models[at % len(models)], tokens[at % len(tokens)]) for at in range(count)]

    def _request(self, parts: Any, model: str, token: str) -> tuple[bytes, ...]:
        load = self.load
        said = f"pace={load.pace} " if load.pace else ""
        text = (said + "Say something. " * (load.size // 15 + 1))[: load.size]
        asked: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": text}]}
        if load.is_stream:
            asked["stream"] = True
        body = json.dumps(asked).encode()
        given = {"authorization": f"Bearer {token}"} if token else {}
        headers = {"content-type": "application/json", **load.headers, **given, "content-length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n{lines}\r\n".encode()
        return (head + body,) if len(body) < 65536 else (head, body)

    async def whole(self) -> dict[str, object]:
        began = time.perf_counter()
        self.until = began + self.load.seconds
        try:
            async with asyncio.timeout(2 * self.load.seconds):
                await asyncio.gather(*(self._connection(number) for number in range(self.load.connections)))
        except TimeoutError:
            self.errors.append(f"not done after {2 * self.load.seconds:.0f} s")
        return self._figures(time.perf_counter() - began)

    async def _connection(self, number: int) -> None:
        """Paced streams begin spread over the time between two chunks, as those of strangers would."""
        if self.load.pace:
            await asyncio.sleep(number / self.load.connections / self.load.pace)
        client: Client | None = None
        at = number
        try:
            while self.left > 0 and time.perf_counter() < self.until:
                self.left -= 1
                client = client or await self._connect()
                client = await self._one(client, self.requests[at % len(self.requests)])
                at += self.load.connections
                if self.load.pause:
                    await asyncio.sleep(self.load.pause)
        except OSError as error:
            self.errors.append(str(error))
        finally:
            if client:
                client.transport.abort()

    async def _one(self, client: Client, request: tuple[bytes, ...]) -> Client | None:
        """The client again, or None where its connection is not to be used any more."""
        try:
            times = await client.ask(*request)
            client.check(self.load.is_stream)
        except Wrong as error:
            self.errors.append(str(error))
            client.transport.abort()
            return None
        self._seen(times)
        return client

    async def _connect(self) -> Client:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(Client, self.host, self.port)
        return client

    def _seen(self, times: list[float]) -> None:
        began = times[0]
        self.firsts.append(times[1] - began)
        self.lasts.append(times[-1] - began)
        if self.load.pace:
            # Of the chunks of text: what follows them, a gateway may rightly keep for itself.
            self.gaps += [after - before for before, after in zip(times[1:CHUNKS], times[2 : CHUNKS + 1], strict=False)]

    def _figures(self, seconds: float) -> dict[str, object]:
        return {
            "requests": len(self.lasts),
            "errors": len(self.errors),
            "wrong": self.errors[0] if self.errors else "",
            "seconds": seconds,
            "per_second": len(self.lasts) / seconds,
            "first_ms": quantiles_ms(self.firsts),
            "last_ms": quantiles_ms(self.lasts),
            "gap_ms": quantiles_ms(self.gaps),
        }


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """Of some seconds, at `SHOWN` percent; nothing of nothing."""
    found = sorted(seconds)
    most = len(found) - 1
    return {f"{percent:g}": found[round(most * percent / 100)] * 1000 for percent in SHOWN} if found else {}


def words(load: Load) -> str:
    return json.dumps(asdict(load))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Run(Load(**json.load(sys.stdin))).whole())))
