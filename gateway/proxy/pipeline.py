"""The path of a call, whole: resolve, admit, plan, forward, relay."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.formats import chat_facts
from gateway.model.people import User
from gateway.model.registry import ApiFormat
from gateway.proxy import headers as passing
from gateway.proxy.call import Call, Trail
from gateway.proxy.forward import Forwarder
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Settler
from gateway.routing import limits
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.explain import Explanation, explain
from gateway.routing.order import take_turn
from gateway.routing.owners import of_caller
from gateway.routing.permissions import require_format
from gateway.routing.requirements import HEADER as REQUIRE
from gateway.routing.requirements import wanted
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
        target = trail.target = self._target(call)
        owner = self._owner(call)
        trail.admitted = limits.admit(call.api_key, owner, tokens_of(call), world)
        plan = trail.plan = plan_of(call, owner, target, world)
        take_turn(plan.ask, world)
        trail.skip(*plan.skips)
        reply = await self._forwarder.forward(call, target, plan, trail)
        return Relay(call, reply, partial(self._settler.settle, call, trail, reply))

    def explain(self, call: Call) -> Explanation:
        """Where `serve` would send this call now. Nothing is sent, nothing is taken. Raises what `serve` would.

        A client is told nothing of backends that it may not use.
        """
        target = self._target(call)
        return explain(target, plan_of(call, self._owner(call), target, self._world())).for_caller()

    def _target(self, call: Call) -> Target:
        require_format(call.api_key, ApiFormat.OPENAI_CHAT)
        return resolve(self._snapshot(), call.api_key, call.request.model, passing.purpose_of(call.arrival.headers))

    def _owner(self, call: Call) -> User | None:
        return self._snapshot().users.get(call.api_key.user_id or "")


def plan_of(call: Call, owner: User | None, target: Target, world: World) -> Plan:
    """The order in which the target's backends would be tried for this call now."""
    headers, api_key = call.arrival.headers, call.api_key
    required = passing.joined(headers, REQUIRE.encode())
    ask = Ask(
        api_key=api_key,
        api_format=ApiFormat.OPENAI_CHAT,
        model=target.model,
        tokens=tokens_of(call),
        wanted=wanted(
            of_caller(api_key, owner, target.model), required, chat_facts.capabilities_of(call.request), target.lanes
        ),
        session=chat_facts.session_of(call.request, passing.session_of(headers)),
        seed=world.rng.getrandbits(32),
        turn=world.state.turns.get(target.model, 0),
    )
    return plan_candidates(target.lanes, ask, world)


def tokens_of(call: Call) -> int:
    """What is reserved of tokens per minute: four bytes of messages a token. What was used is settled later."""
    return -(-len(bytes(call.request.fields["messages"])) // 4)
