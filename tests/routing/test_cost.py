"""List cost becomes actual cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.registry import BillingType
from gateway.routing.cost import actual_cost, rate_of
from tests.routing.build import backend


@given(st.integers(0, 10**15), st.integers(0, 10**8))
def test_actual_cost_is_list_cost_times_the_keys_rate_rounded_half_up(cost: int, rate: int) -> None:
    exact = Fraction(cost) * rate / 1_000_000
    actual = actual_cost(cost, backend(rate_multiplier=rate))
    assert actual is not None
    assert Fraction(-1, 2) < actual - exact <= Fraction(1, 2)


@pytest.mark.parametrize(("cost", "actual"), [(1, 1), (3, 2), (None, None), (0, 0)])
def test_a_half_is_rounded_up_and_unknown_stays_unknown(cost: int | None, actual: int | None) -> None:
    assert actual_cost(cost, backend(rate_multiplier=500_000)) == actual


def test_a_rate_of_the_format_goes_before_the_keys_own() -> None:
    assert rate_of(backend(rate_multiplier=2, rate_multipliers={"openai_chat": 3, "gemini_generate": 4})) == 3
    assert rate_of(backend(rate_multiplier=2, rate_multipliers={"gemini_generate": 4})) == 2


@pytest.mark.parametrize(("cost", "actual"), [(7, 0), (None, None)])
def test_a_free_tier_takes_nothing(cost: int | None, actual: int | None) -> None:
    one = backend()
    free = replace(one, provider=replace(one.provider, billing_type=BillingType.FREE_TIER))
    assert actual_cost(cost, free) == actual
