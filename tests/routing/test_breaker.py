from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.routing.breaker import (
    EARLY_SECONDS,
    FAILED_SHARE,
    LEAST_RESULTS,
    LONGEST_OPEN_SECONDS,
    OPEN_SECONDS,
    WINDOW_SECONDS,
    Breaker,
    BreakerState,
)


def failing(times: int = LEAST_RESULTS, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for number in range(times):
        breaker.record(str(number), succeeded=False, now=now)
    return breaker


def tried(breaker: Breaker, now: float, succeeded: bool) -> None:
    assert breaker.seconds_until_trial(now) == 0
    breaker.admit("t", now)
    breaker.record("t", succeeded=succeeded, now=now)


def test_it_opens_at_five_results_of_which_half_failed() -> None:
    assert failing(4).state is BreakerState.CLOSED
    assert failing(5).state is BreakerState.OPEN
    breaker = Breaker()
    for succeeded in (True, True, True, False, False):
        breaker.record("x", succeeded=succeeded, now=0.0)
    assert breaker.state is BreakerState.CLOSED
    breaker.record("x", succeeded=False, now=0.0)
    assert breaker.state is BreakerState.OPEN


def test_old_failures_are_forgotten() -> None:
    breaker = failing(4)
    breaker.record("x", succeeded=False, now=WINDOW_SECONDS + 1)
    assert breaker.state is BreakerState.CLOSED


def test_only_the_last_twenty_count() -> None:
    breaker = Breaker()
    for number in range(60):
        breaker.record("x", succeeded=number % 5 != 0, now=number / 10)
    assert breaker.state is BreakerState.CLOSED
    assert len(breaker.results) == 20


def test_a_try_before_the_time_that_fails_changes_nothing() -> None:
    breaker = failing(now=100.0)
    until = breaker.open_until

    assert breaker.try_early(101.0)
    tried(breaker, 101.0, succeeded=False)

    assert (breaker.state, breaker.open_until, breaker.openings) == (BreakerState.OPEN, until, 1)
    assert not breaker.try_early(101.0 + EARLY_SECONDS / 2)
    assert breaker.try_early(101.0 + EARLY_SECONDS)


def test_a_try_before_the_time_that_succeeds_is_the_first_of_three() -> None:
    breaker = failing(now=100.0)
    breaker.try_early(101.0)
    for number in range(3):
        tried(breaker, 101.0 + number, succeeded=True)
    assert breaker.state is BreakerState.CLOSED


def test_after_one_early_success_failures_count_as_ever() -> None:
    breaker = failing(now=100.0)
    breaker.try_early(101.0)
    tried(breaker, 101.0, succeeded=True)
    tried(breaker, 102.0, succeeded=False)
    assert breaker.state is BreakerState.HALF_OPEN
    tried(breaker, 103.0, succeeded=False)
    assert (breaker.state, breaker.openings) == (BreakerState.OPEN, 2)


def test_only_an_open_circuit_is_tried_early() -> None:
    breaker = Breaker()
    assert not breaker.try_early(0.0)
    breaker = failing(now=100.0)
    assert not breaker.try_early(breaker.open_until)  # it may be tried anyway
    breaker.admit("t", breaker.open_until)
    assert not breaker.try_early(breaker.open_until)


def test_an_early_try_that_is_abandoned_leaves_room_for_another() -> None:
    breaker = failing(now=100.0)
    until = breaker.open_until
    breaker.try_early(101.0)
    breaker.admit("t", 101.0)
    breaker.abandon("t")
    tried(breaker, 102.0, succeeded=False)
    assert (breaker.state, breaker.open_until) == (BreakerState.OPEN, until)


def test_open_times_double_up_to_the_longest() -> None:
    breaker, now, lengths = failing(), 0.0, []
    for _ in range(9):
        lengths.append(breaker.seconds_until_trial(now))
        now += lengths[-1]
        tried(breaker, now, succeeded=False)
        tried(breaker, now, succeeded=False)
    assert lengths[:3] == [OPEN_SECONDS, 2 * OPEN_SECONDS, 4 * OPEN_SECONDS]
    assert lengths[-1] == LONGEST_OPEN_SECONDS


def test_one_failure_keeps_it_half_open_and_three_successes_close_it() -> None:
    breaker = failing()
    tried(breaker, OPEN_SECONDS, succeeded=False)
    assert breaker.state is BreakerState.HALF_OPEN
    for _ in range(3):
        tried(breaker, OPEN_SECONDS, succeeded=True)
    assert (breaker.state, breaker.openings, len(breaker.results)) == (BreakerState.CLOSED, 0, 0)


def test_one_call_at_a_time_when_half_open_and_one_that_left_makes_room() -> None:
    breaker = failing()
    breaker.admit("first", OPEN_SECONDS)
    assert breaker.seconds_until_trial(OPEN_SECONDS) > 0
    breaker.abandon("another")
    assert breaker.seconds_until_trial(OPEN_SECONDS) > 0
    breaker.abandon("first")
    assert breaker.seconds_until_trial(OPEN_SECONDS) == 0


def test_results_from_before_the_opening_change_nothing() -> None:
    breaker = failing()
    assert not breaker.record("older", succeeded=True, now=1.0)
    assert breaker.state is BreakerState.OPEN
    breaker.admit("trial", OPEN_SECONDS)
    assert not breaker.record("older", succeeded=False, now=OPEN_SECONDS)
    assert breaker.trial == "trial"


@pytest.mark.parametrize(("until", "now", "left"), [(50.0, 20.0, 30.0), (50.0, 60.0, 0.0)])
def test_what_was_open_is_open_after_a_restart(until: float, now: float, left: float) -> None:
    breaker = Breaker()
    breaker.restore(3, until)
    assert (breaker.state, breaker.seconds_until_trial(now)) == (BreakerState.OPEN, left)
    untouched = Breaker()
    untouched.restore(0, 0.0)
    assert untouched.state is BreakerState.CLOSED


class Traffic(RuleBasedStateMachine):
    """Calls come and end in any order and with any result."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.count = 0
        self.inside: list[tuple[str, bool]] = []

    @rule(seconds=st.floats(0, 100))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_comes(self) -> None:
        if self.breaker.seconds_until_trial(self.now) == 0:
            self.count += 1
            self.breaker.admit(str(self.count), self.now)
            self.inside.append((str(self.count), self.breaker.state is BreakerState.HALF_OPEN))

    @precondition(lambda self: bool(self.inside))
    @rule(index=st.integers(0, 30), succeeded=st.sampled_from([True, False, None]))
    def a_call_ends(self, index: int, succeeded: bool | None) -> None:
        claim, _ = self.inside.pop(index % len(self.inside))
        if succeeded is None:
            self.breaker.abandon(claim)
        else:
            self.breaker.record(claim, succeeded=succeeded, now=self.now)

    @invariant()
    def at_most_one_trial(self) -> None:
        if self.breaker.state is BreakerState.HALF_OPEN:
            assert sum(claim == self.breaker.trial for claim, _ in self.inside) <= 1
            assert not self.breaker.trial or self.breaker.trial in {claim for claim, _ in self.inside}

    @invariant()
    def window_and_state_agree(self) -> None:
        fresh = [good for at, good in self.breaker.results if self.now - at <= WINDOW_SECONDS]
        if self.breaker.state is BreakerState.CLOSED and len(fresh) == len(self.breaker.results) >= LEAST_RESULTS:
            assert fresh.count(False) < FAILED_SHARE * len(fresh)
        if self.breaker.state is not BreakerState.CLOSED:
            assert self.breaker.openings > 0
            assert not self.breaker.results


TestTraffic = Traffic.TestCase
