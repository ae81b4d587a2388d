"""The ceiling: the least that a gateway written in Python on this server and parser could do for a call.

Run as `python -m bench.ceiling UPSTREAM_PORT KEY MODEL [routed]`; it prints its port. It parses the request,
looks up the hash of the API key, renames the model, sends the call on over a connection that is kept, and relays the
answer or the stream. It has no limits, no ledger, no second backend, no timeouts and no TLS: what Weir costs beyond it
is what Weir does. With `routed` it is an endpoint of Starlette's, as most such programs are written.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
BACKLOG = 2048
_PASSED_ON = (b"content-type", b"content-length")


class Connection(asyncio.Protocol):
    """One exchange at a time with the provider. Parts of the body wait in `parts` until they are taken."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.is_open = True
        self.waiter: asyncio.Future[None] | None = None

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        self._wake()

    def begin(self, request: bytes) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.has_head = self.is_done = False
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)
        self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, part: bytes) -> None:
        self.parts.append(part)

    def on_message_complete(self) -> None:
        self.is_done = True

    def _wake(self) -> None:
        if self.waiter and not self.waiter.done():
            self.waiter.set_result(None)

    async def more(self) -> None:
        """Wait for what comes next. Raises ConnectionError where nothing can."""
        if not self.is_open:
            raise ConnectionError("the provider closed")
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter

    async def head(self) -> None:
        while not self.has_head:
            await self.more()

    async def read(self) -> bytes:
        """All that came since the last read; empty at the end."""
        while not self.parts and not self.is_done:
            await self.more()
        found = b"".join(self.parts)
        self.parts.clear()
        return found


class Ceiling:
    """A bare ASGI application."""

    def __init__(self, port: int, key: str, model: str) -> None:
        self.port = port
        self.keys = {hashlib.sha256(key.encode()).digest(): "bench"}
        self.names = {model: "bench"}
        self.free: deque[Connection] = deque()
        self.decode, self.encode = msgspec.json.Decoder(), msgspec.json.Encoder()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if not self._caller(scope):
            await self._refuse(send)
            return
        asked = self.decode.decode(await _body(receive))
        asked["model"] = self.names[asked["model"]]
        connection = await self._connection()
        connection.begin(self._request(scope["path"], self.encode.encode(asked)))
        await connection.head()
        await self.relay(connection, send)

    def _caller(self, scope: dict[str, Any]) -> str | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                return self.keys.get(hashlib.sha256(value[7:]).digest())
        return None

    async def _connection(self) -> Connection:
        while self.free:
            connection = self.free.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, "127.0.0.1", self.port)
        return connection

    def _request(self, path: str, body: bytes) -> bytes:
        return (
            b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer sk-bench\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (path.encode(), len(body), body)
        )

    def routed(self) -> Starlette:
        """The same as an endpoint behind a route."""
        return Starlette(routes=[Route("/v1/chat/completions", self._endpoint, methods=["POST"])])

    async def _endpoint(self, request: Request) -> _Relayed | Response:
        if self.keys.get(hashlib.sha256(request.headers["authorization"][7:].encode()).digest()) is None:
            return Response(status_code=401)
        asked = self.decode.decode(await request.body())
        asked["model"] = self.names[asked["model"]]
        connection = await self._connection()
        connection.begin(self._request(request.scope["path"], self.encode.encode(asked)))
        await connection.head()
        return _Relayed(self, connection)

    async def relay(self, connection: Connection, send: Send) -> None:
        await self._relay(connection, send)
        self.free.append(connection)

    async def _relay(self, connection: Connection, send: Send) -> None:
        headers = [header for header in connection.headers if header[0] in _PASSED_ON]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        more = True
        while more:
            part = await connection.read()
            more = not connection.is_done
            await send({"type": "http.response.body", "body": part, "more_body": more})

    async def _refuse(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class _Relayed:
    """An answer on its way, as an endpoint returns it."""

    def __init__(self, ceiling: Ceiling, connection: Connection) -> None:
        self.ceiling, self.connection = ceiling, connection

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.ceiling.relay(self.connection, send)


async def _body(receive: Receive) -> bytes:
    event = await receive()
    parts = [event["body"]]
    while event["more_body"]:
        event = await receive()
        parts.append(event["body"])
    return b"".join(parts)


def main() -> None:
    _, port, key, model, *how = sys.argv
    ceiling = Ceiling(int(port), key, model)
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        ceiling.routed() if how == ["routed"] else ceiling,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        backlog=BACKLOG,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
