from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.retry_budget import ALWAYS, SHARE, WINDOW_SECONDS, RetryBudget


def test_a_few_retries_are_always_there() -> None:
    budget = RetryBudget()
    assert [budget.take(0.0) for _ in range(ALWAYS + 1)] == [True] * ALWAYS + [False]
    assert not budget.take(WINDOW_SECONDS - 0.01)
    assert budget.take(WINDOW_SECONDS)


def test_busy_gateways_get_their_share() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.first_try(0.0)
    assert sum(budget.take(1.0) for _ in range(1000)) == 200


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=300))
def test_no_ten_seconds_ever_see_more_than_their_share(steps: list[tuple[float, bool]]) -> None:
    budget, now = RetryBudget(), 0.0
    calls: list[float] = []
    retries: list[float] = []
    for wait, is_retry in steps:
        now += wait
        if not is_retry:
            budget.first_try(now)
            calls.append(now)
        elif budget.take(now):
            retries.append(now)
            inside = [at for at in retries if now - at < WINDOW_SECONDS]
            asked = [at for at in calls if now - at < WINDOW_SECONDS]
            assert len(inside) <= max(ALWAYS, int(SHARE * len(asked)))
