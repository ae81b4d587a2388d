"""From a plan to a reply: try backends in order until one answers. Only this makes a Reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from gateway.clock import Clock
from gateway.errors import (
    BadInput,
    CredentialsExhausted,
    DeadlineExceeded,
    GatewayError,
    RateLimited,
    Unavailable,
    UpstreamFailed,
)
from gateway.hiding import hiding
from gateway.model.calls import Attempt, Skip
from gateway.model.registry import Endpoint, Provider
from gateway.proxy.aside import LARGE, aside
from gateway.proxy.attempt import Attempter, Left, OpenStream, Road, Timing, WholeAnswer
from gateway.proxy.call import Call, Trail
from gateway.routing import health
from gateway.routing.candidates import PRICE_UNKNOWN, Plan, plan_candidates, soonest_recovery
from gateway.routing.health import Claim, Ending, Verdict
from gateway.routing.permissions import NOT_PERMITTED
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Lane
from gateway.routing.world import Ask, World, skip

_LEAST_SECONDS = 0.3
_OVERLOADED = 529
_OK = Ending(Verdict.OK)
_OWN_FAILURES = frozenset({Verdict.FAILED, Verdict.REFUSED, Verdict.NOT_SERVED})
"""What ends a backend's right to a conversation. One at its limit is soon back, and its cache still warm."""
_BREAKER_REASONS = frozenset({"breaker_open", "breaker_trial"})
_LASTING_REASONS = frozenset({"out_of_quota", "quota_exhausted", "key_refused"})


class Finish(Protocol):
    """Ends an attempt: concludes the backend's health and writes the attempt down. `world` is now, where known."""

    def __call__(self, ending: Ending, status: int | None, world: World | None = None) -> None: ...


class Reply(msgspec.Struct, frozen=True):
    """An answer that may be relayed, and the attempt that it came from: `finish` ends that of a stream, exactly once.
    That of a whole answer has ended.
    """

    target: Target
    lane: Lane
    answer: WholeAnswer | OpenStream
    finish: Finish
    is_refusal: bool = False

    __repr__ = hiding("finish")


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
        journey = _Journey(call, target, plan.ask, trail, world, call.arrival.received + self._deadline_seconds)
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

    async def _try_all(self, journey: _Journey, lanes: Sequence[Lane]) -> Reply | None:
        for lane in lanes:
            # Before the first attempt the plan is all that is known.
            if journey.providers and not journey.allows(lane):
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

    async def _road(self, journey: _Journey, lane: Lane) -> Road | None:
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

    async def _try_one(self, journey: _Journey, road: Road, claimed: Claim) -> Reply | None:
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
            world = self._world()
            if len(journey.target.lanes) > 1:
                world.state.affinities.remember(journey.ask.conversation, lane.backend, world.now)
            journey.trail.answering, journey.trail.asking = claimed.grant, None
            if isinstance(left, WholeAnswer):
                finish(_OK, left.status, world)
                return Reply(journey.target, lane, left, _already_finished)
            health.answered(claimed, world)
            return Reply(journey.target, lane, left, finish)
        if not left.is_sent:
            health.not_sent(claimed, self._world())
        finish(left.ending, left.status)
        journey.trail.asking = None
        return journey.leave(lane, left)

    def _pays_for(self, journey: _Journey, claimed: Claim, world: World) -> bool:
        """The first try of a call is free; a further one needs the retry budget, or its place is given back."""
        budget = world.state.retry_budget
        if not journey.providers:
            budget.first_try(world.now)
            return True
        if budget.take(world.now):
            return True
        health.not_sent(claimed, world)
        health.conclude(claimed, Ending(Verdict.ABANDONED), world, self._clock.wall_ms())
        sentence = "Too many calls are being tried again right now, so this one was not."
        journey.trail.skip(skip(claimed.backend, "retry_budget", sentence))
        return False

    def _give_up(self, journey: _Journey) -> Reply:
        """A provider's own refusal of the request, where there was one; else raises what to tell the client."""
        if journey.last_refusal is not None:
            return journey.last_refusal
        raise journey.error(plan_candidates(journey.target.lanes, journey.ask, self._world()).skips)

    def _wait_for_first(self, journey: _Journey, lane: Lane, left: float) -> float:
        """Seconds until its first output, of those that are left for the call."""
        endpoint = lane.backend.endpoint
        # Without a stream the first byte comes after the last token, so that the whole attempt's bound holds.
        own = endpoint.first_byte_seconds if journey.call.request.is_stream else endpoint.timeout_seconds
        return min(own, endpoint.timeout_seconds, left)

    def _finisher(self, journey: _Journey, lane: Lane, claimed: Claim, timing: Timing) -> Finish:
        number = journey.started(lane)

        def finish(ending: Ending, status: int | None, world: World | None = None) -> None:
            world = world or self._world()
            if ending.verdict in _OWN_FAILURES:
                world.state.affinities.forget(journey.ask.conversation, lane.backend.id)
            rest = health.conclude(claimed, ending, world, world.wall_ms, timing.first_output_ms)
            journey.trail.attempts.append(
                Attempt(
                    number=number,
                    backend_id=lane.backend.id,
                    backend=lane.backend.name,
                    pool=lane.backend.pool.name,
                    upstream_model=lane.upstream_name,
                    started_ms=round((timing.started - journey.call.arrival.received) * 1000),
                    headers_ms=timing.headers_ms,
                    first_output_ms=timing.first_output_ms,
                    total_ms=round((world.now - timing.started) * 1000),
                    outcome=ending.verdict.text,
                    status=status,
                    error=ending.reason,
                    rest_ms=None if rest is None else round(rest * 1000),
                    api_format=lane.backend.endpoint.api_format.text,
                )
            )

        return finish

    def _plan_rest(self, journey: _Journey) -> Plan:
        """What could still be tried for this call now."""
        return plan_candidates(
            [lane for lane in journey.target.lanes if journey.allows(lane)], journey.ask, self._world()
        )

    def _wait_seconds(self, journey: _Journey, skips: Sequence[Skip]) -> float | None:
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


