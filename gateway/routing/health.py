"""What an attempt's end does to its backend: rests, streaks, faults. The one place that changes them."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import msgspec

from gateway.model.calls import Skip
from gateway.model.registry import Pool
from gateway.model.words import Word
from gateway.routing import limits
from gateway.routing.breaker import BreakerState
from gateway.routing.candidates import BREAKER_OPEN, why_not
from gateway.routing.limits import Grant
from gateway.routing.rate_limits import QUOTA_REST_SECONDS, LimitClass, Limited
from gateway.routing.snapshot import Backend, Lane
from gateway.routing.state import BackendState, RestKind
from gateway.routing.world import Ask, World

_REFUSED_BASE_SECONDS = 60.0
_REFUSED_CAP_SECONDS = 3600.0
_CONCURRENCY_REST_SECONDS = 1.0
_SUCCESSES_PER_PLACE = 20
_LARGEST_ALLOWANCE = 100
_SCORE_SHARE = 0.1
_LATENCY_SHARE = 0.2


class Verdict(Word):
    """How an attempt ended, as far as its backend's health goes."""

    OK = "ok"
    LIMITED = "rate_limited"
    REFUSED = "credentials_refused"
    FAILED = "failed"
    CLIENT_FAULT = "client_fault"
    NOT_SERVED = "not_served"
    ABANDONED = "abandoned"


# Looked up once: see the breaker's.
_OK, _ABANDONED, _CLOSED = Verdict.OK, Verdict.ABANDONED, BreakerState.CLOSED
_OF_SERVICE = frozenset({Verdict.OK, Verdict.CLIENT_FAULT, Verdict.NOT_SERVED})
_OF_HEALTH = frozenset({Verdict.OK, Verdict.FAILED, Verdict.REFUSED})


class Ending(msgspec.Struct, frozen=True):
    """The verdict with its reason in words; `limited` only with LIMITED."""

    verdict: Verdict
    reason: str = ""
    limited: Limited | None = None


class Claim(msgspec.Struct, frozen=True):
    """A place at a backend: what it took of limits, one of the calls in flight and, after a rest, the one probe."""

    id: str
    lane: Lane
    ask: Ask
    grant: Grant = Grant()

    @property
    def backend(self) -> Backend:
        return self.lane.backend


def claim(lane: Lane, ask: Ask, claim_id: str, world: World, *, is_free: bool = False) -> Claim | Skip:
    """Take a place, or say why not; then nothing is taken. `claim_id` is unique to the attempt.

    `is_free`: that it could be sent there was found out just now, and nobody had a turn since.
    """
    backend = lane.backend
    if not is_free and (reason := why_not(lane, ask, world)) is not None:
        return reason
    grant = limits.take(lane, ask, world)
    state = world.state.backends.get(backend.id) or world.state.of(backend.id)
    if state.needs_probe:
        state.probe_holder = claim_id
    rests = world.state.endpoint_rests
    if rests and (endpoint := rests.get(backend.endpoint.base_url)) is not None and endpoint.needs_probe:
        endpoint.probe_holder = claim_id
    if state.breaker.state is not _CLOSED:
        state.breaker.admit(claim_id, world.now)
    state.in_flight += 1
    return Claim(claim_id, lane, ask, grant)


def try_early(skips: Iterable[Skip], world: World) -> bool:
    """Where all backends of a call are skipped, have the open circuit that is the nearest to its end tried before.

    Without it an outage of everything would outlast its cause by as long as the circuits stay open.
    """
    still_open = [found for found in skips if found.reason == BREAKER_OPEN]
    still_open.sort(key=lambda found: found.seconds or 0.0)
    return any(world.state.of(found.backend_id).breaker.try_early(world.now) for found in still_open)


def not_sent(claimed: Claim, world: World) -> None:
    """The request of this claim never left: what it took of requests goes back."""
    limits.give_back(claimed.grant, world.state)
    learned = world.state.learned.get(claimed.lane.backend.key.id)
    if learned is not None:
        learned.sent(world.now, -1)


