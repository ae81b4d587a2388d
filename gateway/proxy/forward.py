"""From a plan to a reply: try backends in order until one answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.errors import (
    BadInput,
    DeadlineExceeded,
)
from gateway.model.calls import Attempt, Skip
from gateway.proxy.aside import LARGE, aside
from gateway.proxy.attempt import Attempter, Left, OpenStream, Road, Timing, WholeAnswer
from gateway.proxy.call import Call, Trail
from gateway.proxy.journey import Finish, Journey, Reply
from gateway.routing import health
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.health import Claim, Ending, Verdict
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Lane
from gateway.routing.world import World, skip

_LEAST_SECONDS = 0.3
_OWN_FAILURES = frozenset({Verdict.FAILED, Verdict.REFUSED, Verdict.NOT_SERVED})
"""What ends a backend's right to a conversation. One at its limit is soon back, and its cache still warm."""


class Forwarder:
    """Tries lanes one after the other. `world` gives what decisions look at, as of now."""

    def __init__(self, attempter: Attempter, world: Callable[[], World], clock: Clock, deadline_seconds: float) -> None:
        self._attempter = attempter
        self._world = world
        self._clock = clock
        self._deadline_seconds = deadline_seconds

    async def forward(self, call: Call, target: Target, plan: Plan, trail: Trail, world: World) -> Reply:
        """The first backend's reply. Raises a GatewayError that says who limited or failed. `world` is the plan's.

        Where every backend rests and one recovers soon enough, wait for it and plan again.
        """
        journey = Journey(call, target, plan.ask, trail, world, call.arrival.received + self._deadline_seconds)
        while True:
            reply = await self._try_all(journey, plan.lanes)
            if reply is not None:
                return reply
            plan = self._plan_rest(journey)
            trail.skip(*plan.skips)
            if not plan.lanes and health.try_early(plan.skips, self._world()):
                plan = self._plan_rest(journey)
            if plan.lanes:
                continue
            wait = self._wait_seconds(journey, plan.skips)
            if wait is None:
                return self._give_up(journey)
            await asyncio.sleep(wait)
            plan = self._plan_rest(journey)

    async def _try_all(self, journey: Journey, lanes: Sequence[Lane]) -> Reply | None:
        for lane in lanes:
            # Before the first attempt the plan is all that is known.
            if journey.asked and not journey.allows(lane):
                continue
            if journey.deadline - self._clock.mono() < _LEAST_SECONDS:
                raise DeadlineExceeded("No backend answered before this call's deadline.", retryable=True)
            road = await self._road(journey, lane)
            if road is None:
                continue
            is_fresh = journey.is_just_planned
            world = journey.world if is_fresh else self._world()
            claimed = health.claim(lane, journey.ask, journey.next_claim_id(), world, is_free=is_fresh)
            if isinstance(claimed, Skip):
                journey.trail.skip(claimed)
                continue
            if not self._pays_for(journey, claimed, world):
                return self._give_up(journey)
            reply = await self._try_one(journey, road, claimed)
            if reply is not None:
                return reply
        return None

    async def _road(self, journey: Journey, lane: Lane) -> Road | None:
        """How the call goes there; None, with the reason in the trail, where that endpoint's format cannot say it."""
        try:
            if journey.call.size < LARGE:
                return self._attempter.road(journey.call, lane)
            return await aside(self._attempter.road, journey.call, lane)
        except BadInput as error:
            journey.tried.add(lane.backend.id)
            journey.untranslatable = journey.untranslatable or error
            journey.trail.skip(skip(lane.backend, "not_translatable", error.message))
            return None

    async def _try_one(self, journey: Journey, road: Road, claimed: Claim) -> Reply | None:
        """One attempt, and its end written down unless it is a reply that is still to be relayed."""
        lane = road.lane
        timing = Timing(self._clock.mono())
        if journey.trail.sent_at is None:
            journey.trail.sent_at = timing.started
        finish = self._finisher(journey, lane, claimed, timing)
        left: WholeAnswer | OpenStream | Left | None = None
        journey.trail.asking = lane
        try:
            seconds = max(0.0, journey.deadline - timing.started)
            wait = self._wait_for_first(journey, lane, seconds)
            left = await self._attempter.attempt(journey.call, road, timing, wait, seconds)
        finally:
            if left is None:
                finish(Ending(Verdict.ABANDONED, "the client left"), None)
        if not isinstance(left, Left):
            if len(journey.target.lanes) > 1:
                world = self._world()
                world.state.affinities.remember(journey.ask.conversation, lane.backend, world.now)
            journey.trail.answering, journey.trail.asking = claimed.grant, None
            if isinstance(left, OpenStream):
                health.answered(claimed, self._world())
            return Reply(journey.target, lane, left, finish)
        if not left.is_sent:
            health.not_sent(claimed, self._world())
        finish(left.ending, left.status)
        journey.trail.asking = None
        return journey.leave(lane, left)

    def _pays_for(self, journey: Journey, claimed: Claim, world: World) -> bool:
        """The first try of a call is free; a further one needs the retry budget, or its place is given back."""
        budget = world.state.retry_budget
        if not journey.asked:
            budget.first_try(world.now)
            return True
        if budget.take(world.now):
            return True
        health.not_sent(claimed, world)
        health.conclude(claimed, Ending(Verdict.ABANDONED), world, self._clock.wall_ms())
        sentence = "Too many calls are being tried again right now, so this one was not."
        journey.trail.skip(skip(claimed.backend, "retry_budget", sentence))
        return False

    def _give_up(self, journey: Journey) -> Reply:
        """A provider's own refusal of the request, where there was one; else raises what to tell the client."""
        if journey.last_refusal is not None:
            return journey.last_refusal
        raise journey.error(plan_candidates(journey.target.lanes, journey.ask, self._world()).skips)

    def _wait_for_first(self, journey: Journey, lane: Lane, left: float) -> float:
        """Seconds until its first output, of those that are left for the call."""
        endpoint = lane.backend.endpoint
        # Without a stream the first byte comes after the last token, so that the whole attempt's bound holds.
        own = endpoint.first_byte_seconds if journey.call.request.is_stream else endpoint.timeout_seconds
        return min(own, endpoint.timeout_seconds, left)

    def _finisher(self, journey: Journey, lane: Lane, claimed: Claim, timing: Timing) -> Finish:
        number, there = journey.started(lane), lane.backend.written

        def finish(ending: Ending, status: int | None) -> None:
            world = self._world()
            if ending.verdict in _OWN_FAILURES:
                world.state.affinities.forget(journey.ask.conversation, lane.backend.id)
            rest = health.conclude(claimed, ending, world, world.wall_ms, timing.first_output_ms)
            journey.trail.attempts.append(
                Attempt(
                    number=number,
                    backend_id=lane.backend.id,
                    backend=there.backend,
                    pool=there.pool,
                    upstream_model=lane.upstream_name,
                    started_ms=round((timing.started - journey.call.arrival.received) * 1000),
                    headers_ms=timing.headers_ms,
                    first_output_ms=timing.first_output_ms,
                    total_ms=round((world.now - timing.started) * 1000),
                    outcome=ending.verdict.text,
                    status=status,
                    error=ending.reason,
                    rest_ms=None if rest is None else round(rest * 1000),
                    api_format=there.upstream_format,
                )
            )

        return finish

    def _plan_rest(self, journey: Journey) -> Plan:
        """What could still be tried for this call now."""
        journey.world = self._world()
        return plan_candidates(
            [lane for lane in journey.target.lanes if journey.allows(lane)], journey.ask, journey.world
        )

    def _wait_seconds(self, journey: Journey, skips: Sequence[Skip]) -> float | None:
        """Until the first backend recovers, where its pool lets a call wait that long; None otherwise."""
        waits = {lane.backend.id: lane.backend.pool.wait_seconds for lane in journey.target.lanes}
        now = self._clock.mono()
        since = journey.waits_since(now)
        left = [
            found.seconds
            for found in skips
            if found.seconds is not None
            and now + found.seconds - since <= waits[found.backend_id]
            and now + found.seconds < journey.deadline - _LEAST_SECONDS
        ]
        return min(left) + 0.001 if left else None
