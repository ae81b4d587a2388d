from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.model.calls import Skip
from gateway.routing.breaker import BreakerState
from gateway.routing.health import Claim, Ending, Verdict, answered, backoff, claim, conclude, not_sent
from gateway.routing.rate_limits import LimitClass, Limited
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState
from tests.routing.build import PRIMARY, ask, backend, lane, world

UNKNOWN = Ending(Verdict.LIMITED, "HTTP 429", Limited(LimitClass.UNKNOWN, None))


def limited(seconds: float) -> Ending:
    return Ending(Verdict.LIMITED, "HTTP 429", Limited(LimitClass.REQUESTS, seconds))


def claimed(found: Claim | Skip) -> Claim:
    assert isinstance(found, Claim)
    return found


@given(st.integers(1, 2000), st.integers())
def test_back_off_doubles_within_its_jitter_and_never_exceeds_the_cap(consecutive: int, seed: int) -> None:
    seconds = backoff(PRIMARY, consecutive, Random(seed))
    plain = min(5.0 * 2.0 ** min(consecutive - 1, 50), 300.0)
    assert plain * 0.8 <= seconds <= min(plain * 1.2, 300.0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 500)), max_size=20))
def test_a_deadline_never_moves_earlier(steps: list[tuple[float, float]]) -> None:
    state, now, latest = RuntimeState(), 0.0, 0.0
    for wait, seconds in steps:
        now += wait
        state.of("b").rest(now + seconds, "test")
        assert state.of("b").resting_until >= latest
        latest = state.of("b").resting_until


@pytest.mark.parametrize("verdict", [Verdict.CLIENT_FAULT, Verdict.NOT_SERVED, Verdict.ABANDONED])
def test_a_client_fault_and_a_client_that_left_never_change_health(verdict: Verdict) -> None:
    one, state = backend(), RuntimeState()
    state.of(one.id).fault = "an older failure"
    found = claimed(claim(lane(one), ask(), "c1", world(state=state)))

    conclude(found, Ending(verdict, "x"), world(state=state), 0)

    after = state.of(one.id)
    assert (after.fault, after.failures, after.successes, after.streak, after.in_flight) == (
        "an older failure",
        0,
        0,
        0,
        0,
    )


def test_a_failure_that_is_no_limit_gives_no_rest_but_is_remembered() -> None:
    one, state = backend(), RuntimeState()
    found = claimed(claim(lane(one), ask(), "c1", world(state=state)))
    assert conclude(found, Ending(Verdict.FAILED, "HTTP 500"), world(state=state), 5) is None
    assert (state.of(one.id).fault, state.of(one.id).fault_at_ms, state.dirty.backends) == ("HTTP 500", 5, {one.id})


def test_an_answer_from_before_a_limit_does_not_end_the_rest() -> None:
    one, state = backend(), RuntimeState()
    slow = claimed(claim(lane(one), ask(), "slow", world(1000.0, state)))
    quick = claimed(claim(lane(one), ask(), "quick", world(1000.0, state)))
    conclude(quick, limited(30), world(1001.0, state), 0)

    answered(slow, world(1002.0, state))
    conclude(slow, Ending(Verdict.OK), world(1003.0, state), 0)

    assert state.of(one.id).seconds_left(1003.0) == 28.0
    assert state.of(one.id).streak == 1


@pytest.mark.parametrize(
    ("ending", "least", "most"), [(UNKNOWN, 4.0, 6.0), (Ending(Verdict.REFUSED, "HTTP 401"), 60.0, 60.0)]
)
def test_many_refusals_of_one_moment_are_one_limit(ending: Ending, least: float, most: float) -> None:
    one, state = backend(), RuntimeState()
    calls = [claimed(claim(lane(one), ask(), str(number), world(1000.0, state))) for number in range(20)]
    for found in calls:
        conclude(found, ending, world(1000.0, state), 0)
    assert state.of(one.id).streak == 1
    assert least <= state.of(one.id).seconds_left(1000.0) <= most


def test_a_later_and_longer_word_of_the_server_still_extends_the_rest() -> None:
    one, state = backend(), RuntimeState()
    first, second = [claimed(claim(lane(one), ask(), name, world(1000.0, state))) for name in ("a", "b")]
    conclude(first, limited(5), world(1000.0, state), 0)
    conclude(second, limited(60), world(1001.0, state), 0)
    assert (state.of(one.id).seconds_left(1001.0), state.of(one.id).streak) == (60.0, 1)


