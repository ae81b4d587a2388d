"""The HTTP/1.1 protocol at the socket: uvicorn's own, with a limit on how long and how large a head may be.

uvicorn has no deadline for headers, and its parser takes 40 MB of them.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.edge.answer import Answer
from gateway.ids import new_request_id

# Codes are written out: HTTPStatus has other phrases in other versions of Python.
_WHY = {
    400: ("bad_request", "The request is not valid HTTP."),
    408: ("request_timeout", "The request's headers took too long to arrive."),
    414: ("request_uri_too_long", "The request's URL is longer than 8 KiB."),
    429: ("too_many_requests", "Too many connections from this address."),
    431: ("request_header_fields_too_large", "The request's headers are larger than 32 KiB."),
}


NEVER = float("inf")
_READ_BYTES = 64 * 1024
_AROUND_A_HEADER = len(b": \r\n")


class _HeadRefused(Exception):
    """Ends the parsing of a head; the status is in the protocol."""


class EdgeProtocol(HttpToolsProtocol):
    """Refuses slow heads (408), long URLs (414), large heads (431) and crowds from one address (429).

    `unlimited` are networks that may open any number of connections, beside this machine: trusted proxies.
    """

    HEAD_SECONDS = 10.0
    HEAD_BYTES = 32 * 1024
    URL_BYTES = 8 * 1024
    CONNECTIONS_PER_ADDRESS = 100
    LINGER_SECONDS = 1.0
    unlimited: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = ""
        self._status = 400
        self._is_refused = False
        self._is_in_head = True
        self._head_read = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._idle_since = NEVER

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if hasattr(transport, "max_size"):
            # asyncio makes room for this much at each read. For more than this the system maps memory anew each
            # time, which takes longer than all that a small request needs.
            transport.max_size = _READ_BYTES
        super().connection_made(transport)
        self.address = self._crowd(self.client[0] if self.client else "")
        if self.address and self._neighbours() > self.CONNECTIONS_PER_ADDRESS:
            self._refuse(429)
            return
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
        if isinstance(self.cycle, Answer):
            self.cycle.left()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._adopt(cycle)
        assert isinstance(cycle, Answer)
        # It gets a name, as asyncio would make one up for each.
        cycle.task = self.loop.create_task(cycle.run_asgi(app), name="request")
        self.tasks.add(cycle.task)

    def _adopt(self, cycle: RequestResponseCycle) -> None:
        """uvicorn makes its cycles itself; what it made becomes ours before anything comes or is answered."""
        if not isinstance(cycle, Answer):
            cycle.__class__ = Answer
            assert isinstance(cycle, Answer)
            cycle.adopt(self.loop, self.tasks)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        if self._is_in_head:
            self._head_read += len(data)
        self._idle_since = NEVER
        super().data_received(data)
        if not self._is_in_head or not self._head_read:
            return  # nearly always: a head comes in one piece, and the body with it
        if not self._is_answering():
            self._arm()
        # One endless header never gets to on_header: what was read counts as well as what was understood.
        if self._head_read > self.HEAD_BYTES + self.URL_BYTES:
            self._refuse(431)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self.URL_BYTES:
            self._status = 414
            raise _HeadRefused

    def on_headers_complete(self) -> None:
        # What was read bounds a head on its way; when it is whole, it is measured.
        size = 0
        for name, value in self.headers:
            size += len(name) + len(value) + _AROUND_A_HEADER
        if size > self.HEAD_BYTES:
            self._status = 431
            raise _HeadRefused
        if self._deadline is not None:
            self._disarm()
        self._is_in_head = False
        self._head_read = 0
        super().on_headers_complete()
        if not isinstance(self.cycle, Answer):
            self._adopt(self.cycle)  # it waits for its turn behind others

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, Answer) and not self.cycle.response_complete:
            self.cycle.heard(body)

    def on_message_complete(self) -> None:
        self._is_in_head = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """As uvicorn's, but for the timer of connections that nobody uses: it is set once, and looks again itself."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.flow.read_paused:
            self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._look_again(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        self.timeout_keep_alive_task = None
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left <= 0:
            super().timeout_keep_alive_handler()
        elif left < NEVER:
            self._look_again(left)

    def _look_again(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _unset_keepalive_if_required(self) -> None:
        """What uvicorn does with every request; here the timer is left alone until the connection's end."""

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls where its parser stopped."""
        self._refuse(self._status)

    def _crowd(self, ip: str) -> str:
        """Whose connections are counted together: an IPv4 address, an IPv6 /64; empty where nobody counts."""
        try:
            address = ipaddress.ip_address(ip.split("%")[0])
        except ValueError:
            return ""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if address.is_loopback or any(address in network for network in self.unlimited):
            return ""
        return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))

    def _neighbours(self) -> int:
        return sum(getattr(other, "address", "") == self.address for other in self.connections)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.HEAD_SECONDS, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if self._head_read:
            self._refuse(408)
        else:
            self.transport.close()

    def _refuse(self, status: int) -> None:
        """Answer and close. What still comes in is read and dropped, or the reset would overtake the answer."""
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._disarm()
        if self._is_answering() and not self._silence():
            self.transport.abort()
            return
        self.transport.write(_answer(status))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(self.LINGER_SECONDS, self.transport.close)

    def _silence(self) -> bool:
        """Take the word from a request whose framing turned out bad; False where its answer has begun."""
        if self.cycle.response_started or self.pipeline:
            return False
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if isinstance(self.cycle, Answer):
            self.cycle.left()
        return True


def edge_protocol(trusted_proxies: Iterable[str]) -> type[EdgeProtocol]:
    """EdgeProtocol for a server behind these networks of proxies."""

    class BehindProxies(EdgeProtocol):
        unlimited = tuple(ipaddress.ip_network(network) for network in trusted_proxies)

    return BehindProxies


def _answer(status: int) -> bytes:
    request_id = new_request_id()
    code, message = _WHY[status]
    error = {
        "message": message,
        "type": "rate_limit_error" if status == 429 else "invalid_request_error",
        "param": None,
        "code": code,
        "request_id": request_id,
    }
    body = msgspec.json.encode({"error": error})
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"x-request-id: {request_id}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
