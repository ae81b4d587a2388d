"""Answers of our own as ASGI messages: JSON, errors in the caller's format, and the id that every answer has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from gateway.errors import GatewayError, MethodNotAllowed
from gateway.proxy import headers as passing
from gateway.proxy.call import Arrival, Header

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def id_headers(arrival: Arrival) -> list[Header]:
    """Our id always; as `x-request-id` the client's own where it sent a harmless one."""
    own = arrival.id.encode()
    found = [(b"x-request-id", arrival.said.shown_id or own), (b"x-gateway-request-id", own)]
    if arrival.family.id_header:
        found.append((arrival.family.id_header, own))
    return found


async def send_error(send: Send, arrival: Arrival, error: GatewayError, more: Sequence[Header] = ()) -> None:
    """In the words of the caller's family of formats."""
    headers = [*id_headers(arrival), *passing.of_error(error), *more]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allowed.encode()))
    if error.status == 408:
        # Not at 413: closing with a body on its way resets the connection, and the client never reads why.
        headers.append((b"connection", b"close"))
    await send_json(send, error.status, arrival.family.body(error, arrival.id), headers)


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[Header]) -> None:
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