def test_what_was_not_sent_gives_its_token_back() -> None:
    one, state = backend(rpm_limit=1), RuntimeState()
    found = claimed(claim(lane(one), ask(), "c1", world(state=state)))
    not_sent(found, world(state=state))
    conclude(found, Ending(Verdict.FAILED, "could not connect"), world(state=state), 0)
    assert isinstance(claim(lane(one), ask(), "c2", world(state=state)), Claim)


def test_a_key_that_was_refused_rests_longer_each_time() -> None:
    one, state = backend(), RuntimeState()
    now, rests = 0.0, []
    for number in range(10):
        found = claimed(claim(lane(one), ask(), str(number), world(now, state)))
        rests.append(conclude(found, Ending(Verdict.REFUSED, "HTTP 401"), world(now, state), 0))
        now = state.of(one.id).resting_until
    assert rests[:3] == [60.0, 120.0, 240.0]
    assert rests[-1] == 3600.0


CONCURRENCY = Ending(Verdict.LIMITED, "HTTP 429", Limited(LimitClass.CONCURRENCY, 0.5))


def together(state: RuntimeState, one: Backend, count: int) -> list[Claim]:
    return [claimed(claim(lane(one), ask(), str(number), world(state=state))) for number in range(count)]


def test_a_burst_that_is_too_large_leaves_an_allowance_of_what_was_taken() -> None:
    one, state = backend(), RuntimeState()
    calls = together(state, one, 12)
    for found in calls[4:]:
        conclude(found, CONCURRENCY, world(state=state), 0)
    assert (state.of(one.id).allowance, state.of(one.id).in_flight) == (4, 4)


def test_an_allowance_is_never_below_one() -> None:
    one, state = backend(), RuntimeState()
    conclude(together(state, one, 1)[0], CONCURRENCY, world(state=state), 0)
    assert state.of(one.id).allowance == 1


def succeed(state: RuntimeState, one: Backend, times: int) -> list[int | None]:
    found = []
    for _ in range(times):
        conclude(together(state, one, 1)[0], Ending(Verdict.OK), world(state=state), 0, first_output_ms=5)
        found.append(state.of(one.id).allowance)
    return found


def test_an_allowance_grows_by_one_with_every_twenty_successes() -> None:
    one, state = backend(), RuntimeState()
    state.of(one.id).allowance = 3
    assert succeed(state, one, 60)[18::20] == [3, 4, 5]
    assert state.of(one.id).allowance == 6


@pytest.mark.parametrize(("most", "begins"), [(5, 4), (None, 99)])
def test_an_allowance_ends_where_it_says_no_more_than_the_limit(most: int | None, begins: int) -> None:
    one, state = backend(max_concurrent=most), RuntimeState()
    state.of(one.id).allowance = begins
    assert succeed(state, one, 20)[-2:] == [begins, None]


def test_the_score_is_unknown_then_follows_the_results_apart_from_the_decision() -> None:
    one, state = backend(), RuntimeState()
    assert state.of(one.id).score is None
    for verdict in (Verdict.ABANDONED, Verdict.CLIENT_FAULT, Verdict.NOT_SERVED, Verdict.FAILED, Verdict.FAILED):
        conclude(together(state, one, 1)[0], Ending(verdict, "x"), world(state=state), 0)
    assert state.of(one.id).score == 0.0
    succeed(state, one, 1)
    assert state.of(one.id).score == pytest.approx(0.1)
    assert state.of(one.id).breaker.state is BreakerState.CLOSED


def test_the_wait_for_the_first_output_is_averaged_over_answers_alone() -> None:
    one, state = backend(), RuntimeState()
    for verdict, first_output_ms in ((Verdict.OK, 100), (Verdict.FAILED, 9000), (Verdict.OK, 200)):
        conclude(together(state, one, 1)[0], Ending(verdict, "x"), world(state=state), 0, first_output_ms)
    assert state.of(one.id).first_output_ms == pytest.approx(120)


