"""A request as it goes over the wire, checked before a byte of it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import cast

import httpx
import msgspec

from gateway.hiding import hiding

Header = tuple[bytes, bytes]


class Outgoing(msgspec.Struct, frozen=True):
    """Head and body. `parts` is a body that comes piece by piece; `length` is what its head promises, None if chunked.

    `is_bodiless` says that its answer will have no body (HEAD).
    """

    head: bytes
    body: bytes
    parts: AsyncIterator[bytes] | None = None
    length: int | None = None
    is_bodiless: bool = False

    __repr__ = hiding("head", "body")

    @property
    def is_repeatable(self) -> bool:
        return self.parts is None


def written(method: bytes, target: bytes, headers: Sequence[Header], body: bytes | AsyncIterator[bytes]) -> Outgoing:
    """A request without a detour over httpx's. `headers` name the host, and the length of a body that comes in parts
    where it is known. Raises LocalProtocolError where one of them would make it another request.
    """
    lines, length = [b"%b %b HTTP/1.1" % (method, target), *map(_COLON.join, headers)], None
    if isinstance(body, bytes | bytearray):
        if body or method in _WITH_BODY:
            lines.append(b"content-length: %d" % len(body))
        return Outgoing(_joined(lines), body)
    for name, value in headers:
        if name == b"content-length":
            length = _length(value, length)
    if length is None:
        lines.append(b"transfer-encoding: chunked")
    return Outgoing(_joined(lines), b"", body, length)


_COLON = b": "
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


def outgoing(asked: httpx.Request) -> Outgoing:
    """Raises LocalProtocolError where a header, the target or the length would make it another request."""
    lines, length, encoding = _head(asked)
    is_bodiless = asked.method == "HEAD"
    stream = asked.stream
    if isinstance(stream, httpx.ByteStream):
        body = b"".join(stream)
        if length is None and body and not encoding:
            lines.append(b"Content-Length: %d" % len(body))
        elif encoding or length not in (None, len(body)):
            raise httpx.LocalProtocolError("the request's headers say another length than its body has")
        return Outgoing(_joined(lines), body, is_bodiless=is_bodiless)
    if not encoding and length is None:
        lines.append(b"Transfer-Encoding: chunked")
    parts = cast("httpx.AsyncByteStream", stream).__aiter__()
    return Outgoing(_joined(lines), b"", parts, length, is_bodiless)


def _head(asked: httpx.Request) -> tuple[list[bytes], int | None, bytes | None]:
    """Its lines, and the length and the encoding that they state."""
    lines = [b"%b %b HTTP/1.1" % (asked.method.encode("ascii"), asked.url.raw_path)]
    host = length = encoding = None
    for name, value in asked.headers.raw:
        lines.append(name + b": " + value)
        lowered = name.lower()
        if lowered == b"content-length":
            length = _length(value, length)
        elif lowered == b"transfer-encoding":
            encoding = value.lower()
        elif lowered == b"host":
            host = value
    if host is None:
        lines.append(b"Host: " + asked.url.netloc)
    if encoding not in (None, b"chunked") or (encoding and length is not None):
        raise httpx.LocalProtocolError("the request's headers frame its body in two ways")
    return lines, length, encoding


def _length(value: bytes, before: int | None) -> int:
    if before is not None or not value.isdigit():
        raise httpx.LocalProtocolError("the request's content-length is none")
    return int(value)


def _joined(lines: list[bytes]) -> bytes:
    """The whole head. Line ends are counted in it: one too many came from inside a value."""
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    ends = len(lines) + 1
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head or lines[0].count(b" ") != 2:
        raise httpx.LocalProtocolError("a header or the target of the request holds a character that ends it")
    return head