class _Journey(msgspec.Struct):
    """One call on its way through the backends: what was tried, what may still be."""

    call: Call
    target: Target
    ask: Ask
    trail: Trail
    world: World
    deadline: float
    last_refusal: Reply | None = None
    untranslatable: BadInput | None = None
    tried: set[str] = set()
    unserved: set[tuple[str, str]] = set()
    per_pool: dict[str, int] = {}
    per_owner: dict[str, int] = {}
    too_small: int | None = None
    lefts: list[Left] = []
    providers: list[str] = []
    _waiting_since: float | None = None
    _count: int = 0

    def allows(self, lane: Lane) -> bool:
        """Not one that said it cannot serve this, nor the same again, nor one more than the attempts that pool,
        provider and endpoint allow; where the context was too long, only one that takes a longer one.
        """
        backend = lane.backend
        if backend.id in self.tried or (backend.endpoint.id, lane.upstream_name) in self.unserved:
            return False
        if self.too_small is not None and lane.context <= self.too_small:
            return False
        if self.per_pool.get(backend.pool.id, 0) >= backend.pool.max_attempts:
            return False
        return self._has_retries(backend.provider) and self._has_retries(backend.endpoint)

    def _has_retries(self, owner: Provider | Endpoint) -> bool:
        return owner.max_retries is None or self.per_owner.get(owner.id, 0) <= owner.max_retries

    @property
    def is_just_planned(self) -> bool:
        """Whether nothing was waited for since the plan was made in its `world`; its first lane is as free as then."""
        return not (self._count or self.lefts or self.ask.is_metered or self.call.size >= LARGE)

    def next_claim_id(self) -> str:
        self._count += 1
        return f"{self.call.id}.{self._count}"

    def started(self, lane: Lane) -> int:
        """The number of this attempt, from 1."""
        backend = lane.backend
        self.per_pool[backend.pool.id] = self.per_pool.get(backend.pool.id, 0) + 1
        for owner in (backend.provider.id, backend.endpoint.id):
            self.per_owner[owner] = self.per_owner.get(owner, 0) + 1
        self.providers.append(lane.backend.provider.name)
        return len(self.providers)

    def leave(self, lane: Lane, left: Left) -> Reply | None:
        """Take note of a failed attempt; the client's own fault is a reply that ends the journey."""
        self.lefts.append(left)
        if left.ending.verdict is Verdict.LIMITED:
            # It may be asked again once it has rested, if this call waits for it.
            return None
        self.tried.add(lane.backend.id)
        if left.is_too_long:
            self.too_small = max(lane.context, self.too_small or 0)
        if left.answer is not None:
            # The same endpoint under another key would say the same.
            self.unserved.add((lane.backend.endpoint.id, lane.upstream_name))
            refusal = Reply(self.target, lane, left.answer, _already_finished, is_refusal=True)
            if left.ending.verdict is Verdict.CLIENT_FAULT:
                return refusal
            self.last_refusal = refusal
        return None

    def waits_since(self, now: float) -> float:
        """When this call began to wait: its patience is for all its waits together."""
        if self._waiting_since is None:
            self._waiting_since = now
        return self._waiting_since

    def error(self, skips: Sequence[Skip]) -> GatewayError:
        """What to tell the client when nothing answered and nothing will soon. `skips` are of all its backends."""
        skips = [found for found in skips if found.reason != NOT_PERMITTED]
        if self.untranslatable is not None and not self.lefts and not any(found.seconds is not None for found in skips):
            return self.untranslatable
        unable = [found for found in skips if found.reason == "capability_missing"]
        if unable and not self.lefts and all(found.seconds is None for found in skips):
            return self._nothing_able(unable)
        verdicts = {left.ending.verdict for left in self.lefts}
        resting = [found for found in skips if found.seconds is not None]
        if verdicts <= {Verdict.REFUSED} and {found.reason for found in resting} == {"key_refused"}:
            provider = resting[0].backend.partition("/")[0]
            return CredentialsExhausted(
                f"Provider {provider} refused the gateway's key; the operator must renew it.", retryable=False
            )
        is_free_again = bool(self.lefts) and not resting
        if verdicts <= {Verdict.LIMITED} and (
            is_free_again or any(found.reason not in _BREAKER_REASONS for found in resting)
        ):
            return self._all_limited(resting)
        if not self.lefts and skips and all(found.reason == PRICE_UNKNOWN for found in skips):
            return self._no_price(skips)
        if self.lefts:
            return self._attempts_failed()
        reasons = "; ".join(f"{found.backend}: {found.sentence}" for found in skips[:3])
        return Unavailable(
            f"No backend of '{self.call.request.model}' can be used now. {reasons}",
            retry_after=soonest_recovery(resting),
        )

    def _nothing_able(self, skips: Sequence[Skip]) -> GatewayError:
        return BadInput(
            f"No backend of '{self.call.request.model}' can do what this call asks for. "
            f"{skips[0].backend}: {skips[0].sentence}",
            code="capability_missing",
            retryable=False,
        )

    def _no_price(self, skips: Sequence[Skip]) -> GatewayError:
        return Unavailable(
            f"'{self.call.request.model}' has no price, and money is limited here, so it cannot be served: "
            f"{skips[0].sentence}",
            code="price_unknown",
            retryable=False,
        )

    def _all_limited(self, resting: Sequence[Skip]) -> GatewayError:
        soonest = soonest_recovery(resting) or 0.0
        is_passing = not resting or any(found.reason not in _LASTING_REASONS for found in resting)
        return RateLimited(
            f"Every backend of '{self.call.request.model}' is at its provider's limit. "
            f"The first one is free again in {soonest:.1f} s.",
            retry_after=soonest,
            retryable=is_passing,
        )

    def _attempts_failed(self) -> GatewayError:
        last, provider = self.lefts[-1], self.providers[-1]
        if last.is_timeout:
            return DeadlineExceeded(f"Provider {provider} gave {last.ending.reason}.", retryable=True)
        if last.status == _OVERLOADED:
            return Unavailable(f"Provider {provider} is overloaded: {last.ending.reason}.", retryable=True)
        return UpstreamFailed(
            f"No backend answered after {len(self.lefts)} tries. Provider {provider}: {last.ending.reason}.",
            retryable=True,
        )


def _already_finished(ending: Ending, status: int | None, world: World | None = None) -> None:
    """What is whole was concluded when it came."""
