"""Our own transport to providers: HTTP/1.1 over connections that are kept and used again, newest first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.proxy.dialling import Dialler, Origin
from gateway.proxy.exchange import Exchange, Patience
from gateway.proxy.http1 import NEVER, Connection
from gateway.proxy.outgoing import Outgoing, outgoing
from gateway.proxy.pool import IDLE_SECONDS, Pool, Stall

MOST_CONNECTIONS = 2000
MOST_PER_ORIGIN = 1000
_PORTS = {"http": 80, "https": 443}

Address = tuple[str, bytes, int | None]
"""Scheme, host and port, as a URL has them."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Connections to an origin, also those that are being opened; and how many of them nobody uses."""

    origin: Origin
    open: int
    idle: int


@dataclass(frozen=True, slots=True)
class _Route:
    origin: Origin
    stall: Stall


class OwnTransport(httpx.AsyncBaseTransport):
    """Call `handle_async_request` directly: a request in, the head of its answer out, the body as its `stream`.

    Extensions of a request: `timeout` with seconds to `connect`, for a place in the `pool`, to `write` and `read`
    without progress and to the `first_byte`; and `ends_at`, the event loop's time at which all of it ends. A request
    that found its kept connection closed before a byte of an answer came is sent once more, on a new one, unless its
    body is only to be had once.
    """

    def __init__(
        self,
        dialler: Dialler,
        *,
        most: int = MOST_CONNECTIONS,
        most_per_origin: int = MOST_PER_ORIGIN,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._dialler = dialler
        self._pool = Pool(most, most_per_origin, idle_seconds)
        self._routes: dict[Address, _Route] = {}
        self._is_closed = False

    async def handle_async_request(self, asked: httpx.Request) -> httpx.Response:
        url = asked.url
        made = await self.exchange((url.scheme, url.raw_host, url.port), outgoing(asked), _patience(asked.extensions))
        return httpx.Response(made.answer.status, headers=made.answer.headers, stream=made)

    async def exchange(self, address: Address, sent: Outgoing, patience: Patience) -> Exchange:
        """The same for a request that is on the wire already: it costs a tenth of what httpx's own values do."""
        route = self._routes.get(address) or self._new_route(address)
        connection = route.stall.newest() or await self._connection(route, patience)
        exchange = Exchange(connection, sent, patience)
        try:
            await exchange.ask()
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            if exchange.answer.is_answered or not (connection.has_answered and sent.is_repeatable):
                raise
            connection = await self._connection(route, patience, is_new=True)
            exchange = Exchange(connection, sent, patience)
            await exchange.ask()
        return exchange

    async def aclose(self) -> None:
        """Closes every connection, also those in use."""
        self._is_closed = True
        for stall in self._pool.stalls:
            for connection in list(stall.connections):
                connection.abort()
        # Sockets are closed in the event loop's next step.
        await asyncio.sleep(0)

    def counted(self) -> list[Counted]:
        routes = self._routes.values()
        return [Counted(route.origin, len(route.stall.connections), len(route.stall.idle)) for route in routes]

    def _new_route(self, address: Address) -> _Route:
        scheme, host, port = address
        if scheme not in _PORTS or not host:
            raise httpx.UnsupportedProtocol("a provider's address begins with http:// or https:// and names a host")
        origin = Origin(scheme, host.decode("ascii"), port or _PORTS[scheme])
        stall = self._pool.stall(lambda connection: self._dialler.remember(connection, origin))
        made = self._routes[address] = _Route(origin, stall)
        return made

    async def _connection(self, route: _Route, patience: Patience, *, is_new: bool = False) -> Connection:
        """Raises PoolTimeout, ConnectError or ConnectTimeout."""
        loop, ends_at = asyncio.get_running_loop(), patience.ends_at
        try:
            async with asyncio.timeout_at(_deadline(loop.time(), patience.pool, ends_at)):
                connection = await _place(route.stall, is_new=is_new)
        except TimeoutError:
            raise httpx.PoolTimeout("all connections to the provider are in use") from None
        if connection.transport is not None:
            return connection
        try:
            if self._is_closed:
                raise httpx.ConnectError("the connections to providers are closed")
            async with asyncio.timeout_at(_deadline(loop.time(), patience.connect, ends_at)):
                await self._dialler.open(connection, route.origin)
        except TimeoutError:
            connection.abort()
            raise httpx.ConnectTimeout("the provider opened no connection in time") from None
        except BaseException:
            # reason: its place is given back whatever ended this.
            connection.abort()
            raise
        return connection


async def _place(stall: Stall, *, is_new: bool) -> Connection:
    """A connection to use, open, or with room to be opened."""
    while True:
        connection = stall.reserved() or await stall.turn()
        if connection.transport is None:
            return connection
        if is_new:
            connection.abort()
        elif not connection.is_lost:
            return connection


def _deadline(now: float, seconds: float, ends_at: float) -> float | None:
    found = min(now + seconds, ends_at)
    return None if found == NEVER else found


def _patience(extensions: Mapping[str, Any]) -> Patience:
    seconds = {name: found for name, found in (extensions.get("timeout") or {}).items() if found is not None}
    return Patience(**seconds, ends_at=extensions.get("ends_at", NEVER))
