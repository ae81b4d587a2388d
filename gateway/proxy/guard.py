"""Where the gateway may dial. The check is made on the address that is dialled, at the moment it is dialled."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore

from gateway.model.origin import address_of, is_metadata_address, is_public

_OTHER_PROTOCOLS = frozenset({22, 23, 25, 465, 587, 3306, 5432, 6379, 11211, 27017})
DNS_SECONDS = 5.0

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
    """Resolves once, in threads of its own, checks every address, and dials what it checked."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, permits_local: PermitsLocal) -> None:
        self._inner = inner
        self._permits_local = permits_local
        self._dns = ThreadPoolExecutor(8, thread_name_prefix="dns")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._resolve(host, port)
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

    def close(self) -> None:
        self._dns.shutdown(wait=False, cancel_futures=True)

    async def _dial(
        self, address: str, port: int, seconds: float | None, options: Iterable[Any] | None
    ) -> httpcore.AsyncNetworkStream:
        return _Stream(await self._inner.connect_tcp(address, port, timeout=seconds, socket_options=options))

    async def _resolve(self, host: str, port: int) -> list[str]:
        literal = address_of(host.strip("[]"))
        if literal is not None:
            return [str(literal)]
        try:
            async with asyncio.timeout(DNS_SECONDS):
                found = await asyncio.get_running_loop().run_in_executor(self._dns, _look_up, host, port)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error or 'no answer in time'}") from error
        return found


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


def _look_up(host: str, port: int) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
