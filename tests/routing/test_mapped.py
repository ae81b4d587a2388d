"""What a mapping says of its model."""

from __future__ import annotations

import pytest

from gateway.model.registry import ApiFormat, Price, PriceOverride, UpstreamAlias
from gateway.routing.mapped import capabilities_there, price_there, upstream_names
from tests.routing.build import mapping, model

CHAT = ApiFormat.OPENAI_CHAT
LIST = Price(input=10, output=20, cache_read=2, cache_creation=12, per_request=5)


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
    assert price_there(LIST, PriceOverride()) == LIST
    assert price_there(LIST, PriceOverride(output=7, per_request=0)) == Price(10, 7, 2, 12, 0)
    assert price_there(LIST, PriceOverride(input=0)) == Price(0, 20, 2, 12, 5)


def test_what_has_no_price_stays_unpriced_until_both_tokens_have_one() -> None:
    assert price_there(None, PriceOverride()) is None
    assert price_there(None, PriceOverride(input=3, cache_read=1)) is None
    assert price_there(None, PriceOverride(input=3, output=4)) == Price(3, 4, 3, 3, 0)


def test_a_cached_token_that_costs_what_an_input_token_costs_goes_on_doing_so() -> None:
    plain = Price(input=10, output=20, cache_read=10, cache_creation=10, per_request=0)

    assert price_there(plain, PriceOverride(input=4)) == Price(4, 20, 4, 4, 0)
    assert price_there(plain, PriceOverride(input=4, cache_read=1)) == Price(4, 20, 1, 4, 0)


def test_a_mapping_inherits_capabilities_or_replaces_them() -> None:
    able, unknown = model("m", capabilities=("tools",)), model("m")

    assert capabilities_there(mapping("a", "m"), able) == {"tools"}
    assert capabilities_there(mapping("a", "m", capabilities=()), able) == frozenset()
    assert capabilities_there(mapping("a", "m", capabilities=("vision",)), unknown) == {"vision"}
    assert capabilities_there(mapping("a", "m"), unknown) is None
