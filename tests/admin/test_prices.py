"""The prices page: what each model costs where, what was used without a price, and overriding one."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.admin.prices import PER_PAGE, PriceLine, lines_of
from gateway.control import mappings, models, price_overrides
from gateway.model.catalogue import Catalogue, Listing
from gateway.model.registry import ModelMapping, Price, PriceOverride, PriceTable, PriceTier
from gateway.routing.snapshot import build_snapshot
from tests.admin.browsing import Operator, fault_of, parse, text_of, values_of, words_of
from tests.conftest import MakeProvider
from tests.harness import OPERATOR
from tests.provider import answer

pytestmark = pytest.mark.anyio

DOLLAR = 10**9


async def served(operator: Operator, provider: MakeProvider, *names: str) -> ModelMapping:
    """The first mapping of a provider that serves models of these names (m) without prices."""
    await operator.gateway.backend(await provider(answer(), answer()), models=names or ("m",))
    registry = operator.gateway.desk.snapshot().registry
    provider_id = next(one.id for one in registry.providers if one.preset == "custom")
    return next(one for one in registry.mappings if one.provider_id == provider_id)


def rows_of(html: str, caption: str) -> list[str]:
    for table in parse(html).iter("table"):
        if caption in words_of(table):
            return [words_of(row) for body in table.iter("tbody") for row in body.iter("tr")]
    return []


PRICES = "Prices by model and provider"
USED = "Models that were used without a price"


async def test_prices_are_listed_by_model_and_provider_with_their_origin(
    operator: Operator, provider: MakeProvider
) -> None:
    mapping = await served(operator, provider)
    tier = {"above": 200_000, "input": "2.5", "output": "15"}
    await models.update(
        operator.gateway.desk,
        OPERATOR,
        mapping.model_id,
        {"input_price": "1.25", "output_price": "10", "cache_read_price": "0.125", "price_tiers": [tier]},
    )

    rows = rows_of((await operator.get("/admin/prices")).text, PRICES)

    assert any(row.startswith("demo/echo demo echo $0 in, $0 out model v1") for row in rows)
    mine = next(row for row in rows if row.startswith("m "))
    assert "$1.25 in, $10 out up to 200,000 tokens cache: $0.125 read, $1.25 written" in mine
    assert "$2.5 in, $15 out above 200,000 tokens model v2" in mine


async def test_the_list_is_filtered_by_model_or_provider(operator: Operator, provider: MakeProvider) -> None:
    await served(operator, provider, "zebra")

    assert len(rows_of((await operator.get("/admin/prices?q=ZEB")).text, PRICES)) == 1
    assert "No price matches" in text_of((await operator.get("/admin/prices?q=nobody")).text)


async def test_a_long_list_has_pages(operator: Operator, provider: MakeProvider) -> None:
    await served(operator, provider, *(f"m{number:03d}" for number in range(PER_PAGE + 1)))

    first = (await operator.get("/admin/prices?q=m")).text
    second = (await operator.get("/admin/prices?q=m&page=2")).text

    assert len(rows_of(first, PRICES)) == PER_PAGE
    assert "page=2" in first
    assert "page=1" in second
    assert 0 < len(rows_of(second, PRICES)) < PER_PAGE


async def test_what_was_used_without_a_price_stands_on_top(operator: Operator, provider: MakeProvider) -> None:
    mapping = await served(operator, provider)
    await operator.gateway.call("m")
    await operator.gateway.row()

    page = (await operator.get("/admin/prices")).text

    assert [row.split()[:2] for row in rows_of(page, USED)] == [["m", "1"]]
    assert f"/admin/prices?edit={mapping.id}" in page
    assert "unpriced" in next(row for row in rows_of(page, PRICES) if row.startswith("m "))
    assert 'href="/admin/prices"' in (await operator.get("/admin")).text


async def test_a_price_is_overridden_in_place_and_the_override_is_taken_away(
    operator: Operator, provider: MakeProvider
) -> None:
    mapping, desk = await served(operator, provider), operator.gateway.desk
    page = (await operator.get(f"/admin/prices?edit={mapping.id}")).text
    values = {name: value for name, value in values_of(page).items() if name not in ("csrf", "q")}
    assert set(values) >= {"input_price", "output_price", "cache_creation_1h_price", "price_tiers", "version"}

    typed = {**values, "input_price": "1", "output_price": "2", "price_tiers": "100 3 4\n200 5 6 0.5"}
    saved = await operator.submit(f"/admin/prices/{mapping.id}", **typed)

    assert saved.headers["location"] == "/admin/prices"
    after = (await mappings.get(desk, mapping.id)).price
    assert (after.input, after.output, [tier.above for tier in after.tiers or ()]) == (DOLLAR, 2 * DOLLAR, [100, 200])
    again = values_of((await operator.get(f"/admin/prices?edit={mapping.id}")).text)
    assert again["price_tiers"].splitlines() == ["100 3 4 3 3", "200 5 6 0.5 5"]
    await operator.submit(f"/admin/prices/{mapping.id}/clear")
    assert (await mappings.get(desk, mapping.id)).price == PriceOverride()


async def test_a_wrong_price_is_told_beside_its_field(operator: Operator, provider: MakeProvider) -> None:
    mapping = await served(operator, provider)

    got = await operator.submit(f"/admin/prices/{mapping.id}", input_price="x", price_tiers="1 2")

    assert got.status_code == 422
    assert fault_of(got.text, "input_price") == "Must be an amount in dollars, such as 0.15"
    assert fault_of(got.text, "price_tiers").startswith("Must be one tier per line")
    assert values_of(got.text)["input_price"] == "x"


async def test_somebody_elses_change_is_shown_instead_of_lost(operator: Operator, provider: MakeProvider) -> None:
    mapping = await served(operator, provider)
    await price_overrides.put(operator.gateway.desk, OPERATOR, mapping.id, {"input_price": "7"})

    got = await operator.submit(f"/admin/prices/{mapping.id}", input_price="1", version=str(mapping.version))

    assert got.status_code == 409
    assert (await mappings.get(operator.gateway.desk, mapping.id)).price.input == 7 * DOLLAR


async def test_a_model_shows_what_it_costs_at_each_provider(operator: Operator, provider: MakeProvider) -> None:
    mapping, desk = await served(operator, provider), operator.gateway.desk
    name = next(one.name for one in desk.snapshot().registry.providers if one.id == mapping.provider_id)
    listing = Listing("m", ("m",), Price(DOLLAR, 3 * DOLLAR, DOLLAR, DOLLAR, 0))
    catalogue = Catalogue("2026-11-20", "9.9", "tests", "none", {name: (listing,)})
    desk.snapshot.current = build_snapshot(replace(desk.snapshot().registry, catalogue=catalogue))

    page = text_of((await operator.get(f"/admin/models/{mapping.model_id}")).text)

    assert "$1 in, $3 out catalogue 2026-11-20" in page
    assert "$1 in, $3 out where it is served; the model has no price of its own" in page
    assert "$1 in, $3 out" in text_of((await operator.get("/admin/models?q=m")).text)


def test_a_price_is_told_in_lines() -> None:
    base, dear = Price(DOLLAR, DOLLAR, DOLLAR, DOLLAR, 0), Price(DOLLAR, DOLLAR, 0, DOLLAR, 0, 2 * DOLLAR)

    assert lines_of(PriceTable(base)) == (PriceLine("", "$1 in, $1 out", ""),)
    assert lines_of(PriceTable(base, (PriceTier(10, dear),))) == (
        PriceLine("up to 10 tokens", "$1 in, $1 out", ""),
        PriceLine("above 10 tokens", "$1 in, $1 out", "cache: $0 read, $1 written, $2 for an hour"),
    )
