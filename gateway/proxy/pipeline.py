"""The path of a call, whole: resolve, admit, plan, forward, relay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.errors import RateLimited
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.proxy.call import Call, Trail
from gateway.proxy.forward import Forwarder
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Settler
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.explain import explain
from gateway.routing.resolve import Target, resolve
from gateway.routing.snapshot import Snapshot
from gateway.routing.world import Ask, World


class Pipeline:
    """Each step takes a value and returns the next; nothing is awaited but the provider."""

    def __init__(
        self, snapshot: Callable[[], Snapshot], world: Callable[[], World], forwarder: Forwarder, settler: Settler
    ) -> None:
        self._snapshot = snapshot
        self._world = world
        self._forwarder = forwarder
        self._settler = settler

    async def serve(self, call: Call, trail: Trail) -> Relay:
        """Raises a GatewayError where the call is refused or nothing answers; `trail` tells how far it came."""
        world = self._world()
        target = resolve(self._snapshot(), call.api_key, call.request.model)
        admit(call.api_key, world)
        plan = plan_of(call, target, world)
        trail.skip(*plan.skips)
        reply = await self._forwarder.forward(call, target, plan, trail)
        return Relay(call, reply, partial(self._settler.settle, call, trail, reply))

    def explain(self, call: Call) -> dict[str, object]:
        """Where `serve` would send this call now. Nothing is sent, nothing is taken. Raises ModelNotFound."""
        target = resolve(self._snapshot(), call.api_key, call.request.model)
        return explain(target, plan_of(call, target, self._world()))


def plan_of(call: Call, target: Target, world: World) -> Plan:
    """The order in which the target's backends would be tried for this call now."""
    ask = Ask(call.api_key, ApiFormat.OPENAI_CHAT, target.model, seed=world.rng.getrandbits(32))
    return plan_candidates(target.lanes, ask, world)


def admit(api_key: ApiKey, world: World) -> None:
    """Take one request from the API key's own limit. Raises RateLimited, having taken nothing."""
    bucket = world.state.api_key_bucket(api_key.id, api_key.rpm_limit, world.now)
    if bucket is not None and not bucket.take(world.now):
        raise RateLimited(
            f"This API key's limit of {bucket.per_minute} requests per minute is used up.",
            retry_after=bucket.seconds_until_one(world.now),
            retryable=bucket.per_minute > 0,
        )