@pytest.mark.parametrize("minutes", [2, 32])
def test_a_circuit_opens_no_longer_than_its_key_says(minutes: int) -> None:
    one, state, now = backend(max_probe_interval_minutes=minutes), RuntimeState(), 0.0
    for number in range(31):
        now = max(now, state.of(one.id).breaker.open_until)
        found = claimed(claim(lane(one), ask(), str(number), world(now, state)))
        conclude(found, Ending(Verdict.FAILED, "HTTP 500"), world(now, state), 0)
    assert state.of(one.id).breaker.open_until - now == minutes * 60


def test_only_refusals_for_requests_teach_and_a_burst_is_one() -> None:
    one, state = backend(), RuntimeState()
    calls = together(state, one, 6)
    for found in calls[:4]:
        conclude(found, limited(9), world(state=state), 0)
    assert [seen.counted for seen in state.learned[one.key.id].observations] == [6]
    for found, limit_class in zip(calls[4:], (LimitClass.TOKENS, LimitClass.UNKNOWN), strict=True):
        conclude(found, Ending(Verdict.LIMITED, "x", Limited(limit_class, 1.0)), world(2000.0, state), 0)
    assert len(state.learned[one.key.id].observations) == 1


def test_a_key_with_a_number_of_its_own_learns_nothing() -> None:
    one, state = backend(rpm_limit=9), RuntimeState()
    conclude(together(state, one, 1)[0], limited(9), world(state=state), 0)
    assert state.learned == {}


results = st.lists(st.tuples(st.floats(0, 60), st.sampled_from(Verdict)), max_size=60)


@given(results)
def test_score_window_and_breaker_agree(calls: list[tuple[float, Verdict]]) -> None:
    one, state, now, seen = backend(), RuntimeState(), 0.0, []
    for wait, verdict in calls:
        now += wait
        found = claim(lane(one), ask(), "c", world(now, state))
        if isinstance(found, Skip):
            continue
        ending = Ending(verdict, "x", Limited(LimitClass.UNKNOWN, 0.0) if verdict is Verdict.LIMITED else None)
        conclude(found, ending, world(now, state), 0)
        after = state.of(one.id)
        if verdict in (Verdict.OK, Verdict.FAILED, Verdict.REFUSED):
            seen.append(verdict is Verdict.OK)
            if after.breaker.state is BreakerState.CLOSED and after.breaker.results:
                assert after.breaker.results[-1][1] is seen[-1]
        assert (after.score is None) == (not seen)
        if after.score is not None:
            assert 0.0 <= after.score <= 1.0
            assert (after.score == 1.0) == all(seen)
            assert (after.score == 0.0) == (not any(seen))
        if after.breaker.state is BreakerState.OPEN:
            assert after.score is not None
            assert after.score < 1.0


class Probing(RuleBasedStateMachine):
    """Calls come and end in any order; after a rest at most one of them is at the backend until it answered."""

    def __init__(self) -> None:
        super().__init__()
        self.backend = backend()
        self.state = RuntimeState()
        self.now = 0.0
        self.open: list[Claim] = []
        self.probes: set[str] = set()
        self.count = 0

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_comes(self) -> None:
        self.count += 1
        was_probe = self.state.of(self.backend.id).needs_probe
        found = claim(lane(self.backend), ask(), str(self.count), world(self.now, self.state))
        if isinstance(found, Claim):
            self.open.append(found)
            if was_probe:
                self.probes.add(found.id)

    @precondition(lambda self: bool(self.open))
    @rule(
        index=st.integers(0, 50),
        ending=st.sampled_from(
            [Ending(Verdict.OK), UNKNOWN, Ending(Verdict.ABANDONED), limited(10), Ending(Verdict.FAILED, "x")]
        ),
    )
    def a_call_ends(self, index: int, ending: Ending) -> None:
        found = self.open.pop(index % len(self.open))
        conclude(found, ending, world(self.now, self.state), 0)
        self.probes.discard(found.id)

    @invariant()
    def at_most_one_probe(self) -> None:
        assert len(self.probes) <= 1
        assert self.state.of(self.backend.id).in_flight == len(self.open)

    @invariant()
    def a_rest_leaves_a_streak(self) -> None:
        state = self.state.of(self.backend.id)
        if state.seconds_left(self.now) > 0:
            assert state.streak > 0
            assert state.needs_probe


TestProbing = Probing.TestCase
