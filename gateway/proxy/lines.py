"""What goes to a backend: a request of ours, and all that every request to the same backend has in common."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Sequence

import httpx
import msgspec

from gateway import __version__
from gateway.formats.table import FORMATS
from gateway.hiding import hiding
from gateway.model.registry import Auth, Endpoint
from gateway.proxy.connections import Address
from gateway.proxy.http1 import NEVER
from gateway.proxy.outgoing import Frame, Outgoing, frame, written
from gateway.routing.snapshot import Backend
from gateway.vault import Secret

Header = tuple[bytes, bytes]
_MOST_PATHS = 256
"""Of one backend: a client may make up names of models."""

Content = bytes | AsyncIterator[bytes]
"""What is sent: whole, or as it comes."""


class Outbound(msgspec.Struct, frozen=True):
    """A request to a backend: `path` comes after its endpoint's base URL. `ends_at` (the event loop's time) bounds it
    until its answer's body has been read, if nothing else is said by then.
    """

    method: str
    path: str
    body: Content = b""
    headers: Sequence[Header] = ()
    ends_at: float = NEVER

    __repr__ = hiding("body", "headers")


class Where(msgspec.Struct, frozen=True):
    """A method and a URL in the pieces that a request needs; `frame` is what all of one endpoint's there have."""

    method: bytes
    url: httpx.URL
    address: Address
    target: bytes
    host: bytes
    frame: Frame | None


class Line(msgspec.Struct):
    """What all requests to a backend have in common. Its key is veiled but in the moment that it is sent."""

    backend: weakref.ref[Backend]
    endpoint: Endpoint
    secret: Secret | None
    _own: tuple[Header, ...] = ()
    _wheres: dict[tuple[str, str], Where] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._own = tuple(_own_headers(self.endpoint))

    def where(self, outbound: Outbound) -> Where:
        found = self._wheres.get((outbound.method, outbound.path))
        if found is None:
            if len(self._wheres) >= _MOST_PATHS:
                self._wheres.clear()
            found = self._wheres[outbound.method, outbound.path] = self._new_where(outbound)
        return found

    def request(self, where: Where, outbound: Outbound) -> Outgoing:
        """As it goes over the wire. Raises LocalProtocolError where it would be another one."""
        if where.frame is not None and isinstance(outbound.body, bytes | bytearray):
            return where.frame.around([*outbound.headers, *self.credential()], outbound.body)
        return written(where.method, where.target, self.headers(where, outbound), outbound.body)

    def headers(self, where: Where, outbound: Outbound) -> list[Header]:
        return [(b"host", where.host), *outbound.headers, *self.credential(), *self._own]

    def credential(self) -> tuple[Header, ...]:
        """The header that carries the key: the endpoint's own way, else its format's."""
        if self.secret is None:
            return ()
        style = self.endpoint.auth or FORMATS[self.endpoint.api_format].auth
        secret = self.secret.reveal_bytes()
        return ((b"authorization", b"Bearer " + secret) if style is Auth.BEARER else (style.encode(), secret),)

    def _new_where(self, outbound: Outbound) -> Where:
        url = httpx.URL(self.endpoint.base_url.rstrip("/") + outbound.path)
        method = outbound.method.encode("ascii")
        return Where(
            method=method,
            url=url,
            address=(url.scheme, url.raw_host, url.port),
            target=url.raw_path,
            host=url.netloc,
            frame=frame(method, url.raw_path, url.netloc, self._own),
        )


def _own_headers(endpoint: Endpoint) -> list[Header]:
    own = [(name.lower().encode(), value.encode()) for name, value in endpoint.headers.items()]
    agent = b"weir-gateway/" + __version__.encode()
    return [(b"accept-encoding", b"identity"), (b"user-agent", agent), *own]
