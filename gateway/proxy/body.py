"""Reading a request's body: bounded in size, in time and for all requests together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from gateway.errors import SlowRequest, TooLarge, Unavailable, UnsupportedMedia
from gateway.formats.large import room
from gateway.proxy.aside import LARGE
from gateway.proxy.call import Arrival
from gateway.proxy.said import media_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

BODY_SECONDS = 30.0
_SHARES = 2


class ClientLeft(Exception):
    """The client closed the connection before its request was whole."""


class _Small:
    """A body in the parts that it comes in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self._parts.append(part)

    def whole(self) -> bytes:
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)


class _Large:
    """A body of a known length, put in its place part by part: to join it at its end would keep all others waiting."""

    def __init__(self, length: int) -> None:
        self._whole = room(length)
        self._size = 0

    def add(self, part: bytes) -> None:
        self._whole[self._size : self._size + len(part)] = part
        self._size += len(part)

    def whole(self) -> bytes:
        del self._whole[self._size :]  # what did not come is not nothing: see `room`
        # Nobody changes it from now on, and whatever reads bytes reads these.
        return cast("bytes", self._whole)


class BodyReader:
    """Holds at most `largest` bytes for one request, and twice that for all that are being read."""

    def __init__(self, largest: int) -> None:
        self.largest = largest
        self._held = 0

    def at_hand(self, arrival: Arrival, whole: Callable[[], bytes | None]) -> bytes | None:
        """The body of a JSON request that `whole` gives, as it is here already; None where it is not.

        Raises TooLarge or UnsupportedMedia.
        """
        if not arrival.said.is_plain_json:
            _require_plain_json(arrival)
        body = whole()
        if body is not None and len(body) > self.largest:
            raise self._too_large()
        return body

    async def read_json(self, arrival: Arrival, receive: Receive) -> bytes:
        """The body of a JSON request. Raises TooLarge, UnsupportedMedia, SlowRequest, Unavailable or ClientLeft."""
        _require_plain_json(arrival)
        declared = arrival.header(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self.largest:
            raise self._too_large()
        held = _Large(int(declared)) if declared and declared.isdigit() and int(declared) >= LARGE else _Small()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self._read(receive, held)
        except TimeoutError:
            raise SlowRequest(f"The request body did not arrive within {BODY_SECONDS:.0f} s.") from None
        return held.whole()

    async def _read(self, receive: Receive, held: _Small | _Large) -> None:
        size = 0
        try:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                part = message.get("body", b"")
                size += len(part)
                self._held += len(part)
                if size > self.largest:
                    raise self._too_large()
                if self._held > self.largest * _SHARES:
                    raise Unavailable("Too many large requests are being read; try again.", retry_after=1)
                held.add(part)
                if not message.get("more_body", False):
                    return
        finally:
            self._held -= size

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self.largest} bytes.", retryable=False)


def _require_plain_json(arrival: Arrival) -> None:
    if arrival.said.is_plain_json:
        return
    if media_of(arrival.headers) != "application/json":
        # A web page can send other types to localhost without asking; this one it cannot.
        raise UnsupportedMedia("Send the body as JSON, with the header 'content-type: application/json'.")
    raise UnsupportedMedia("Send the body without a content-encoding.")
