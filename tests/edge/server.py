"""An application behind the protocol of the edge, on a socket of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvicorn

from gateway.edge.protocol import EdgeProtocol

App = Callable[[Any, Any, Any], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(app: App, protocol: type[EdgeProtocol] = EdgeProtocol, **options: Any) -> AsyncIterator[int]:
    """Its port. `options` are uvicorn's."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None, **options)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.005)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        listener.close()
