"""A multipart body on its way through: sent on while it arrives, and kept beside that, so that it can be sent again.

It is never whole in memory: up to a size it is, beyond that it is in a temporary file that has no name.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import IO

from gateway.errors import BadInput, GatewayError, SlowRequest, TooLarge
from gateway.formats.body import Fields, bool_field, raw, text_field
from gateway.formats.multipart import FieldScanner, boundary_of
from gateway.formats.request import Request
from gateway.model.registry import ApiFormat
from gateway.proxy.body import ClientLeft, Receive
from gateway.proxy.call import Arrival

IDLE_SECONDS = 30.0
_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024
_FIELDS = frozenset({"model", "stream", "n", "prompt"})


def is_upload(arrival: Arrival) -> bool:
    """Whether its body is multipart/form-data."""
    return (arrival.header(b"content-type") or "").lower().startswith("multipart/form-data")


def request_of(api_format: ApiFormat, action: str, fields: Fields) -> Request:
    """The request that an upload is, of which these are the small fields. Raises BadInput."""
    return Request(
        api_format=api_format,
        model=text_field(fields, "model"),
        is_stream=bool_field(fields, "stream"),
        fields=fields,
        action=action,
    )


class Upload:
    """`fill` takes it in; `content` gives it out, as often as wished, with another model's name in it."""

    def __init__(self, arrival: Arrival, largest: int) -> None:
        self.content_type = arrival.header(b"content-type") or ""
        self._largest = largest
        declared = arrival.header(b"content-length") or ""
        self._declared = int(declared) if declared.isdigit() and len(declared) < 16 else None
        if self._declared is not None and self._declared > largest:
            raise self._too_large()
        self._scanner = FieldScanner(boundary_of(self.content_type), _FIELDS)
        self._kept: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  # reason: closed by `close`
        self._size = 0
        self._is_whole = False
        self._fault: Exception | None = None
        self._news = asyncio.Condition()

    async def fill(self, receive: Receive) -> None:
        """Take in the whole body. What goes wrong is raised where it is waited for."""
        try:
            while not self._is_whole:
                await self._take(receive)
        except (GatewayError, ClientLeft, OSError) as error:
            self._fault = error
            raise
        finally:
            await self._tell()

    async def _take(self, receive: Receive) -> None:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await receive()
        except TimeoutError:
            raise SlowRequest(f"Nothing of the request body came for {IDLE_SECONDS:.0f} s.") from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece: bytes = message.get("body", b"")
        if self._size + len(piece) > self._largest:
            raise self._too_large()
        self._scanner.feed(piece)
        self._kept.seek(self._size)
        self._kept.write(piece)
        self._size += len(piece)
        self._is_whole = not message.get("more_body", False)
        await self._tell()

    async def fields(self) -> Fields:
        """The small fields of its head, as JSON would have them, as soon as the model is among them.

        Raises BadInput where the whole body names no model, and whatever ended `fill`.
        """
        async with self._news:
            await self._news.wait_for(lambda: self._fault or self._is_whole or "model" in self._scanner.found)
        if "model" not in self._scanner.found:
            if self._fault is not None:
                raise self._fault
            raise BadInput("The field 'model' is missing.", param="model", code="missing_required_parameter")
        found = {name: span.text for name, span in self._scanner.found.items()}
        return {name: raw(text == "true" if name == "stream" else text) for name, text in found.items()}

    def length(self, model: str) -> int | None:
        """Bytes of the body with this model's name in it; None where the client did not say how long its own is."""
        if self._declared is None:
            return None
        span = self._scanner.found["model"]
        return self._declared - (span.end - span.start) + len(model.encode())

    async def content(self, model: str) -> AsyncIterator[bytes]:
        """The body from its beginning, as it arrives, with this model's name in place of the client's."""
        span, at = self._scanner.found["model"], 0
        while at < span.start:
            piece = self._piece(at, span.start)
            at += len(piece)
            yield piece
        yield model.encode()
        at = span.end
        while True:
            piece = self._piece(at, self._size)
            if piece:
                at += len(piece)
                yield piece
            elif isinstance(self._fault, ClientLeft):
                await asyncio.Event().wait()  # whoever watches the client ends this
            elif self._fault is not None:
                raise self._fault
            elif self._is_whole:
                return
            else:
                await self._more_than(at)

    async def _more_than(self, size: int) -> None:
        async with self._news:
            await self._news.wait_for(lambda: self._fault or self._is_whole or self._size > size)

    def _piece(self, start: int, end: int) -> bytes:
        self._kept.seek(start)
        return self._kept.read(min(_PIECE, end - start)) if end > start else b""

    def close(self) -> None:
        """Forget it."""
        self._kept.close()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The request body is larger than {self._largest} bytes.", retryable=False)
