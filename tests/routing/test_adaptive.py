"""What is learned of a key's requests per minute: from evidence only, believed less and less, within bounds."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.routing.adaptive import (
    ENFORCED_FROM,
    LEAST_LIMIT,
    MOST_LIMIT,
    QUIET_BEFORE_GROWTH,
    QUIET_BEFORE_PROBE,
    Adaptive,
    Adjustment,
    from_stored,
    to_stored,
)

NOW = 10_000.0


def refused_at(*counts: int, named: int | None = None) -> Adaptive:
    """Refusals a day apart, each after so many requests within a minute."""
    found = Adaptive()
    for number, count in enumerate(counts):
        now = NOW - (len(counts) - 1 - number) * 86_400
        found.sent(now, count)
        found.refused(named, now, round(now * 1000))
    return found


def learned_60() -> Adaptive:
    return refused_at(1, 1, named=60)


def use(found: Adaptive, now: float, seconds: float, rpm: int) -> int:
    """Answered requests at an even rate; how often the limit grew."""
    grown, end = 0, now + seconds
    while now < end:
        found.sent(now)
        grown += found.succeeded(now, round(now * 1000))
        now += 60 / rpm
    return grown


def test_without_evidence_there_is_no_limit() -> None:
    found = Adaptive()
    found.sent(NOW, 5000)
    assert (found.enforced(NOW), found.view(NOW).confidence) == (None, 0)


@pytest.mark.parametrize(
    ("counts", "named", "limit", "confidence"),
    [
        ((1,), 60, None, 0),
        ((1, 1), 60, 57, 0.9),
        ((100,), None, None, 0),
        ((100, 100), None, None, 0),
        ((100, 100, 100), None, 90, 0.75),
        ((71, 100, 129), None, 90, 0.75),
        ((69, 100, 129), None, None, 0),
        ((100, 71, 131), None, None, 0),
        ((900, 100, 100, 100), None, 90, 0.75),
        ((2, 2, 2), None, LEAST_LIMIT, 0.75),
        ((1, 1), 1_000_000, MOST_LIMIT, 0.9),
    ],
)
def test_two_that_name_a_limit_or_three_at_the_same_count_confirm_it(
    counts: tuple[int, ...], named: int | None, limit: int | None, confidence: float
) -> None:
    found = refused_at(*counts, named=named)
    assert (found.enforced(NOW), found.confidence(NOW)) == (limit, confidence)


def test_two_that_name_different_limits_confirm_none() -> None:
    found = Adaptive()
    for named in (60, 50):
        found.refused(named, NOW, 0)
    assert found.limit is None


def test_a_refusal_that_names_nothing_does_not_confirm_what_older_ones_named() -> None:
    found = learned_60()
    found.refused(None, NOW + 3000, 0)
    assert found.confidence(NOW + 3000) == pytest.approx(0.9 - 0.25)


def test_only_the_last_minute_counts() -> None:
    found = Adaptive()
    found.sent(NOW, 7)
    found.sent(NOW + 30)
    found.sent(NOW + 30, -1)
    assert [found.requests_last_minute(NOW + wait) for wait in (0, 59, 60, 61)] == [7, 7, 0, 0]


@pytest.mark.parametrize(("found", "minutes"), [(learned_60(), 60), (refused_at(90, 90, 90), 30)])
def test_confidence_decays_until_the_limit_is_no_longer_enforced(found: Adaptive, minutes: int) -> None:
    assert found.enforced(NOW + minutes * 60) is not None
    assert found.enforced(NOW + minutes * 60 + 30) is None
    assert found.limit is not None
    assert found.confidence(NOW + 1e7) == 0


def test_under_load_it_grows_to_the_boundary_and_no_further() -> None:
    found = refused_at(100, 100, 100)
    start = NOW + QUIET_BEFORE_GROWTH
    assert use(found, start, 600, 85) == 2
    assert (found.limit, found.boundary) == (100, 100)
    assert [made.after for made in found.adjustments] == [90, 95, 100]


def test_nothing_grows_within_five_minutes_of_a_refusal() -> None:
    found = refused_at(100, 100, 100)
    assert use(found, NOW, QUIET_BEFORE_GROWTH - 1, 85) == 0


def test_nothing_grows_that_is_hardly_used() -> None:
    found = refused_at(100, 100, 100)
    assert use(found, NOW + QUIET_BEFORE_GROWTH, 1200, 50) == 0


def test_after_half_an_hour_of_quiet_one_more_is_tried() -> None:
    found = refused_at(100, 100, 100)
    found.limit = 100
    assert use(found, NOW + QUIET_BEFORE_PROBE - 300, 200, 90) == 0
    assert use(found, NOW + QUIET_BEFORE_PROBE, 300, 90) == 1
    assert (found.limit, found.boundary) == (101, 100)
    assert use(found, NOW + QUIET_BEFORE_PROBE + 300, 1000, 90) == 0


def test_an_operators_word_forgets_it_and_is_remembered() -> None:
    found = learned_60()
    found.reset(77)
    view = found.view(NOW)
    assert (view.limit, view.boundary, view.enforced, view.observations) == (None, None, False, ())
    assert view.adjustments[-1] == Adjustment(77, 57, None, "An operator had it forgotten.")


class Learning(RuleBasedStateMachine):
    """Requests are sent, answered and refused in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.found = Adaptive()
        self.now = 0.0

    @rule(seconds=st.floats(0, 4000))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(count=st.integers(1, 20_000))
    def requests_are_sent(self, count: int) -> None:
        self.found.sent(self.now, count)

    @rule(named=st.sampled_from([None, 1, 60, 100_000]))
    def one_is_refused(self, named: int | None) -> None:
        self.found.refused(named, self.now, round(self.now * 1000))

    @rule(rpm=st.integers(1, 300), seconds=st.floats(1, 300))
    def they_are_answered(self, rpm: int, seconds: float) -> None:
        use(self.found, self.now, seconds, rpm)
        self.now += seconds

    @rule()
    def the_program_is_stopped_and_started(self) -> None:
        wall = round(self.now * 1000) + 10**12
        stored = json.loads(json.dumps(to_stored(self.found, self.now, wall)))
        again = from_stored(stored, self.now + 5, wall)
        assert to_stored(again, self.now + 5, wall) == stored
        self.found = from_stored(stored, self.now, wall)

    @invariant()
    def the_limit_is_within_bounds_and_believed_where_enforced(self) -> None:
        limit = self.found.limit
        assert limit is None or LEAST_LIMIT <= limit <= MOST_LIMIT
        if self.found.enforced(self.now) is not None:
            assert self.found.confidence(self.now) >= ENFORCED_FROM - 1e-6

    @invariant()
    def every_adjustment_has_its_reason_and_leads_to_the_next(self) -> None:
        made = self.found.adjustments
        assert len(made) <= 20
        assert all(one.reason for one in made)
        assert all(one.after == then.before for one, then in zip(made, list(made)[1:], strict=False))
        assert not made or made[-1].after == self.found.limit


TestLearning = Learning.TestCase


@given(st.lists(st.integers(1, 400), min_size=3, max_size=12))
def test_a_learned_limit_is_below_what_was_refused(counts: list[int]) -> None:
    found = refused_at(*counts)
    if found.limit is not None and found.boundary is not None:
        assert found.limit <= max(LEAST_LIMIT, found.boundary)
