"""Where the gateway may dial. The check is made on the address that is dialled, at the moment it is dialled."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

from gateway.model.origin import address_of, is_metadata_address, is_public
from gateway.proxy.names import Names

_OTHER_PROTOCOLS = frozenset({22, 23, 25, 465, 587, 3306, 5432, 6379, 11211, 27017})

PermitsLocal = Callable[[str, int], bool]
"""Whether an operator allowed this private host and port."""


def may_dial(host: str, port: int, addresses: Iterable[str], permits_local: PermitsLocal) -> bool:
    """One bad address refuses all: a name that answers with both is a rebinding attempt."""
    found = [address_of(address) for address in addresses]
    if not found or any(address is None or is_metadata_address(address) for address in found):
        return False
    if permits_local(host, port):
        return True
    return port not in _OTHER_PROTOCOLS and all(address is not None and is_public(address) for address in found)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves once, checks every address, and dials what it checked."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, permits_local: PermitsLocal, names: Names) -> None:
        self._inner = inner
        self._permits_local = permits_local
        self._names = names

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._names.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if not may_dial(host, port, addresses, self._permits_local):
            raise httpcore.ConnectError(f"{host}:{port} is not an address that may be dialled")
        for address in addresses[:-1]:
            try:
                return await self._dial(address, port, timeout, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._dial(addresses[-1], port, timeout, socket_options)

    async def connect_unix_socket(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("unix sockets are not dialled")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _dial(
        self, address: str, port: int, seconds: float | None, options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(address, port, timeout=seconds, socket_options=options))


class _Stream(httpcore.AsyncNetworkStream):
    """Closes its socket where a TLS handshake is cancelled; httpcore does only where one fails."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  # httpcore's signature
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  # httpcore's signature
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
