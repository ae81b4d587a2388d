"""A provider's quota: spent by actual cost, begun anew after its days."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.quota import Spend, added, current, seconds_until_reset
from tests.routing.build import provider

DAY_MS = 86_400_000
WEEKLY = provider("a", quota_reset_days=7)


def test_the_first_call_begins_the_first_period() -> None:
    assert added(None, WEEKLY, 5, 1000) == Spend(5, 1000)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(0, Spend(9, 0)), (6.99, Spend(9, 0)), (7, Spend(0, 7 * DAY_MS)), (15, Spend(0, 14 * DAY_MS)), (-30, Spend(9, 0))],
)
def test_a_period_ends_on_time_and_a_clock_set_back_ends_none(days: float, expected: Spend) -> None:
    assert current(Spend(9, 0), WEEKLY, round(days * DAY_MS)) == expected


def test_it_says_when_it_begins_anew() -> None:
    assert seconds_until_reset(Spend(9, 0), WEEKLY, 6 * DAY_MS) == 86_400


@given(st.lists(st.tuples(st.integers(-3 * DAY_MS, 9 * DAY_MS), st.integers(0, 10**12)), max_size=30))
def test_what_was_spent_in_a_period_is_the_sum_of_its_calls(calls: list[tuple[int, int]]) -> None:
    spend, now, in_period, since = None, 0, 0, None
    for wait, nano in calls:
        now += wait
        spend = added(spend, WEEKLY, nano, now)
        if spend.since != since:
            assert since is None or spend.since > since
            in_period, since = 0, spend.since
        in_period += nano if now >= spend.since else 0
        assert spend.used_nano == in_period
