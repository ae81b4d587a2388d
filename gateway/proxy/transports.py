"""The connections to providers: our own for those reached directly, and httpx's for each outbound proxy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.proxy.connections import OwnTransport
from gateway.proxy.dialling import Dialler
from gateway.proxy.guard import GuardedBackend, PermitsLocal
from gateway.proxy.names import Names

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=20)


class Transports:
    """Made by `open_transports`. All are closed together at the end, never in between: calls may hold them."""

    def __init__(self, permits_local: PermitsLocal, names: Names, tls: Callable[[], ssl.SSLContext]) -> None:
        self._permits_local = permits_local
        self._names = names
        self._by_proxy: dict[bytes, StockTransport] = {}
        self.direct = OwnTransport(Dialler(names, permits_local, tls))

    def through(self, sealed: bytes, unseal: Callable[[bytes], str]) -> httpx.AsyncBaseTransport:
        """The connections through the proxy whose sealed URL this is; it is unsealed once."""
        found = self._by_proxy.get(sealed)
        if found is None:
            found = self._by_proxy[sealed] = StockTransport(self._permits_local, self._names, unseal(sealed))
        return found

    async def close(self) -> None:
        for transport in (self.direct, *self._by_proxy.values()):
            await transport.aclose()
        self._names.close()


@contextlib.asynccontextmanager
async def open_transports(permits_local: PermitsLocal) -> AsyncIterator[Transports]:
    """No environment variable changes where they lead, or whom they trust."""
    transports = Transports(permits_local, Names(), _authorities)
    try:
        yield transports
    finally:
        await transports.close()


def _authorities() -> ssl.SSLContext:
    """Those that httpx comes with; the name in a certificate is checked."""
    found = httpx.create_ssl_context(trust_env=False)
    found.set_alpn_protocols(["http/1.1"])
    return found


class StockTransport(httpx.AsyncHTTPTransport):
    """httpx's own, guarded, for what ours does not do.

    Sends a request once more where a kept connection was closed unanswered, and drops the connection of a call that
    is cancelled before it sent anything, which httpcore would keep for ever.
    """

    def __init__(self, permits_local: PermitsLocal, names: Names, proxy: str | None) -> None:
        super().__init__(trust_env=False, limits=_LIMITS, proxy=proxy)
        # httpx has no public way to set httpcore's network backend; tests/proxy/test_guard.py pins this.
        pool: Any = self._pool
        pool._network_backend = GuardedBackend(pool._network_backend, permits_local, names)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        trace = _ConnectionTrace()
        request.extensions = {**request.extensions, "trace": trace.note}
        try:
            return await self._handle(request)
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            is_once = not isinstance(request.stream, httpx.ByteStream)
            if trace.is_new or _is_answer(error) or is_once:
                raise
            return await self._handle(request)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
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


@dataclass(slots=True)
class _ConnectionTrace:
    """Learns from httpcore's trace whether a request opened its connection."""

    is_new: bool = False

    async def note(self, event: str, _details: Mapping[str, Any]) -> None:
        if event.startswith("connection.connect_"):
            self.is_new = True


def _is_answer(error: httpx.TransportError) -> bool:
    """Whether bytes came that are not HTTP. httpcore tells a silent close from them by its words alone."""
    return isinstance(error, httpx.RemoteProtocolError) and "without sending a response" not in str(error)
