"""Sums of money by period: exact whatever is reserved, settled and left over, and time never moves backwards."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.model.people import Period
from gateway.routing.spends import DAY_MS, PERIODS, Hold, Spends, beginning, ending

LONG = os.environ.get("SOAK") == "long"
MOMENTS = st.datetimes(datetime(1970, 1, 5), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # naive bounds


def ms(when: datetime) -> int:
    return int(when.timestamp()) * 1000 + when.microsecond // 1000


@given(MOMENTS, st.sampled_from([Period.DAILY, Period.WEEKLY, Period.MONTHLY]))
def test_every_moment_is_in_the_one_period_that_begins_at_a_midnight(when: datetime, period: Period) -> None:
    since = beginning(period, ms(when))
    until = ending(period, since)

    assert until is not None and since <= ms(when) < until
    assert beginning(period, until) == until and beginning(period, until - 1) == since
    begins = datetime.fromtimestamp(since / 1000, UTC)
    assert (begins.hour, begins.minute, begins.second, begins.microsecond) == (0, 0, 0, 0)
    assert period is not Period.WEEKLY or (begins.isoweekday() == 1 and until - since == 7 * DAY_MS)
    assert period is not Period.MONTHLY or (begins.day == 1 and 28 <= (until - since) / DAY_MS <= 31)


def test_the_period_without_an_end_has_none() -> None:
    assert (beginning(Period.NONE, 10**13), ending(Period.NONE, 0)) == (0, None)


def test_a_call_counts_in_the_period_that_it_began_in() -> None:
    spends, midnight = Spends(), 20_000 * DAY_MS
    early = spends.reserve(["user:u"], 7, midnight - 1)
    late = spends.reserve(["user:u"], 5, midnight)
    assert spends.of("user:u", Period.DAILY, midnight).reserved == 5

    changed = spends.settle(early, 6)
    spends.settle(late, 4)

    assert spends.of("user:u", Period.DAILY, midnight).spent == 4
    assert spends.of("user:u", Period.NONE, midnight).spent == 10
    assert [(one.period, one.since, one.spent) for one in changed] == [(Period.DAILY, midnight - DAY_MS, 6)]


def test_a_clock_that_is_set_back_begins_nothing_anew() -> None:
    spends, midnight = Spends(), 20_000 * DAY_MS
    spends.settle(spends.reserve(["user:u"], 0, midnight), 9)

    assert spends.of("user:u", Period.DAILY, midnight - 10 * DAY_MS).spent == 9
    hold = spends.reserve(["user:u"], 0, midnight - 1)
    assert hold.charged_at == midnight


def test_what_is_settled_twice_counts_once() -> None:
    spends = Spends()
    hold = spends.reserve(["api_key:k", "user:u"], 100, 0)
    assert [one.owner for one in spends.settle(hold, 60)] == ["api_key:k", "user:u"]

    assert spends.settle(hold, 60) == ()
    found = spends.of("api_key:k", Period.NONE, 0)
    assert (found.spent, found.reserved) == (60, 0)


def test_what_cost_nothing_changes_no_sum() -> None:
    spends = Spends()
    assert spends.settle(spends.reserve(["user:u"], 100, 0), 0) == ()


def test_what_was_written_is_taken_over_and_corrected_where_its_periods_are_running() -> None:
    spends, today = Spends(), 20_000  # a Friday, the 4th of its month
    begins = spends.beginnings(today * DAY_MS)
    assert begins == tuple(beginning(period, today * DAY_MS) for period in PERIODS)
    spends.restore("user:u", (40, 10, 20, 30))

    for ago, nano in ((0, 1), (1, 2), (3, 4), (10, -100)):
        spends.correct("user:u", today - ago, nano)

    assert [spends.of("user:u", period, today * DAY_MS).spent for period in PERIODS] == [0, 11, 27, 37]


@dataclass
class Written:
    """A ledger row: who it is charged to, when, and what it cost."""

    owners: tuple[str, ...]
    at: int
    nano: int


class Money(RuleBasedStateMachine):
    """Calls that reserve, settle, are aborted or lost by a crash, while time passes and limits are edited.

    Beside `spends` runs the ledger: a list of rows, of which every sum must be the sum, at any moment.
    """

    OWNERS = ("api_key:a", "api_key:b", "user:u")

    @initialize()
    def begin(self) -> None:
        self.spends, self.now = Spends(), 20_000 * DAY_MS
        self.rows: list[Written] = []
        self.reserved_rows: list[tuple[tuple[str, ...], int, int]] = []
        self.open: list[tuple[tuple[str, ...], Hold]] = []
        self.stored: dict[tuple[str, int], int] = {}
        self.limits: dict[str, tuple[Period, int]] = {owner: (Period.DAILY, 1000) for owner in self.OWNERS}

    @rule(key=st.sampled_from(OWNERS[:2]), estimate=st.integers(0, 400))
    def reserve(self, key: str, estimate: int) -> None:
        owners = (key, "user:u")
        for owner in owners:
            period, limit = self.limits[owner]
            found = self.spends.of(owner, period, self.now)
            if found.spent + found.reserved + estimate > limit:
                return  # refused: nothing is taken
        hold = self.spends.reserve(owners, estimate, self.now)
        for owner in owners:
            period, limit = self.limits[owner]
            found = self.spends.of(owner, period, self.now)
            assert found.spent + found.reserved <= limit
        self.open.append((owners, hold))
        self.reserved_rows.append((owners, hold.charged_at, estimate))

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0, 10**6), cost=st.integers(0, 600))
    def settle(self, at: int, cost: int) -> None:
        self._end(at, cost)

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0, 10**6))
    def abort(self, at: int) -> None:
        self._end(at, 0)

    def _end(self, at: int, cost: int) -> None:
        owners, hold = self.open.pop(at % len(self.open))
        for one in self.spends.settle(hold, cost):
            self.stored[(one.owner, one.since // DAY_MS)] = one.spent
        self.rows.append(Written(owners, hold.charged_at, cost))
        self.reserved_rows.remove((owners, hold.charged_at, hold.reserved))

    @rule(hours=st.integers(-30, 200))
    def time_passes_or_the_clock_is_set_back(self, hours: int) -> None:
        self.now += hours * 3600 * 1000

    @rule(owner=st.sampled_from(OWNERS), period=st.sampled_from(PERIODS), limit=st.integers(0, 3000))
    def edit_or_top_up(self, owner: str, period: Period, limit: int) -> None:
        self.limits[owner] = (period, limit)

    @rule()
    def crash_and_recover(self) -> None:
        """Memory is gone. What was reserved becomes rows that cost half of it; sums are read back."""
        for owners, at, estimate in self.reserved_rows:
            self.rows.append(Written(owners, at, estimate // 2))
            for owner in owners if estimate // 2 else ():
                key = (owner, at // DAY_MS)
                self.stored[key] = self.stored.get(key, 0) + estimate // 2
        self.reserved_rows, self.open = [], []
        latest = self.spends.moment(self.now)
        self.spends = Spends()
        # What was written says which day it is at the least; a day without any row began for nobody.
        begins = self.spends.beginnings(max(self.now, latest))
        for owner in self.OWNERS:
            days = [(day * DAY_MS, nano) for (one, day), nano in self.stored.items() if one == owner]
            self.spends.restore(owner, (sum(nano for at, nano in days if at >= since) for since in begins))

    @invariant()
    def every_sum_is_the_sum_of_its_rows(self) -> None:
        if not hasattr(self, "spends"):
            return
        for owner in self.OWNERS:
            for period in PERIODS:
                found = self.spends.of(owner, period, self.now)
                rows = [row for row in self.rows if owner in row.owners and beginning(period, row.at) == found.since]
                held = [
                    hold.reserved
                    for owners, hold in self.open
                    if owner in owners and beginning(period, hold.charged_at) == found.since
                ]
                assert found.spent == sum(row.nano for row in rows) >= 0
                assert found.reserved == sum(held) >= 0

    @invariant()
    def what_is_stored_is_what_the_rows_say(self) -> None:
        if not hasattr(self, "spends"):
            return
        told: dict[tuple[str, int], int] = defaultdict(int)
        for row in self.rows:
            for owner in row.owners:
                told[(owner, row.at // DAY_MS)] += row.nano
        assert {key: nano for key, nano in told.items() if nano} == self.stored


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=350 if LONG else 40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("days", [0, 1, 31, 400])
def test_a_month_is_looked_up_once_a_day(days: int) -> None:
    spends, start = Spends(), datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    when = ms(start + timedelta(days=days))
    spends.moment(ms(start))

    assert spends.of("user:u", Period.MONTHLY, when).since == beginning(Period.MONTHLY, when)
