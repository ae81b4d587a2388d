"""Connections to providers are opened here: each address is checked when it is dialled, each name verified."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from gateway.proxy.guard import PermitsLocal, may_dial
from gateway.proxy.http1 import Connection
from gateway.proxy.names import Names

NEXT_ADDRESS_SECONDS = 0.25
"""After this long without an answer the next address of a name is tried beside the first."""
_MOST_SESSIONS = 256


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection leads."""

    scheme: str
    host: str
    port: int


class Dialler:
    """`tls` makes what servers are verified with, when it is first needed: to read the list of authorities takes long.

    TLS sessions are remembered, so that a second handshake is short.
    """

    def __init__(self, names: Names, permits_local: PermitsLocal, tls: Callable[[], ssl.SSLContext]) -> None:
        self._names = names
        self._permits_local = permits_local
        self._tls = functools.cache(tls)
        self._sessions: dict[Origin, ssl.SSLSession] = {}

    async def open(self, connection: Connection, origin: Origin) -> None:
        """Connect it. Raises httpx.ConnectError; cancelled, it leaves no socket behind."""
        try:
            addresses = await self._names.addresses(origin.host, origin.port)
            if not may_dial(origin.host, origin.port, addresses, self._permits_local):
                raise httpx.ConnectError(f"{origin.host}:{origin.port} is not an address that may be dialled")
            made = await first_to_connect(addresses, origin.port)
            await self._start(connection, origin, made)
        except OSError as error:
            raise httpx.ConnectError(str(error) or type(error).__name__) from error
        if connection.is_lost:
            raise httpx.ConnectError("the provider closed the connection as soon as it was open")

    def remember(self, connection: Connection, origin: Origin) -> None:
        """Keep the TLS session of a connection that has answered: only by then has the server given it out."""
        found = connection.transport.get_extra_info("ssl_object") if connection.transport else None
        session = None if found is None else found.session
        if session is not None and session.has_ticket:
            self._sessions.pop(origin, None)
            if len(self._sessions) >= _MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[origin] = session

    async def _start(self, connection: Connection, origin: Origin, made: socket.socket) -> None:
        tls: dict[str, Any] = {}
        if origin.scheme == "https":
            tls = {"ssl": _Resuming(self._tls(), self._sessions.get(origin)), "server_hostname": origin.host}
        try:
            await connection.loop.create_connection(lambda: connection, sock=made, **tls)
        except BaseException:
            # reason: a graceful end would wait for the other side; nothing was said yet that deserves one.
            connection.abort()
            raise


class _Resuming:
    """A context that begins with a session: asyncio has no way to hand one to `wrap_bio` itself."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        self._context = context
        self._session = session

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **options: Any) -> ssl.SSLObject:
        return self._context.wrap_bio(incoming, outgoing, session=self._session, **options)


async def first_to_connect(addresses: Sequence[str], port: int) -> socket.socket:
    """A socket to the first of them that answers; each begins as the one before fails or hesitates. Raises OSError."""
    if len(addresses) == 1:
        return await _connected(addresses[0], port)
    trying: set[asyncio.Task[socket.socket]] = set()
    error: OSError = OSError("no address")
    waiting = list(reversed(addresses))
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(_connected(waiting.pop(), port)))
            patience = NEXT_ADDRESS_SECONDS if waiting else None
            done, trying = await asyncio.wait(trying, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                failed = task.exception()
                if failed is None:
                    trying |= done - {task}
                    return task.result()
                error = failed if isinstance(failed, OSError) else OSError(str(failed))
        raise error
    finally:
        for task in trying:
            task.add_done_callback(_close)
            task.cancel()


def _close(task: asyncio.Task[socket.socket]) -> None:
    """A connection that came too late."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With its protocol named, asyncio switches off the delay of small writes.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.settimeout(0)
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        # reason: whatever ends it, the socket is ours and nobody else's.
        made.close()
        raise
    return made
