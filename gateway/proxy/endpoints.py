"""The paths that clients of the OpenAI API call: from HTTP to a Call, and from whatever happened to an answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from typing import Any

import msgspec

from gateway.clock import Clock
from gateway.errors import GatewayError, MethodNotAllowed, ModelNotFound, NotFound, Unavailable, Unexpected
from gateway.formats.chat.surface import read_request
from gateway.formats.request import Asked
from gateway.ids import new_request_id
from gateway.model.people import ApiKey
from gateway.proxy import headers as passing
from gateway.proxy.body import BodyReader, ClientLeft, Receive
from gateway.proxy.call import Arrival, Call, Trail
from gateway.proxy.credentials import authenticate, read_credential
from gateway.proxy.ledger import Ledger
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.relay import Relay, Send
from gateway.proxy.settle import Settler, client_left, outcome_of
from gateway.routing import budgets, limits
from gateway.routing.permissions import may_reach
from gateway.routing.resolve import Target, models_for
from gateway.routing.snapshot import Snapshot
from gateway.routing.state import RuntimeState
from gateway.vault import Vault

log = logging.getLogger("gateway.proxy")
Scope = MutableMapping[str, Any]
Header = tuple[bytes, bytes]
Handler = Callable[[Arrival, ApiKey, Receive, Send], Coroutine[Any, Any, None]]


class OpenAiSurface:
    """`/v1/...` as plain ASGI. Every path asks for an API key first."""

    def __init__(
        self,
        pipeline: Pipeline,
        settler: Settler,
        ledger: Ledger,
        entrance: Entrance,
        state: RuntimeState,
    ) -> None:
        self._pipeline = pipeline
        self._settler = settler
        self._ledger = ledger
        self._entrance = entrance
        self._state = state
        self.is_draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrival = self._entrance.arrive(scope)
        api_key: ApiKey | None = None
        try:
            api_key = self._entrance.authenticate(arrival)
            handle = self._route(scope["method"], arrival.path)
            await handle(arrival, api_key, receive, send)
        except GatewayError as error:
            # Strangers may not fill the memory while the database cannot be written.
            if api_key is not None or not self._ledger.is_full:
                self._settler.refuse(arrival, api_key, error)
            await _send_error(send, arrival, error)
        except ClientLeft:
            return

    def _route(self, method: str, path: str) -> Handler:
        if path == "/v1/chat/completions":
            return _only(method, "POST", self._chat_completions)
        if path == "/v1/models" or path.startswith("/v1/models/"):
            return _only(method, "GET", self._models)
        raise NotFound(f"There is no {path} here. This gateway serves POST /v1/chat/completions and GET /v1/models.")

    async def _chat_completions(self, arrival: Arrival, api_key: ApiKey, receive: Receive, send: Send) -> None:
        if self.is_draining:
            raise Unavailable("The gateway is stopping; try again.", retry_after=2)
        if self._ledger.is_full:
            raise Unavailable("The gateway cannot write its ledger.", code="storage_unavailable", retry_after=5)
        body = await self._entrance.bodies.read_json(arrival, receive)
        call = Call(arrival, api_key, read_request(Asked(body)))
        if arrival.header(b"x-gateway-dry-run") == "1":
            plan = self._pipeline.explain(call)
            await _send_json(send, 200, msgspec.json.encode(plan), _id_headers(arrival))
            return
        await _until_client_leaves(self._answer(call, send), receive)

    async def _answer(self, call: Call, send: Send) -> None:
        """Serve and relay. Whatever ends it, exactly one ledger row is written."""
        trail = Trail()
        try:
            relay = await self._pipeline.serve(call, trail)
        except asyncio.CancelledError:
            self._settler.settle(call, trail, None, client_left())
            raise
        except GatewayError as error:
            self._settler.settle(call, trail, None, outcome_of(error))
            await _send_error(send, call.arrival, error, self._limit_headers(call.api_key))
            return
        except Exception:  # noqa: BLE001  # reason: the one place where a fault of ours becomes an answer
            log.exception("request %s failed", call.id)
            unexpected = Unexpected()
            self._settler.settle(call, trail, None, outcome_of(unexpected))
            await _send_error(send, call.arrival, unexpected)
            return
        now = self._entrance.clock.mono()
        await relay.send_to(send, self._own_headers(relay, trail, now), now, lambda: self.is_draining)

    def _own_headers(self, relay: Relay, trail: Trail, now: float) -> list[Header]:
        arrival, reply = relay.call.arrival, relay.reply
        overhead = ((trail.sent_at or now) - arrival.received) * 1000
        total = (now - arrival.received) * 1000
        return [
            *_id_headers(arrival),
            (b"x-gateway-model", reply.target.model.encode("latin-1", "replace")),
            (b"x-gateway-provider", reply.lane.backend.provider.name.encode()),
            (b"x-gateway-backend", reply.lane.backend.name.encode("latin-1", "replace")),
            (b"x-gateway-attempts", str(len(trail.attempts) + (not reply.is_refusal)).encode()),
            (b"x-gateway-overhead-ms", f"{overhead:.2f}".encode()),
            (b"x-gateway-config-version", str(reply.target.config_version).encode()),
            (b"server-timing", f"gateway;dur={overhead:.2f}, total;dur={total:.2f}".encode()),
            *_route_header(reply.target),
            *self._limit_headers(relay.call.api_key),
        ]

    def _limit_headers(self, api_key: ApiKey) -> list[Header]:
        """How far the caller is from the limits of its API key and of the key's owner."""
        state, now = self._state, self._entrance.clock.mono()
        owner = self._entrance.snapshot().users.get(api_key.user_id or "")
        held = budgets.limits_of(api_key, owner)
        wall_ms = self._entrance.clock.wall_ms() if held else 0
        return [
            *passing.of_limits(b"requests", limits.of_caller(api_key, owner, "rpm", state), now),
            *passing.of_limits(b"tokens", limits.of_caller(api_key, owner, "tpm", state), now),
            *passing.of_money(budgets.standing(limit, state.spends, wall_ms) for limit in held),
        ]

    async def _models(self, arrival: Arrival, api_key: ApiKey, receive: Receive, send: Send) -> None:
        snapshot = self._entrance.snapshot()
        names = models_for(snapshot, api_key)
        wanted = arrival.path.removeprefix("/v1/models").removeprefix("/")
        if wanted and wanted not in names:
            raise ModelNotFound(f"The model '{wanted}' does not exist or this key may not use it.", param="model")
        shown = [_shown(snapshot, api_key, name) for name in ([wanted] if wanted else names)]
        answer = shown[0] if wanted else {"object": "list", "data": shown}
        await _send_json(send, 200, msgspec.json.encode(answer), _id_headers(arrival))


