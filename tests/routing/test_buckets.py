from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.buckets import DAY, TokenBucket

gaps = st.lists(st.floats(0, 30, allow_nan=False), max_size=200)


@given(st.integers(0, 120), gaps)
def test_never_more_is_admitted_than_burst_and_rate_times_time(per_minute: int, waits: list[float]) -> None:
    now, admitted = 100.0, 0
    bucket = TokenBucket.full(per_minute, now)
    for wait in waits:
        now += wait
        admitted += bucket.take(now)
        assert admitted <= per_minute + per_minute * (now - 100.0) / 60 + 1e-6


@given(st.integers(1, 120), gaps)
def test_waiting_as_long_as_it_says_is_enough(per_minute: int, waits: list[float]) -> None:
    now = 5.0
    bucket = TokenBucket.full(per_minute, now)
    for wait in waits:
        now += wait
        seconds = bucket.seconds_until(now)
        assert seconds is not None
        now += seconds + 1e-6
        assert bucket.take(now)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_a_new_limit_keeps_what_was_used(first: int, second: int, taken: int) -> None:
    bucket = TokenBucket.full(first, 0.0)
    used = sum(bucket.take(0.0) for _ in range(taken))
    bucket.resize(second, 0.0)
    assert sum(bucket.take(0.0) for _ in range(200)) == max(0, second - used)


def test_a_clock_that_stands_or_goes_back_gives_nothing() -> None:
    bucket = TokenBucket.full(1, 10.0)
    assert bucket.take(10.0)
    assert not bucket.take(10.0)
    assert not bucket.take(5.0)


def test_a_refused_take_consumes_nothing() -> None:
    bucket = TokenBucket.full(60, 0.0)
    for _ in range(60):
        assert bucket.take(0.0)
    for _ in range(1000):
        assert not bucket.take(0.5)
    assert bucket.take(1.0)


@pytest.mark.parametrize(("per_minute", "expected"), [(0, None), (60, 1.0), (1, 60.0)])
def test_it_says_when_the_next_one_comes(per_minute: int, expected: float | None) -> None:
    bucket = TokenBucket.full(per_minute, 0.0)
    while bucket.take(0.0):
        pass
    assert bucket.seconds_until(0.0) == pytest.approx(expected) if expected else expected is None


@given(st.integers(1, 10**9), st.lists(st.tuples(st.floats(0, 3600), st.integers(0, 10**9)), max_size=60))
def test_no_more_tokens_than_burst_and_rate_times_time(limit: int, steps: list[tuple[float, int]]) -> None:
    now, admitted, largest = 100.0, 0, 0
    bucket = TokenBucket.full(limit, now, period=DAY)
    for wait, amount in steps:
        now += wait
        if bucket.take(now, amount):
            admitted, largest = admitted + amount, max(largest, amount)
        assert admitted <= limit + limit * (now - 100.0) / DAY + max(0, largest - limit) + 1e-6 * limit


@given(st.integers(1, 1000), st.integers(1, 3000))
def test_what_is_larger_than_the_bucket_goes_once_it_is_full(limit: int, amount: int) -> None:
    bucket = TokenBucket.full(limit, 0.0)
    assert bucket.take(0.0, amount)
    seconds = bucket.seconds_until(0.0, amount)
    assert seconds is not None
    assert bucket.seconds_until(seconds, amount) == 0


def test_a_debt_is_paid_before_anything_is_admitted() -> None:
    bucket = TokenBucket.full(60, 0.0)
    assert bucket.take(0.0, 10)
    bucket.give_back(10 - 90)
    assert (bucket.level, bucket.seconds_until(0.0)) == (-30, 31)
    assert not bucket.take(30.0)
    assert bucket.take(31.0)


@pytest.mark.parametrize(("level", "limit", "after"), [(-50.0, 10, -50.0), (-50.0, 100, -10.0), (20.0, 30, 0.0)])
def test_another_limit_makes_no_debt_and_forgives_none(level: float, limit: int, after: float) -> None:
    bucket = TokenBucket(60, level, 0.0)
    bucket.resize(limit, 0.0)
    assert (bucket.limit, bucket.level) == (limit, after)


def test_what_is_given_back_never_overflows() -> None:
    bucket = TokenBucket.full(5, 0.0)
    bucket.give_back(3)
    assert bucket.level == 5
