"""What is taken of genai-prices."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, time
from decimal import Decimal
from typing import Any

import pytest
from genai_prices import types
from genai_prices.data import providers

from gateway.ops import price_source
from gateway.resources import PRICES
from gateway.routing.catalogue import fits
from gateway.store.catalogue import listings_of

DAY = date(2026, 11, 20)


def model(match: Any, prices: Any) -> types.ModelInfo:
    return types.ModelInfo(id="big", match=match, prices=prices)


def listing(match: Any, prices: Any) -> Any:
    found = price_source._listing(model(match, prices), DAY)
    return None if found is None else json.loads(json.dumps(found))


PLAIN = types.ClauseEquals(equals="Big")
PRICE = types.ModelPrice(input_mtok=Decimal("1.25"), output_mtok=Decimal(10))


def test_prices_become_nano_dollars_and_names_patterns_in_lower_case() -> None:
    price = types.ModelPrice(
        input_mtok=Decimal("1.25"),
        output_mtok=Decimal(10),
        cache_read_mtok=Decimal("0.125"),
        cache_write_mtok=Decimal("1.5"),
        cache_write_1h_mtok=Decimal("2.5"),
        requests_kcount=Decimal(5),
    )
    parts = [1_250_000_000, 10_000_000_000, 125_000_000, 1_500_000_000, 2_500_000_000, 5_000_000]
    assert listing(PLAIN, price) == ["big", ["big"], parts, []]


def test_tiers_of_any_part_are_tiers_of_the_whole() -> None:
    price = types.ModelPrice(
        input_mtok=types.TieredPrices(base=Decimal(1), tiers=[types.Tier(start=200_000, price=Decimal(2))]),
        output_mtok=Decimal(3),
    )
    assert listing(PLAIN, price)[3] == [[200_000, 2 * 10**9, 3 * 10**9, None, None, None]]


@pytest.mark.parametrize("price", [types.ModelPrice(), types.ModelPrice(input_mtok=Decimal(1))])
def test_what_has_no_price_for_tokens_in_and_out_is_not_listed(price: types.ModelPrice) -> None:
    assert listing(PLAIN, price) is None


def test_the_price_that_began_last_counts_whatever_the_time_of_day() -> None:
    dear = types.ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(2))
    night = types.TimeOfDateConstraint(start_time=time(1), end_time=time(2))
    found = listing(
        PLAIN,
        [
            types.ConditionalPrice(prices=PRICE),
            types.ConditionalPrice(types.StartDateConstraint(start_date=date(2026, 1, 1)), prices=dear),
            types.ConditionalPrice(types.StartDateConstraint(start_date=date(2027, 1, 1)), prices=PRICE),
            types.ConditionalPrice(night, prices=PRICE),
        ],
    )
    assert found[2][0] == 2 * 10**9


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (types.ClauseStartsWith(starts_with="Gpt-5"), ["gpt-5*"]),
        (types.ClauseEndsWith(ends_with="-mini"), ["*-mini"]),
        (types.ClauseContains(contains="opus"), ["*opus*"]),
        (types.ClauseEquals(equals="a[b]"), ["a[[]b]"]),
        (types.ClauseRegex(regex=r"^gpt-5\.4-\d{4}$"), ["gpt-5.4-[0-9][0-9][0-9][0-9]"]),
        (types.ClauseRegex(regex=r"^o[134]"), ["o[134]*"]),
        (types.ClauseOr(or_=[PLAIN, types.ClauseStartsWith(starts_with="big-")]), ["big", "big-*"]),
        (
            types.ClauseAnd(
                and_=[types.ClauseStartsWith(starts_with="g"), types.ClauseRegex(regex="^(?!.*-[tT][tT][sS](?:$|-))")]
            ),
            ["g* !*-tts !*-tts-*"],
        ),
    ],
)
def test_rules_of_matching_become_patterns(match: Any, names: list[str]) -> None:
    assert listing(match, PRICE)[1] == names


@pytest.mark.parametrize("regex", ["gpt", "^(a|b)$", "^a.*$"])
def test_a_rule_that_no_pattern_says_is_left_out(regex: str) -> None:
    assert listing(types.ClauseRegex(regex=regex), PRICE) is None


def test_every_name_that_the_package_knows_a_model_by_is_found_in_what_was_made_of_it() -> None:
    """Exact names are the package's own examples: each must find a listing of the same price."""
    made = price_source.catalogue(DAY)["providers"]
    for provider in providers:
        rows = listings_of(json.dumps(made.get(provider.id, [])))
        for known in provider.models:
            if price_source._listing(known, DAY) is None or not isinstance(known.match, types.ClauseEquals):
                continue
            name = known.match.equals.lower()
            theirs = provider.find_model(name)
            ours = next(row for row in rows if any(fits(pattern, name) for pattern in row.names))
            assert theirs is not None
            assert ours.model == theirs.id, name


def test_what_a_provider_sells_of_others_comes_after_its_own() -> None:
    made = price_source.catalogue(DAY)["providers"]
    theirs = next(one.fallback_model_providers for one in providers if one.id == "azure")
    others = [row for name in theirs or () for row in made[name]]

    assert others
    assert made["azure"][-len(others) :] == others
    assert len(made["azure"]) > len(others)


def test_it_is_a_program_of_its_own_and_the_serving_process_never_loads_the_package() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway.ops.price_source"], capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["providers"].keys() == json.loads(PRICES.read_bytes())["providers"].keys()

    loaded = "import sys, gateway.app, gateway.cli.main; print('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True).stdout == "False\n"