class Entrance:
    """What every request passes first: its arrival is noted, its key recognised."""

    def __init__(self, snapshot: Callable[[], Snapshot], vault: Vault, clock: Clock, largest_body: int) -> None:
        self.snapshot = snapshot
        self.clock = clock
        self.bodies = BodyReader(largest_body)
        self._vault = vault

    def arrive(self, scope: Scope) -> Arrival:
        client = scope.get("client")
        return Arrival(
            id=new_request_id(),
            received=self.clock.mono(),
            started_at=self.clock.wall_ms(),
            path=scope["path"],
            headers=tuple(scope["headers"]),
            client_ip=client[0] if client else "",
        )

    def authenticate(self, arrival: Arrival) -> ApiKey:
        """Raises NotAuthenticated or BadInput. The only place where an API key becomes a caller."""
        return authenticate(self.snapshot(), self._vault, read_credential(arrival.headers), self.clock.wall_ms())


async def _until_client_leaves(answer: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run `answer` and cancel it as soon as the client hangs up; either way it is over when this returns."""
    work = asyncio.create_task(answer)
    watch = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watch.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    if not work.cancelled():
        work.result()


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _only(method: str, allowed: str, handler: Handler) -> Handler:
    if method != allowed:
        raise MethodNotAllowed(f"This path takes {allowed}, not {method}.")
    return handler


def _shown(snapshot: Snapshot, api_key: ApiKey, name: str) -> dict[str, object]:
    """The owner is the first provider that the key may use."""
    model = snapshot.models[name]
    backends = [lane.backend for lane in snapshot.lanes.get(model.id, ()) if may_reach(api_key, lane.backend)]
    owner = backends[0].provider.name if backends else "gateway"
    return {"id": model.code, "object": "model", "created": model.created_at // 1000, "owned_by": owner}


def _route_header(target: Target) -> list[Header]:
    """Which rule chose the model, where one did."""
    return [(b"x-gateway-route", target.route.encode("latin-1", "replace"))] if target.route else []


def _id_headers(arrival: Arrival) -> list[Header]:
    """Our id always; as `x-request-id` the client's own where it sent a harmless one."""
    own = arrival.id.encode()
    echoed = passing.safe_request_id(arrival.header(b"x-request-id"))
    return [(b"x-request-id", echoed.encode() if echoed else own), (b"x-gateway-request-id", own)]


async def _send_error(send: Send, arrival: Arrival, error: GatewayError, more: Sequence[Header] = ()) -> None:
    body = arrival.family.body(error, arrival.id)
    headers = [*_id_headers(arrival), *passing.of_error(error), *more]
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", b"POST" if arrival.path == "/v1/chat/completions" else b"GET"))
    if error.status == 408:
        # Not at 413: closing with a body on its way resets the connection, and the client never reads why.
        headers.append((b"connection", b"close"))
    await _send_json(send, error.status, body, headers)


async def _send_json(send: Send, status: int, body: bytes, headers: Sequence[Header]) -> None:
    start = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
