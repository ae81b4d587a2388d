"""How far a limit of money is used, as a bar."""

from __future__ import annotations

import pytest

from gateway.admin.money_bars import bars
from gateway.control.budget_view import Money
from gateway.model.people import Period
from gateway.routing.budgets import MoneyLimit, Standing


def standing(spent: int, limit: int, period: Period = Period.MONTHLY, code: str = "user_quota") -> Standing:
    return Standing(MoneyLimit("user:u1", period, limit, code, "The quota"), spent, 5, 1000)


@pytest.mark.parametrize(
    ("spent", "limit", "share", "shade"),
    [
        (0, 100, 0.0, "ok"),
        (80, 100, 0.8, "ok"),
        (81, 100, 0.81, "limited"),
        (100, 100, 1.0, "failed"),
        (250, 100, 1.0, "failed"),
        (0, 0, 1.0, "failed"),
    ],
)
def test_a_bar_is_as_long_as_what_was_spent_and_never_longer(spent: int, limit: int, share: float, shade: str) -> None:
    [bar] = bars(Money((standing(spent, limit),), {}))

    assert (bar.share, bar.shade, bar.spent, bar.limit, bar.reserved) == (share, shade, spent, limit, 5)


def test_each_kind_of_limit_and_period_has_its_word() -> None:
    kinds = ("api_key_budget", "api_key_balance", "user_quota")
    found = bars(Money(tuple(standing(1, 2, code=code) for code in kinds), {}))
    periods = bars(Money(tuple(standing(1, 2, period) for period in Period), {}))

    assert [bar.name for bar in found] == ["budget", "balance", "quota"]
    assert [bar.period for bar in periods] == ["in all", "today", "this week", "this month"]


def test_without_a_limit_there_is_no_bar() -> None:
    assert bars(Money((), {Period.MONTHLY: 3})) == ()