def answered(claimed: Claim, world: World) -> None:
    """The backend spoke to us and is not limited: its streak ends, and so does the wait of the others for a probe.

    Called at the first real output, so that nobody waits for the end of a long stream.
    """
    if world.state.endpoint_rests:
        _endpoint_answered(claimed, world)
    state = world.state.backends.get(claimed.lane.backend.id)
    if state is None:
        return  # deleted meanwhile
    if state.probe_holder:
        _release_probe(claimed, state)
    if state.resting_until > world.now or not (state.streak or state.needs_probe or state.resting_until):
        return  # limited meanwhile by a later call, of which this older answer says nothing; or all is well already
    world.state.dirty.backends.add(claimed.lane.backend.id)
    state.needs_probe = False
    state.streak = 0
    state.resting_until = 0.0
    state.rest_reason = ""


def conclude(
    claimed: Claim, ending: Ending, world: World, wall_ms: int, first_output_ms: int | None = None
) -> float | None:
    """End what `claim` began, exactly once. The seconds of rest that the backend got, or None.

    `first_output_ms` is how long its first output took. Where there was one, the tokens that the claim reserved stay
    so until `limits.settle` says what was used; without one none were.
    """
    backend = claimed.lane.backend
    limits.leave(claimed.grant, world.state)
    if first_output_ms is None:
        limits.settle(claimed.grant, 0, world.state)
    is_probe = bool(world.state.endpoint_rests) and _release_endpoint_probe(claimed, world)
    state = world.state.backends.get(backend.id)
    if state is None:
        return None  # deleted meanwhile
    at_once = state.in_flight
    state.in_flight -= 1
    _release_probe(claimed, state)
    _note_result(claimed, state, ending, world)
    if ending.verdict is _ABANDONED:
        return None
    if ending.verdict in _OF_SERVICE:
        answered(claimed, world)
        if ending.verdict is _OK:
            _succeeded(backend, state, world, first_output_ms)
        return None
    state.failures += 1
    state.fault, state.fault_at_ms = ending.reason[:300], wall_ms
    world.state.dirty.backends.add(backend.id)
    # No call is sent while a backend rests, so one that ends now was sent before: it tells of the same limit, not
    # of a further one. Twenty calls refused in one moment are one limit.
    is_echo = state.seconds_left(world.now) > 0
    consecutive = max(state.streak, 1) if is_echo else state.streak + 1
    seconds = rest_for(backend.pool, ending, consecutive, world.rng)
    if seconds is not None:
        state.streak = consecutive
        state.rest(world.now + seconds, ending.reason[:300], _rest_kind(ending))
    if ending.limited is not None:
        _learn(backend, ending.limited, world, is_echo=is_echo)
        _lower_allowance(state, ending.limited, at_once)
        _rest_together(backend, ending.limited, world, is_probe=is_probe)
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
    """Tell breaker and score what speaks of health: not limits, not a client's fault, not a client that left."""
    if ending.verdict not in _OF_HEALTH:
        state.breaker.abandon(claimed.id)
        return
    succeeded = ending.verdict is _OK
    longest = claimed.lane.backend.key.max_probe_interval_minutes * 60.0
    turned = state.breaker.record(claimed.id, succeeded=succeeded, now=world.now, longest_open=longest)
    state.score = _moved(state.score, float(succeeded), _SCORE_SHARE)
    dirty = world.state.dirty
    is_as_ever = succeeded and not turned and not state.fault and state.allowance is None
    (dirty.averages if is_as_ever else dirty.backends).add(claimed.lane.backend.id)


def _moved(average: float | None, value: float, share: float) -> float:
    """The average moved by `share` of the way to `value`; the first value is the average."""
    return value if average is None else average + share * (value - average)


