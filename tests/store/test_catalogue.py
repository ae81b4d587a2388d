"""The catalogue as rows."""

from __future__ import annotations

import pytest

from gateway.model.catalogue import Catalogue, Listing
from gateway.model.registry import Price, PriceTier
from gateway.store import catalogue
from gateway.store.database import Database

pytestmark = pytest.mark.anyio

HEAD = Catalogue("2026-11-20", "0.2.3", "somewhere", "MIT")
ROW = '["big", ["big", "big-*"], [10, 20, 1, null, 15, 7], [[1000, 30, 40, null, null, null]]]'


async def test_listings_are_kept_by_provider_and_replaced_whole(db: Database) -> None:
    async with db.write() as tx:
        assert await catalogue.head(tx) == Catalogue()
        await catalogue.replace(tx, HEAD, {"a": f"[{ROW}]", "b": f"[{ROW}]"}, 5)
        found = await catalogue.of_providers(tx, ["a", "c"])
        assert await catalogue.head(tx) == HEAD
        assert found.listings == {
            "a": (
                Listing(
                    "big",
                    ("big", "big-*"),
                    Price(10, 20, 1, 10, 7, 15),
                    (PriceTier(1000, Price(30, 40, 30, 30, 0)),),
                ),
            )
        }
        await catalogue.replace(tx, Catalogue("2026-12-01", "0.3", "s", "l"), {"c": "[]"}, 6)
        assert (await catalogue.of_providers(tx, ["a", "b", "c"])).listings == {"c": ()}


@pytest.mark.parametrize(
    "listings",
    [
        "{}",
        "[1]",
        '[["big", ["big"], [10, null, 1, null, 15, 7], []]]',
        '[["big", ["big"], [10, -1, 1, null, 15, 7], []]]',
        '[["", ["big"], [10, 1, 1, null, 15, 7], []]]',
        '[["big", ["big"], [1, 1, 1, 1, 1, 0], [[5, 1, 1, 1, 1, 1], [5, 1, 1, 1, 1, 1]]]]',
        "nothing",
    ],
)
def test_what_is_no_listing_is_refused(listings: str) -> None:
    with pytest.raises(ValueError, match=r"Expected|must rise|malformed"):
        catalogue.listings_of(listings)
