"""The door of the program: which host is meant, who is behind a proxy, and which room a path belongs to."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec

from gateway.edge.offers import of_scope
from gateway.errors import BadInput, GatewayError, Misdirected, NotFound, Unavailable, Unexpected
from gateway.ids import new_request_id
from gateway.settings import Settings

log = logging.getLogger("gateway.front")

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]

_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::\d{1,5})?")
_PROBE_PATHS = frozenset({"/livez", "/readyz", "/healthz"})
_MOST_HOSTS = 1000
_NO_STORE = (b"cache-control", b"no-store")


class Rooms(msgspec.Struct, frozen=True):
    """The programs behind the door, by the beginning of the path. `readiness` gives the reasons not to be ready."""

    clients: App
    api: App
    pages: App
    readiness: Callable[[], list[str]]


class Front:
    """ASGI. Knows what is in flight, so that a stop can end it."""

    def __init__(self, settings: Settings, rooms: Rooms) -> None:
        self._root_path = settings.root_path
        self._rooms = rooms
        self._names = {"localhost", settings.host.lower(), *(name.lower() for name in settings.allowed_hosts)}
        self._proxies = [ipaddress.ip_network(network, strict=False) for network in settings.trusted_proxies]
        self._own_hosts: set[bytes] = set()
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._is_ending = False

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    async def end(self, patience: float) -> None:
        """Cancel what is still in flight and give it so many seconds to write itself down.

        A server that is told twice to stop leaves its requests running; one whose patience is over cancels them
        and does not wait.
        """
        self._is_ending = True
        requests = set(self._in_flight)
        for request in requests:
            request.cancel()
        if requests:
            await asyncio.wait(requests, timeout=patience)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return  # no web sockets, and nothing waits for a lifespan
        offers = of_scope(scope)
        self._in_flight.add(offers.task)
        try:
            await self._entered(scope)(scope, receive, send)
        except GatewayError as error:
            await _send_error(send, error)
        except asyncio.CancelledError:
            if not self._is_ending:
                raise
            if not offers.has_begun:
                await _send_error(send, Unavailable("The gateway is stopping; try again.", retry_after=2))
        except Exception:  # reason: the last place where a fault of ours can become an answer
            log.exception("%s failed", scope["method"])
            if offers.has_begun:
                raise  # the server cuts the connection
            await _send_error(send, Unexpected())
        finally:
            self._in_flight.discard(offers.task)

    def _entered(self, scope: Scope) -> App:
        """The room that the request belongs to; from here on the scope says what was meant."""
        headers = scope["headers"]
        self._require_own_host(headers)
        if self._proxies:
            self._look_behind_proxy(scope, headers)
        path: str = scope["path"]
        if self._root_path and (path == self._root_path or path.startswith(self._root_path + "/")):
            path = path[len(self._root_path) :] or "/"
            scope["path"] = path
        scope["root_path"] = ""
        return self._room(path)

    def _room(self, path: str) -> App:
        if path.startswith(("/v1/", "/v1beta/", "/v1alpha/")):
            return self._rooms.clients
        if path.startswith("/api/admin/"):
            return self._rooms.api
        if path in ("/admin", "/home") or path.startswith(("/admin/", "/home/", "/static/")):
            return self._rooms.pages
        if path in _PROBE_PATHS:
            return self._probe
        if path in ("/", "/api/hello"):
            return self._hello
        raise NotFound(f"There is nothing at {path[:100]}. The API is at /v1, the admin site at /admin.")

    def _require_own_host(self, headers: list[tuple[bytes, bytes]]) -> None:
        """A page elsewhere may make a browser call us under its own name (DNS rebinding): only ours are answered."""
        count, host = 0, b""
        for name, value in headers:
            if name == b"host":
                count, host = count + 1, value
        if count != 1:
            raise BadInput("The request must have exactly one Host header.", code="invalid_host")
        if host in self._own_hosts:
            return
        self._require_own(host)
        if len(self._own_hosts) < _MOST_HOSTS:
            self._own_hosts.add(host)

    def _require_own(self, host: bytes) -> None:
        found = _HOST.fullmatch(host.decode("latin-1"))
        if found is None:
            raise BadInput("The Host header is malformed.", code="invalid_host")
        name = found.group(1).lower()
        if name in self._names or name.endswith(".localhost") or _is_address(name):
            return
        raise Misdirected(f"This gateway does not answer to the name '{name}'. Add it to GATEWAY_ALLOWED_HOSTS.")

    def _look_behind_proxy(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> None:
        """Believe X-Forwarded-* of trusted proxies alone, and of the list only its nearest untrusted entry."""
        client = scope.get("client")
        if client is None or not self._is_proxy(client[0]):
            return
        forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
        for hop in reversed(b",".join(forwarded).decode("latin-1").split(",")):
            if _is_address(hop.strip()):
                scope["client"] = (hop.strip(), 0)
                if not self._is_proxy(hop.strip()):
                    break
        for name, value in headers:
            if name == b"x-forwarded-proto" and value in (b"http", b"https"):
                scope["scheme"] = value.decode()

    def _is_proxy(self, text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)

    async def _probe(self, scope: Scope, receive: Any, send: Any) -> None:
        reasons = [] if scope["path"] == "/livez" else self._rooms.readiness()
        body = {"status": "ok" if not reasons else "unavailable", "reasons": reasons}
        await _send_json(send, 503 if reasons else 200, body)

    async def _hello(self, scope: Scope, receive: Any, send: Any) -> None:
        accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
        if scope["path"] == "/" and b"text/html" in accept:
            location = (b"location", f"{self._root_path}/admin".encode())
            await _send(send, 303, [location, (b"content-length", b"0")], b"")
            return
        await _send_json(
            send, 200, {"name": "Weir", "api": f"{self._root_path}/v1", "admin": f"{self._root_path}/admin"}
        )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


async def _send_error(send: Any, error: GatewayError) -> None:
    request_id = new_request_id()
    body = {
        "error": {
            "message": error.message,
            "type": error.type,
            "param": error.param,
            "code": error.code,
            "request_id": request_id,
        }
    }
    await _send_json(send, error.status, body, (b"x-request-id", request_id.encode()))


async def _send_json(send: Any, status: int, found: Mapping[str, object], *more: tuple[bytes, bytes]) -> None:
    body = json.dumps(found).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), _NO_STORE, *more]
    await _send(send, status, headers, body)


async def _send(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
