"""Tiers of a price, as JSON and as a form's lines."""

from __future__ import annotations

import pytest

from gateway.control.price_kinds import for_form, from_form, price_tiers, tier_shown
from gateway.model.registry import Price, PriceTier

TIER = {"above": 200_000, "input": "2.5", "output": 15}


def test_a_tier_without_cache_prices_takes_the_input_price() -> None:
    (tier,) = price_tiers([TIER])

    assert tier == PriceTier(200_000, Price(25 * 10**8, 15 * 10**9, 25 * 10**8, 25 * 10**8, 0))


def test_lines_of_a_form_say_the_same_as_objects() -> None:
    lines = "200000 2.5 15 0.25 3 5\n\n400000 5 30"

    found = price_tiers(from_form(lines))
    assert [tier.above for tier in found] == [200_000, 400_000]
    assert tier_shown(found[0]).cache_creation_1h == "5"
    assert price_tiers(from_form(for_form(found))) == found


def test_none_is_no_tiers_and_an_empty_field_says_nothing() -> None:
    assert from_form("None") == []
    assert for_form(()) == "none"
    assert for_form(None) == ""


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ("x", "list"),
        ([TIER] * 21, "at most 20"),
        ([TIER, TIER], "must rise"),
        ([{"above": 1, "input": "1"}], "must say"),
        ([{**TIER, "extra": 1}], "only"),
        ([{**TIER, "above": 0}], "must be"),
        ([{**TIER, "above": "1"}], "must be"),
        ([{**TIER, "cache_read": "-1"}], "between"),
        (["200000 1 2"], "only"),
    ],
)
def test_what_is_no_list_of_rising_tiers_is_refused(given: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        price_tiers(given)


@pytest.mark.parametrize("line", ["200000 1", "x 1 2", "1 2 3 4 5 6 7", "99999999999 1 2"])
def test_a_line_that_is_no_tier_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="one tier per line"):
        from_form(line)