def _learn(backend: Backend, limited: Limited, world: World, *, is_echo: bool) -> None:
    """A refusal for requests per minute teaches a key without a number of its own; a burst of them is one."""
    if limited.limit_class is LimitClass.REQUESTS and backend.key.rpm_limit is None and not is_echo:
        learned = world.state.learned_of(backend.key.id)
        learned.refused(limited.requests_per_minute, world.now, world.wall_ms)
        limits.count_learned(backend.key, world)
        world.state.dirty.learned.add(backend.key.id)


def _lower_allowance(state: BackendState, limited: Limited, at_once: int) -> None:
    """One fewer at once than there were. Of a burst, each refusal sees fewer: it ends at what the provider took."""
    if limited.limit_class is LimitClass.CONCURRENCY:
        seen = max(1, at_once - 1)
        state.allowance = seen if state.allowance is None else min(state.allowance, seen)
        state.allowed = 0


def _raise_allowance(backend: Backend, state: BackendState, allowance: int) -> None:
    """One more at once after so many successes, until the allowance says nothing that the limits do not."""
    state.allowed += 1
    if state.allowed < _SUCCESSES_PER_PLACE:
        return
    state.allowed = 0
    limits_set = (backend.key.max_concurrent, backend.endpoint.max_concurrent, _LARGEST_ALLOWANCE)
    state.allowance = allowance + 1
    if state.allowance >= min(most for most in limits_set if most is not None):
        state.allowance = None


def _rest_together(backend: Backend, limited: Limited, world: World, *, is_probe: bool) -> None:
    """Have the whole endpoint rest where most of its keys are limited at once, or where its one probe was."""
    if limited.limit_class is LimitClass.QUOTA:
        return  # about one account's money
    base_url, states = backend.endpoint.base_url, world.state.backends
    own = states[backend.id]
    rest = world.state.endpoint_rest(base_url)
    rest.note_limit(backend.key.id, own.resting_until, world.now)
    usable = {
        found.key.id
        for found in world.state.neighbours.get(base_url, (backend,))
        if found.is_enabled and ((there := states.get(found.id)) is None or there.is_usable(world.now))
    }
    if rest.rest_if_most(usable):
        world.state.dirty.endpoints.add(base_url)
    elif is_probe:
        rest.rest(own.resting_until, own.rest_reason)
        world.state.dirty.endpoints.add(base_url)


def _endpoint_answered(claimed: Claim, world: World) -> None:
    base_url = claimed.lane.backend.endpoint.base_url
    rest = world.state.endpoint_rests.get(base_url)
    if rest is not None and rest.needs_probe and rest.seconds_left(world.now) == 0:
        rest.clear()
        world.state.dirty.endpoints.add(base_url)


def _release_endpoint_probe(claimed: Claim, world: World) -> bool:
    """Whether this claim was its endpoint's one probe; now another call may be."""
    rest = world.state.endpoint_rests.get(claimed.lane.backend.endpoint.base_url)
    if rest is None or rest.probe_holder != claimed.id:
        return False
    rest.probe_holder = ""
    return True


def _rest_kind(ending: Ending) -> RestKind:
    if ending.verdict is Verdict.REFUSED:
        return RestKind.REFUSED
    is_quota = ending.limited is not None and ending.limited.limit_class is LimitClass.QUOTA
    return RestKind.QUOTA if is_quota else RestKind.LIMITED


def _release_probe(claimed: Claim, state: BackendState) -> None:
    if state.probe_holder == claimed.id:
        state.probe_holder = ""


def _succeeded(backend: Backend, state: BackendState, world: World, first_output_ms: int | None) -> None:
    state.successes += 1
    if state.allowance is not None:
        _raise_allowance(backend, state, state.allowance)
    if first_output_ms is not None:
        state.first_output_ms = _moved(state.first_output_ms, float(first_output_ms), _LATENCY_SHARE)
    learned = world.state.learned.get(backend.key.id)
    if learned is not None and learned.limit is not None and learned.succeeded(world.now, world.wall_ms):
        world.state.dirty.learned.add(backend.key.id)
    if state.fault and state.seconds_left(world.now) == 0:
        state.fault, state.fault_at_ms = "", None
