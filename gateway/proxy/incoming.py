"""An answer as its bytes come in: every bound held, its framing to the letter. Knows no socket and no clock."""

from __future__ import annotations

import httptools
import httpx

LARGEST_HEAD = 64 * 1024
"""Bytes of an answer's head, and of what may come in a body without being body: sizes, extensions, trailers."""
MOST_HEADERS = 256


class Incoming:
    """Feed it what came, take out what is body. A further answer needs a further one of these.

    `is_answered` anything at all; `is_keepable` where nothing speaks against using the connection again. `media` and
    `encoding` are what the head says of the body, in lower case.
    """

    # What an answer begins with is the class's, so that only what changes has to be set: one is made for every call.
    status = 0
    held = 0
    is_answered = has_head = is_complete = is_keepable = False
    media = encoding = b""
    _has_length = _is_chunked = _is_old = _is_interim = False
    _framing_bytes = _header_count = _header_bytes = 0

    def __init__(self, *, is_bodiless: bool = False) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self._is_bodiless = is_bodiless
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, data: bytes | memoryview) -> None:
        """Raises RemoteProtocolError; what was body before that is kept. Nothing may be fed after the end."""
        assert self._parser is not None
        self.is_answered = True
        self._framing_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not self.is_complete:
                self.let_go()
                raise httpx.RemoteProtocolError(_words(error)) from None
            # What came after the end belongs to nobody.
            self.is_keepable = False
        if self.is_complete:
            self.let_go()
        elif self._framing_bytes > LARGEST_HEAD:
            self.let_go()
            raise httpx.RemoteProtocolError("the provider sent too many bytes that are no body")

    def finish(self) -> None:
        """The connection was closed in order. Raises RemoteProtocolError where that is not the answer's end."""
        if self.has_head and not self._has_length and not self._is_chunked:
            # Framed by nothing but its end; whether that is all is told by what it says.
            self.is_complete = True
            self.let_go()
        elif self.has_head:
            raise httpx.RemoteProtocolError("the provider closed the connection before the answer's end")
        elif self.is_answered:
            raise httpx.RemoteProtocolError("the provider closed the connection inside the answer's head")
        else:
            raise httpx.RemoteProtocolError("the provider closed the connection without sending a response")

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        parts, self.parts = self.parts, []
        self.held = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def let_go(self) -> None:
        """The parser holds this object and this object the parser: no longer."""
        self._parser = None

    # What the parser tells.

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise _Refused("there is more after the answer's end")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._header_bytes += len(name) + len(value)
        if self._header_count > MOST_HEADERS or self._header_bytes > LARGEST_HEAD:
            raise _Refused("the answer's head is too large")
        if self.has_head:
            return
        lowered = name.lower()
        self.headers.append((lowered, value))
        if lowered == b"content-length":
            self._has_length = True
        elif lowered == b"transfer-encoding":
            if self._is_chunked or value.strip().lower() != b"chunked":
                raise _Refused("the answer has a transfer-encoding that was not asked for")
            self._is_chunked = True
        elif lowered == b"content-type":
            self.media = self.media or value.lower()
        elif lowered == b"content-encoding":
            self.encoding = self.encoding or value.lower()

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if self.status < 100 or self.status == 101 or version not in ("1.1", "1.0"):
            raise _Refused("the provider answered in another protocol than HTTP/1.1")
        if self.status < 200:
            self._is_interim = True
            self.headers = []
            self.media = self.encoding = b""
            self._has_length = self._is_chunked = False
            return
        self._framing_bytes = 0
        self._is_old = version == "1.0"
        self.has_head = True
        if self._is_bodiless:
            self._complete()

    def on_body(self, data: bytes) -> None:
        if self.is_complete or self._is_interim:
            raise _Refused("the answer has a body where none may be")
        self._framing_bytes = 0
        self.held += len(data)
        self.parts.append(data)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif not self.is_complete:
            self._complete()

    def _complete(self) -> None:
        assert self._parser is not None
        self.is_complete = True
        # HTTP/1.0 connections are kept by few, and honestly by fewer.
        self.is_keepable = self._parser.should_keep_alive() and not self._is_old


class _Refused(Exception):
    """Ends the parser's work on an answer; its words say why."""


def _words(error: Exception) -> str:
    return str(error.__context__ if isinstance(error.__context__, _Refused) else error)
