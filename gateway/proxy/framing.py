"""How a stream is framed for the client: as events, or as the elements of one JSON array, as Gemini's may be."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from gateway.formats.sse import EventSplitter, event_payload
from gateway.model.registry import ApiFormat
from gateway.proxy.call import Call
from gateway.proxy.sending import Send
from gateway.proxy.surfaces import query_value


def framed(call: Call, send: Send) -> Send:
    """`send`, or what makes one array of a stream of events on its way to it."""
    request = call.request
    is_array = (
        request.is_stream
        and request.api_format is ApiFormat.GEMINI_GENERATE
        and query_value(call.arrival.query, "alt") != "sse"
    )
    return _AsArray(send) if is_array else send


class _AsArray:
    """Takes ASGI messages. What is no stream of events passes as it is."""

    __slots__ = ("_has_begun", "_is_stream", "_send", "_splitter")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._splitter = EventSplitter()
        self._is_stream = False
        self._has_begun = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await self._send({**message, "headers": self._headers(message["headers"])})
        elif self._is_stream:
            await self._send({**message, "body": self._body(message.get("body", b""), message.get("more_body", False))})
        else:
            await self._send(message)

    def _headers(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        self._is_stream = any(
            name == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers
        )
        if not self._is_stream:
            return headers
        json = (b"content-type", b"application/json; charset=UTF-8")
        return [*(pair for pair in headers if pair[0] not in (b"content-type", b"content-length")), json]

    def _body(self, events: bytes, is_more: bool) -> bytes:
        found = b"".join(map(self._element, self._splitter.feed(events)))
        if is_more:
            return found
        rest = self._element(self._splitter.rest())
        return found + rest + (b"]" if self._has_begun else b"[]")

    def _element(self, event: bytes) -> bytes:
        payload = event_payload(event)
        if not payload:
            return b""
        before, self._has_begun = (b",\r\n" if self._has_begun else b"["), True
        return before + payload
