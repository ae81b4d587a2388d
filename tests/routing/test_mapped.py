"""What a mapping says of its model."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.model.registry import ApiFormat, Price, PriceOverride, PriceTable, PriceTier, UpstreamAlias
from gateway.routing.mapped import capabilities_there, price_there, upstream_names
from tests.routing.build import mapping, model

CHAT = ApiFormat.OPENAI_CHAT
LIST = Price(input=10, output=20, cache_read=2, cache_creation=12, per_request=5)
TIER = PriceTier(1000, Price(input=20, output=40, cache_read=4, cache_creation=24, per_request=0))


@pytest.mark.parametrize(
    ("aliases", "names"),
    [
        ((), ("main",)),
        ((UpstreamAlias("a", 0),), ("a",)),
        ((UpstreamAlias("a", 5), UpstreamAlias("b", 1)), ("b",)),
        ((UpstreamAlias("a", 1), UpstreamAlias("b", 1), UpstreamAlias("c", 2)), ("a", "b")),
        ((UpstreamAlias("a", 0, ("other",)),), ("main",)),
        ((UpstreamAlias("a", 0, ("other",)), UpstreamAlias("b", 9, ("openai_chat",))), ("b",)),
    ],
)
def test_the_lowest_priority_that_fits_the_format_names_the_model(
    aliases: tuple[UpstreamAlias, ...], names: tuple[str, ...]
) -> None:
    assert upstream_names(mapping("a", "m", upstream_name="main", aliases=aliases), CHAT) == names


def test_a_price_differs_only_where_the_mapping_says_so() -> None:
    assert there(LIST, PriceOverride()) == PriceTable(LIST, origin="model v1")
    assert base(LIST, PriceOverride(output=7, per_request=0)) == Price(10, 7, 2, 12, 0)
    assert base(LIST, PriceOverride(input=0)) == Price(0, 20, 2, 12, 5)
    assert base(LIST, PriceOverride(cache_creation_1h=30)) == Price(10, 20, 2, 12, 5, 30)


def test_what_has_no_price_stays_unpriced_until_both_tokens_have_one() -> None:
    assert there(None, PriceOverride()) is None
    assert there(None, PriceOverride(input=3, cache_read=1)) is None
    assert base(None, PriceOverride(input=3, output=4)) == Price(3, 4, 3, 3, 0)


def test_a_cached_token_that_costs_what_an_input_token_costs_goes_on_doing_so() -> None:
    plain = Price(input=10, output=20, cache_read=10, cache_creation=10, per_request=0)

    assert base(plain, PriceOverride(input=4)) == Price(4, 20, 4, 4, 0)
    assert base(plain, PriceOverride(input=4, cache_read=1)) == Price(4, 20, 1, 4, 0)


def test_a_list_price_counts_where_the_model_has_none_and_the_mapping_changes_either() -> None:
    listed = PriceTable(Price(1, 2, 1, 1, 0), (TIER,), "catalogue 2026-11-20")

    assert there(None, PriceOverride(), listed) == listed
    assert there(LIST, PriceOverride(), listed) == PriceTable(LIST, origin="model v1")
    cheaper = there(None, PriceOverride(input=0), listed)
    assert cheaper is not None
    assert (cheaper.base, cheaper.tiers) == (Price(0, 2, 0, 0, 0), listed.tiers)
    assert cheaper.origin == "mapping v3 over catalogue 2026-11-20"


def test_a_fee_is_that_of_the_first_tier_in_every_tier() -> None:
    found = there(LIST, PriceOverride(per_request=9), tiers=(TIER,))

    assert found is not None
    assert [tier.price.per_request for tier in found.tiers] == [9]


def test_a_mapping_with_both_token_prices_has_no_tiers_but_its_own() -> None:
    whole = PriceOverride(input=1, output=2)

    assert there(LIST, whole, tiers=(TIER,)) == PriceTable(Price(1, 2, 2, 12, 5), (), "mapping v3")
    assert tiers_of(replace(whole, tiers=(TIER,))) == 1
    assert tiers_of(PriceOverride(input=1)) == 1
    assert tiers_of(PriceOverride(tiers=())) == 0


def tiers_of(override: PriceOverride) -> int:
    found = there(LIST, override, tiers=(TIER,))
    assert found is not None
    return len(found.tiers)


def base(price: Price | None, override: PriceOverride) -> Price | None:
    found = there(price, override)
    return None if found is None else found.base


def there(
    price: Price | None, override: PriceOverride, listed: PriceTable | None = None, tiers: tuple[PriceTier, ...] = ()
) -> PriceTable | None:
    own = model("m", price=price, price_tiers=tiers)
    return price_there(own, mapping("a", "m", price=override, version=3), listed)


def test_a_mapping_inherits_capabilities_or_replaces_them() -> None:
    able, unknown = model("m", capabilities=("tools",)), model("m")

    assert capabilities_there(mapping("a", "m"), able) == {"tools"}
    assert capabilities_there(mapping("a", "m", capabilities=()), able) == frozenset()
    assert capabilities_there(mapping("a", "m", capabilities=("vision",)), unknown) == {"vision"}
    assert capabilities_there(mapping("a", "m"), unknown) is None
