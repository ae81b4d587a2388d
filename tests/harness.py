"""The whole gateway on a real socket, in the test's own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import uvicorn

from gateway.app import App, open_app
from gateway.clock import Clock
from gateway.control import backends, first_start, setup, tokens
from gateway.control.backends import BackendMade
from gateway.control.desk import Desk
from gateway.edge.protocol import EdgeProtocol
from gateway.model.calls import CallRecord
from gateway.model.people import Actor
from gateway.settings import Settings
from gateway.store import calls
from gateway.store.call_search import CallFilter
from tests.provider import Provider

OPERATOR = Actor("system", "tests", "tests")
HELLO = [{"role": "user", "content": "Say hello"}]


@dataclass(slots=True)
class RunningGateway:
    """`client` has the base URL but no credential; `call` makes an authenticated chat completion."""

    app: App
    url: str
    api_key: str
    management_token: str
    setup_token: str
    client: httpx.AsyncClient
    _names: dict[str, int] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        return self.app.desk

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"}

    async def backend(self, provider: Provider, *, models: object = ("m",), **fields: Any) -> BackendMade:
        """Register a scripted provider as a backend."""
        number = self._names[""] = self._names.get("", 0) + 1
        return await backends.create(
            self.desk,
            OPERATOR,
            {
                "name": f"p{number}",
                "base_url": provider.base_url,
                "api_key": f"sk-provider-secret-{number:04d}",
                "models": list(models) if isinstance(models, tuple) else models,
                "local_upstream": True,
                "pool": "primary",
                **fields,
            },
        )

    async def call(self, model: str = "m", headers: Mapping[str, str] | None = None, **body: Any) -> httpx.Response:
        """Each call is a conversation of its own, unless `headers` name one."""
        self._names["session"] = self._names.get("session", 0) + 1
        return await self.client.post(
            "/v1/chat/completions",
            headers={**self.auth, "x-session-id": str(self._names["session"]), **(headers or {})},
            json={"model": model, "messages": HELLO, **body},
        )

    async def rows(self) -> list[CallRecord]:
        """Everything in the ledger with its attempts, oldest first."""
        await self.app.ledger.flush()
        async with self.desk.db.read() as tx:
            found = [await calls.get(tx, row.id) for row in await calls.page(tx, CallFilter(), None, 1000)]
        return [row for row in reversed(found) if row is not None]

    async def row(self) -> CallRecord:
        """The newest ledger row, once it is there."""
        for _ in range(200):
            rows = await self.rows()
            if rows:
                return rows[-1]
            await asyncio.sleep(0.01)
        raise AssertionError("no call was written down")


@contextlib.asynccontextmanager
async def running_gateway(data_dir: Path, clock: Clock | None = None, **options: Any) -> AsyncIterator[RunningGateway]:
    settings = Settings(data_dir=data_dir, **options)
    async with open_app(settings, clock, rng=Random(1)) as app:
        desk = app.desk
        api_key = await first_start.fill(desk, ()) if await first_start.is_due(desk) else ""
        setup_token = await setup.new_link(desk) if await setup.needs_setup(desk) else ""
        management_token, _ = await tokens.mint(desk, OPERATOR, "tests")
        async with _served(app) as url, httpx.AsyncClient(base_url=url, timeout=30, verify=False) as client:
            yield RunningGateway(app, url, api_key, management_token, setup_token, client)


@contextlib.asynccontextmanager
async def _served(app: App) -> AsyncIterator[str]:
    # asyncio switches Nagle's algorithm off only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app.asgi,
        http=EdgeProtocol,
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Without uvicorn's own loop: its signal handlers belong to the test run, and its ticks take time.
    await server.startup(sockets=[listener])
    host, port = listener.getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        for one in server.servers:
            one.close()
        for connection in list(server.server_state.connections):
            connection.shutdown()
        listener.close()
