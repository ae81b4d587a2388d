"""The path of a call, whole: resolve, plan, admit, forward, relay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from gateway.errors import BadInput
from gateway.formats.request import Facts, Request
from gateway.formats.table import FORMATS
from gateway.model.calls import Reservation
from gateway.model.people import User
from gateway.proxy.aside import LARGE, aside
from gateway.proxy.call import Call, Trail
from gateway.proxy.captures import most_kept
from gateway.proxy.forward import Forwarder
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Settler
from gateway.routing import budgets
from gateway.routing.budgets import Admission
from gateway.routing.candidates import Plan, plan_sifted
from gateway.routing.explain import Explanation, explain
from gateway.routing.order import take_turn
from gateway.routing.outlook import Outlook, Outlooks, Question
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Snapshot
from gateway.routing.world import Ask, World


class Pipeline:
    """Each step takes a value and returns the next.

    Nothing is awaited but the provider, work on a large body and, where a limit of money holds, the row that says what
    the call may cost.
    """

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        world: Callable[[], World],
        forwarder: Forwarder,
        settler: Settler,
        reserve: Callable[[Reservation], Awaitable[None]],
    ) -> None:
        self._snapshot = snapshot
        self.outlooks = Outlooks(snapshot)
        self._world = world
        self._forwarder = forwarder
        self._settler = settler
        self._reserve = reserve

    async def serve(self, call: Call, trail: Trail) -> Relay:
        """Raises a GatewayError where the call is refused or nothing answers; `trail` tells how far it came."""
        settings = self._snapshot().settings
        trail.kept.most = most_kept(settings)
        outlook = self._outlook(call)
        target = trail.target = outlook.target
        about = call, settings.default_output_tokens, outlook.has_choice
        facts = facts_of(*about) if call.size < LARGE else await aside(facts_of, *about)
        world = self._world()
        plan = trail.plan = plan_of(call, outlook, world, facts)
        admission = budgets.admit(plan.ask, outlook.caller, target.lanes, world)
        trail.admitted, trail.hold = admission.grant, admission.hold
        if not plan.lanes:
            require_endpoint(call.request, target, plan)
        take_turn(plan.ask, world)
        if plan.skips:
            trail.skip(*plan.skips)
        if plan.ask.is_metered:
            trail.was_reserved = True
            await self._reserve(reservation_of(call, outlook.caller.owner, target, plan.ask, admission))
        reply = await self._forwarder.forward(call, target, plan, trail, world)
        return Relay(call, reply, partial(self._settler.settle, call, trail, reply), trail.kept)

    def explain(self, call: Call) -> Explanation:
        """Where `serve` would send this call now. Nothing is sent, nothing is taken. Raises what `serve` would.

        A client is told nothing of backends that it may not use.
        """
        outlook = self._outlook(call)
        default_output = self._snapshot().settings.default_output_tokens
        plan = plan_of(call, outlook, self._world(), facts_of(call, default_output, outlook.has_choice))
        require_endpoint(call.request, outlook.target, plan)
        return explain(outlook.target, plan).for_caller()

    def _outlook(self, call: Call) -> Outlook:
        request = call.request
        question = Question(request.api_format, request.model, request.action, call.arrival.said.purpose)
        found = self.outlooks.of(call.api_key, question)
        return found.pinned(call.pinned) if call.pinned else found


def plan_of(call: Call, outlook: Outlook, world: World, facts: Facts) -> Plan:
    """The order in which the target's backends would be tried for this call now. Raises BadInput."""
    target, caller = outlook.target, outlook.caller
    fitting = outlook.fitting(call.arrival.said.required, facts.capabilities, world)
    ask = Ask(
        api_key=caller.api_key,
        api_format=outlook.api_format,
        model=target.model,
        tokens=facts.tokens,
        wanted=fitting.wanted,
        session=facts.session,
        seed=world.rng.getrandbits(32),
        turn=world.state.turns.get(target.model, 0),
        most_input=facts.most_input,
        most_output=facts.most_output,
        is_metered=bool(caller.money),
        stays=outlook.stays,
    )
    return plan_sifted(fitting.lanes, ask, world)


def facts_of(call: Call, default_output: int, wants_session: bool) -> Facts:  # noqa: FBT001
    """What routing reads of the call's body. Raises BadInput for limits that are none.

    `default_output` tokens are what an answer may have of which the call does not say how long it may be.
    """
    row = FORMATS[call.request.api_format]
    facts = row.facts(call.request, default_output, call.arrival.said.session if wants_session else None)
    if call.request.action in row.free:
        return Facts(capabilities=facts.capabilities, session=facts.session)
    return facts


def require_endpoint(request: Request, target: Target, plan: Plan) -> None:
    """Raises BadInput where not one of the target's backends can say what the call says."""
    if plan.lanes or plan.skips:
        return
    raise BadInput(
        f"No backend of '{target.model}' speaks {request.api_format}. The operator of this gateway can add an "
        "endpoint of that API format to one of the model's providers.",
        param="model",
        code="format_not_served",
        retryable=False,
    )


def reservation_of(call: Call, owner: User | None, target: Target, ask: Ask, admission: Admission) -> Reservation:
    """What is written down of a call before it is sent."""
    dearest, arrival = admission.dearest, call.arrival
    most_input = ask.most_input if dearest is None else budgets.most_input_at(ask, dearest)
    table = None if dearest is None else dearest.price
    return Reservation(
        call_id=call.id,
        started_at=arrival.started_at,
        charged_at=admission.hold.charged_at,
        api_key_id=call.api_key.id,
        api_key_name=call.api_key.name,
        user_id=call.api_key.user_id,
        user_name=owner.username if owner else "",
        api_format=ask.api_format.text,
        path=arrival.path,
        asked_model=call.request.model,
        served_model=target.model,
        is_stream=call.request.is_stream,
        source=call.source,
        config_version=target.config_version,
        client_ip=arrival.client_ip,
        input_tokens=most_input,
        output_tokens=ask.most_output,
        price=None if table is None else table.at(most_input),
        reserved_nano=admission.hold.reserved,
        price_origin="" if table is None else table.origin,
    )
