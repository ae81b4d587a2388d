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
    """`headers` name the host, and the length of a body that comes in parts where it is known.

    Raises LocalProtocolError where one of them, the target or the length would make it another request.
    """
    lines = [_request_line(method, target), *map(_COLON.join, headers)]
    length, encoding = _framing(headers)
    is_bodiless = method == b"HEAD"
    if isinstance(body, bytes | bytearray):
        if encoding or length not in (None, len(body)):
            raise httpx.LocalProtocolError("the request's headers say another length than its body has")
        if length is None and (body or method in _WITH_BODY):
            lines.append(b"content-length: %d" % len(body))
        return Outgoing(_joined(lines), body, is_bodiless=is_bodiless)
    if not encoding and length is None:
        lines.append(b"transfer-encoding: chunked")
    return Outgoing(_joined(lines), b"", body, length, is_bodiless)


class Frame(msgspec.Struct, frozen=True):
    """What all requests to one place have in common, made and checked once: the first lines of a head, and others."""

    first: bytes
    others: bytes
    line_ends: int

    __repr__ = hiding("others")

    def around(self, headers: Sequence[Header], body: bytes) -> Outgoing:
        """What `written` makes of all of them. `headers` say nothing of the body's length.

        Raises LocalProtocolError where one of them would make it another request.
        """
        lines = [self.first, *map(_COLON.join, headers), self.others, b"content-length: %d" % len(body)]
        return Outgoing(_joined(lines, self.line_ends), body)


def frame(method: bytes, target: bytes, host: bytes, headers: Sequence[Header]) -> Frame | None:
    """For requests with a body of which these are the first and the last headers; None where they say how it is framed.

    Raises LocalProtocolError as `written` does.
    """
    if method not in _WITH_BODY or not headers or _framing(headers) != (None, None):
        return None
    first = [_request_line(method, target), b"host: " + host]
    others = [*map(_COLON.join, headers)]
    _joined([*first, *others])
    return Frame(b"\r\n".join(first), b"\r\n".join(others), len(first) + len(others) - 2)


_COLON = b": "
_WITH_BODY = frozenset({b"POST", b"PUT", b"PATCH"})


def outgoing(asked: httpx.Request) -> Outgoing:
    """The same of httpx's request."""
    headers = asked.headers.raw
    if "host" not in asked.headers:
        headers = [(b"Host", asked.url.netloc), *headers]
    stream = cast("httpx.AsyncByteStream", asked.stream)
    body = b"".join(stream) if isinstance(stream, httpx.ByteStream) else stream.__aiter__()
    return written(asked.method.encode("ascii"), asked.url.raw_path, headers, body)


def _request_line(method: bytes, target: bytes) -> bytes:
    line = b"%b %b HTTP/1.1" % (method, target)
    if line.count(b" ") != 2:  # noqa: PLR2004
        raise httpx.LocalProtocolError("the method or the target of the request holds a space")
    return line


def _framing(headers: Sequence[Header]) -> tuple[int | None, bytes | None]:
    """The length and the encoding that they state."""
    length = encoding = None
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"content-length":
            length = _length(value, length)
        elif lowered == b"transfer-encoding":
            encoding = value.lower()
    if encoding not in (None, b"chunked") or (encoding and length is not None):
        raise httpx.LocalProtocolError("the request's headers frame its body in two ways")
    return length, encoding


def _length(value: bytes, before: int | None) -> int:
    if before is not None or not value.isdigit():
        raise httpx.LocalProtocolError("the request's content-length is none")
    return int(value)


def _joined(lines: list[bytes], line_ends: int = 0) -> bytes:
    """The whole head. Line ends are counted in it: beside those that `lines` have already, one too many came from
    inside a value.
    """
    head = b"\r\n".join(lines) + b"\r\n\r\n"
    ends = len(lines) + 1 + line_ends
    if head.count(b"\n") != ends or head.count(b"\r") != ends or head.find(b"\0") >= 0:
        raise httpx.LocalProtocolError("a header or the target of the request holds a character that ends it")
    return head
