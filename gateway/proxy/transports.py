"""The connections to providers: one set for all of them, and one for each outbound proxy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from gateway.proxy.guard import GuardedBackend, PermitsLocal

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=20)


class Transports:
    """Made by `open_transports`. All are closed together at the end, never in between: calls may hold them."""

    def __init__(self, permits_local: PermitsLocal) -> None:
        self._permits_local = permits_local
        self._opened: list[tuple[_Transport, GuardedBackend]] = []
        self._by_proxy: dict[bytes, httpx.AsyncBaseTransport] = {}
        self.direct: httpx.AsyncBaseTransport = self._open(None)

    def through(self, sealed: bytes, unseal: Callable[[bytes], str]) -> httpx.AsyncBaseTransport:
        """The connections through the proxy whose sealed URL this is; it is unsealed once."""
        found = self._by_proxy.get(sealed)
        if found is None:
            found = self._by_proxy[sealed] = self._open(unseal(sealed))
        return found

    async def close(self) -> None:
        for transport, guard in self._opened:
            await transport.aclose()
            guard.close()

    def _open(self, proxy: str | None) -> httpx.AsyncBaseTransport:
        transport = _Transport(trust_env=False, limits=_LIMITS, proxy=proxy)
        # httpx has no public way to set httpcore's network backend; tests/proxy/test_guard.py pins this.
        pool: Any = transport._pool
        guard = GuardedBackend(pool._network_backend, self._permits_local)
        pool._network_backend = guard
        self._opened.append((transport, guard))
        return transport


@contextlib.asynccontextmanager
async def open_transports(permits_local: PermitsLocal) -> AsyncIterator[Transports]:
    transports = Transports(permits_local)
    try:
        yield transports
    finally:
        await transports.close()


class _Transport(httpx.AsyncHTTPTransport):
    """Drops the connection of a call that is cancelled before it sent anything; httpcore would keep it for ever."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except asyncio.CancelledError:
            pool: Any = self._pool
            held = {id(request.connection) for request in pool._requests}
            lost = [one for one in pool._connections if id(one) not in held and not one.is_idle()]
            for one in lost:
                pool._connections.remove(one)
            for one in lost:
                await one.aclose()
            raise
