"""What an attempt's end does to its backend: rests, streaks, faults. The one place that changes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from gateway.model.calls import Skip
from gateway.model.registry import Pool
from gateway.routing.candidates import why_not
from gateway.routing.rate_limits import QUOTA_REST_SECONDS, LimitClass, Limited
from gateway.routing.snapshot import Backend, Lane
from gateway.routing.state import BackendState, RestKind, RuntimeState
from gateway.routing.world import Ask, World

_REFUSED_BASE_SECONDS = 60.0
_REFUSED_CAP_SECONDS = 3600.0
_CONCURRENCY_REST_SECONDS = 1.0


class Verdict(StrEnum):
    """How an attempt ended, as far as its backend's health goes."""

    OK = "ok"
    LIMITED = "rate_limited"
    REFUSED = "credentials_refused"
    FAILED = "failed"
    CLIENT_FAULT = "client_fault"
    NOT_SERVED = "not_served"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Ending:
    """The verdict with its reason in words; `limited` only with LIMITED."""

    verdict: Verdict
    reason: str = ""
    limited: Limited | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A place at a backend: a token, one of the calls in flight and, after a rest, the one probe."""

    id: str
    lane: Lane
    ask: Ask

    @property
    def backend(self) -> Backend:
        return self.lane.backend


def claim(lane: Lane, ask: Ask, claim_id: str, world: World) -> Claim | Skip:
    """Take a place, or say why not; then nothing is taken. `claim_id` is unique to the attempt."""
    backend = lane.backend
    reason = why_not(lane, ask, world)
    if reason is not None:
        return reason
    bucket = world.state.bucket(backend, world.now)
    if bucket is not None:
        bucket.take(world.now)  # why_not has just seen one in it
    state = world.state.of(backend.id)
    if state.needs_probe:
        state.probe_holder = claim_id
    state.breaker.admit(claim_id, world.now)
    state.in_flight += 1
    return Claim(claim_id, lane, ask)


def not_sent(claimed: Claim, state: RuntimeState) -> None:
    """The request of this claim never left: its token goes back."""
    found = state.backends.get(claimed.backend.id)
    if found is not None and found.bucket is not None:
        found.bucket.give_back()


def answered(claimed: Claim, world: World) -> None:
    """The backend spoke to us and is not limited: its streak ends, and so does the wait of the others for a probe.

    Called at the first real output, so that nobody waits for the end of a long stream.
    """
    state = world.state.backends.get(claimed.backend.id)
    if state is None:
        return  # deleted meanwhile
    _release_probe(claimed, state)
    if state.seconds_left(world.now) > 0:
        return  # limited meanwhile by a later call; this older answer changes nothing
    if state.streak or state.needs_probe:
        world.state.dirty.add(claimed.backend.id)
    state.needs_probe = False
    state.streak = 0
    state.resting_until = 0.0
    state.rest_reason = ""


def conclude(claimed: Claim, ending: Ending, world: World, wall_ms: int) -> float | None:
    """End what `claim` began, exactly once. The seconds of rest that the backend got, or None."""
    backend = claimed.backend
    state = world.state.backends.get(backend.id)
    if state is None:
        return None  # deleted meanwhile
    state.in_flight -= 1
    _release_probe(claimed, state)
    _note_result(claimed, state, ending, world)
    if ending.verdict is Verdict.ABANDONED:
        return None
    if ending.verdict in (Verdict.OK, Verdict.CLIENT_FAULT, Verdict.NOT_SERVED):
        answered(claimed, world)
        if ending.verdict is Verdict.OK:
            _succeeded(backend, world)
        return None
    state.failures += 1
    state.fault, state.fault_at_ms = ending.reason[:300], wall_ms
    world.state.dirty.add(backend.id)
    # No call is sent while a backend rests, so one that ends now was sent before: it tells of the same limit, not
    # of a further one. Twenty calls refused in one moment are one limit.
    is_echo = state.seconds_left(world.now) > 0
    consecutive = max(state.streak, 1) if is_echo else state.streak + 1
    seconds = rest_for(backend.pool, ending, consecutive, world.rng)
    if seconds is not None:
        state.streak = consecutive
        state.rest(world.now + seconds, ending.reason[:300], _rest_kind(ending))
    return seconds


def rest_for(pool: Pool, ending: Ending, consecutive: int, rng: Random) -> float | None:
    """Seconds of rest after the n-th consecutive such ending; None where it earns none."""
    if ending.verdict is Verdict.REFUSED:
        return float(min(_REFUSED_BASE_SECONDS * 2 ** min(consecutive - 1, 16), _REFUSED_CAP_SECONDS))
    if ending.verdict is not Verdict.LIMITED or ending.limited is None:
        return None
    limited = ending.limited
    if limited.limit_class is LimitClass.QUOTA:
        return max(limited.seconds or 0.0, QUOTA_REST_SECONDS)
    if limited.seconds is not None:
        return limited.seconds
    if limited.limit_class is LimitClass.CONCURRENCY:
        return _CONCURRENCY_REST_SECONDS
    return backoff(pool, consecutive, rng)


def backoff(pool: Pool, consecutive: int, rng: Random) -> float:
    """base × factor^(consecutive - 1), jittered by ± the pool's share, capped."""
    try:
        grown = pool.cooldown_base_seconds * pool.cooldown_factor ** (consecutive - 1)
    except OverflowError:
        grown = pool.cooldown_cap_seconds
    jittered = min(grown, pool.cooldown_cap_seconds) * (1 + pool.cooldown_jitter * (2 * rng.random() - 1))
    return min(jittered, pool.cooldown_cap_seconds)


def _note_result(claimed: Claim, state: BackendState, ending: Ending, world: World) -> None:
    """Tell the breaker what speaks of health: not limits, not a client's fault, not a client that left."""
    if ending.verdict is Verdict.OK or ending.verdict in (Verdict.FAILED, Verdict.REFUSED):
        succeeded = ending.verdict is Verdict.OK
        if state.breaker.record(claimed.id, succeeded=succeeded, now=world.now):
            world.state.dirty.add(claimed.backend.id)
    else:
        state.breaker.abandon(claimed.id)


def _rest_kind(ending: Ending) -> RestKind:
    if ending.verdict is Verdict.REFUSED:
        return RestKind.REFUSED
    is_quota = ending.limited is not None and ending.limited.limit_class is LimitClass.QUOTA
    return RestKind.QUOTA if is_quota else RestKind.LIMITED


def _release_probe(claimed: Claim, state: BackendState) -> None:
    if state.probe_holder == claimed.id:
        state.probe_holder = ""


def _succeeded(backend: Backend, world: World) -> None:
    state = world.state.of(backend.id)
    state.successes += 1
    if state.fault and state.seconds_left(world.now) == 0:
        state.fault, state.fault_at_ms = "", None
        world.state.dirty.add(backend.id)
