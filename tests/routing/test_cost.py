"""Tokens become list cost, and list cost becomes actual cost."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import BillingType, Price, PriceTable, PriceTier
from gateway.routing.cost import actual_cost, cost_lines, cost_of, most_for, price_for, rate_of
from tests.routing.build import backend

COUNTS = st.integers(0, 3_000_000)
NANO = st.integers(0, 10**11)
PRICES = st.builds(Price, NANO, NANO, NANO, NANO, NANO, st.none() | NANO)
TABLES = st.builds(
    lambda base, tiers: PriceTable(base, tuple(PriceTier(above, tiers[above]) for above in sorted(tiers))),
    PRICES,
    st.dictionaries(st.integers(1, 3_000_000), PRICES, max_size=3),
)
PARTS = ("input", "output", "cache_read", "cache_creation", "cache_creation_1h")
USAGES = st.builds(
    lambda counts: Usage(**dict(zip(PARTS, counts, strict=True)), source=UsageSource.REPORTED),
    st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
)
TIERED = PriceTable(
    Price(10, 20, 1, 12, 0), (PriceTier(100, Price(30, 40, 3, 36, 0)), PriceTier(500, Price(5, 5, 5, 5, 0)))
)


@given(USAGES, PRICES)
def test_each_component_is_exact_arithmetic_rounded_once(usage: Usage, price: Price) -> None:
    each = {
        "input": (usage.input, price.input),
        "cache read": (usage.cache_read, price.cache_read),
        "cache creation": (usage.cache_creation, price.cache_creation),
        "cache creation 1h": (usage.cache_creation_1h, price.written_for_an_hour),
        "output": (usage.output, price.output),
    }
    lines = {name: cost for name, _, _, cost in cost_lines(usage, price)}
    for name, (tokens, nano) in each.items():
        exact = Fraction(tokens) * nano / 1_000_000
        assert lines.get(name, 0) == int(exact + Fraction(1, 2))
    assert lines.get("request", 0) == price.per_request
    assert cost_of(usage, price) == sum(lines.values())


@given(USAGES, PRICES, st.sampled_from(PARTS), COUNTS)
def test_more_tokens_never_cost_less_in_one_tier(usage: Usage, price: Price, part: str, more: int) -> None:
    before, after = cost_of(usage, price), cost_of(replace(usage, **{part: getattr(usage, part) + more}), price)
    assert before is not None
    assert after is not None
    assert after >= before


@given(USAGES, TABLES, COUNTS, COUNTS)
def test_no_call_within_the_bounds_costs_more_than_the_most(
    usage: Usage, table: PriceTable, more_input: int, more_output: int
) -> None:
    most = most_for(table, usage.all_input + more_input, usage.output + more_output)
    cost = cost_of(usage, price_for(table, usage))
    assert most is not None
    assert cost is not None
    assert cost <= most


def test_the_most_is_that_of_the_dearest_tier_that_a_call_can_fall_into() -> None:
    assert most_for(TIERED, 100, 0) == 2
    million = PriceTable(TIERED.base, (PriceTier(1_000_000, Price(1, 1, 1, 1, 0)),))
    assert most_for(million, 2_000_000, 0) == 12 + 2
    assert most_for(None, 1, 1) is None
    assert most_for(PriceTable(Price(0, 0, 0, 0, 7)), 10, 10) == 7


@pytest.mark.parametrize(("tokens", "nano"), [(0, 10), (100, 10), (101, 30), (500, 30), (501, 5), (10**9, 5)])
def test_a_call_is_priced_whole_by_the_tier_that_its_input_reaches(tokens: int, nano: int) -> None:
    assert TIERED.at(tokens).input == nano


@pytest.mark.parametrize("part", ["input", "cache_read", "cache_creation", "cache_creation_1h"])
def test_whatever_goes_in_counts_for_the_tier_and_what_comes_out_does_not(part: str) -> None:
    assert price_for(TIERED, Usage(**{part: 101})) == TIERED.tiers[0].price
    assert price_for(TIERED, Usage(output=10_000)) == TIERED.base


def test_the_example_in_the_docs_comes_to_what_it_says() -> None:
    upper = PriceTier(200_000, Price(25 * 10**8, 15 * 10**9, 25 * 10**7, 25 * 10**8, 0))
    table = PriceTable(Price(125 * 10**7, 10**10, 125 * 10**6, 125 * 10**7, 0), (upper,))
    usage = Usage(input=180_001, output=333, cache_read=24_000, source=UsageSource.REPORTED)

    cost = cost_of(usage, price_for(table, usage))

    assert cost == 460_997_500
    assert actual_cost(cost, backend(rate_multiplier=800_000)) == 368_798_000
    assert cost_of(Usage(input=7, source=UsageSource.REPORTED), Price(37_500_000, 0, 0, 0, 0)) == 263


def test_what_is_kept_for_an_hour_costs_as_much_as_for_five_minutes_unless_it_has_its_own_price() -> None:
    usage = Usage(cache_creation_1h=1_000_000, source=UsageSource.REPORTED)
    assert cost_of(usage, Price(1, 2, 3, 4, 0)) == 4
    assert cost_of(usage, Price(1, 2, 3, 4, 0, 5)) == 5


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
