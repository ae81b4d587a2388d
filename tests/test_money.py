from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import Price
from gateway.money import NANO, exact_dollars, format_dollars, parse_dollars, token_cost
from gateway.routing.cost import cost_lines, cost_of


@given(st.integers(0, 10**15))
def test_an_amount_survives_being_written_and_read(nano: int) -> None:
    assert parse_dollars(exact_dollars(nano)) == nano


@given(st.integers(0, 10**9), st.integers(0, 10**12))
def test_a_cost_is_off_by_half_a_nano_dollar_at_most(tokens: int, price: int) -> None:
    exact = Decimal(tokens) * price / 1_000_000
    assert abs(token_cost(tokens, price) - exact) <= Decimal("0.5")


@pytest.mark.parametrize("text", ["", "x", "-1", "NaN", "Infinity", "1e9", "0.0000000001", "1,5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_dollars(text)


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "$0"),
        (1, "$0.000000001"),
        (NANO, "$1.0000"),
        (12_345_678, "$0.0123"),
        (5_000, "$0.000005"),
        (-NANO, "-$1.0000"),
    ],
)
def test_nothing_that_was_spent_is_shown_as_zero(nano: int, shown: str) -> None:
    assert format_dollars(nano) == shown


def test_the_cost_is_the_sum_of_its_lines() -> None:
    usage = Usage(501, 333, 500, 7, 100, UsageSource.REPORTED)
    price = Price(1_250_000_000, 10_000_000_000, 125_000_000, 1_562_500_000, 1_000_000)
    lines = cost_lines(usage, price)
    assert [line[0] for line in lines] == ["input", "cache read", "cache creation", "output", "request"]
    assert cost_of(usage, price) == sum(line[3] for line in lines)


def test_nothing_used_costs_nothing_and_unpriced_is_not_zero() -> None:
    assert cost_of(Usage(), None) == 0
    assert cost_of(Usage(), Price(1, 1, 1, 1, 5)) == 0
    assert cost_of(Usage(1, 1, source=UsageSource.REPORTED), None) is None
