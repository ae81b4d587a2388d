"""The catalogue of list prices: one row says which it is, and one more for each provider what it lists.

Listings are kept as they come: `[model, names, prices, further tiers]`, of which prices are input, output, cache read,
cache creation, the same for an hour, and the fee per request, and a tier is tokens and the first five of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import structs

from gateway.model.catalogue import Catalogue, Listing
from gateway.model.registry import Price, PriceTier
from gateway.store.database import Tx
from gateway.store.models import price_of

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Nano = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Tokens = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
_Prices = tuple[_Nano, _Nano, _Nano | None, _Nano | None, _Nano | None, _Nano]
_Tier = tuple[_Tokens, _Nano, _Nano, _Nano | None, _Nano | None, _Nano | None]
_Row = tuple[_Text, tuple[_Text, ...], _Prices, list[_Tier]]

_decoder = msgspec.json.Decoder(list[_Row])


async def head(tx: Tx) -> Catalogue:
    """Without its listings; an empty one where none was ever taken."""
    async with tx.execute("SELECT date, version, source, licence FROM catalogue") as rows:
        row = await rows.fetchone()
    return Catalogue() if row is None else Catalogue(row[0], row[1], row[2], row[3])


async def of_providers(tx: Tx, names: Iterable[str]) -> Catalogue:
    """With the listings of these providers only."""
    found = await head(tx)
    async with tx.execute(
        """
        SELECT provider, listings FROM catalogue_prices
        WHERE provider IN (SELECT value FROM json_each(:names)) ORDER BY provider
        """,
        {"names": json.dumps(list(names))},
    ) as rows:
        return structs.replace(found, listings={row[0]: listings_of(row[1]) for row in await rows.fetchall()})


async def replace(tx: Tx, taken: Catalogue, listings: Mapping[str, str], at: int) -> None:
    """Take this one instead of the one that is there; `listings` are JSON by provider."""
    await tx.execute("DELETE FROM catalogue_prices")
    await tx.execute(
        """
        INSERT INTO catalogue (only, date, version, source, licence, taken_at)
        VALUES (1, :date, :version, :source, :licence, :at)
        ON CONFLICT (only) DO UPDATE SET
          date = :date, version = :version, source = :source, licence = :licence, taken_at = :at
        """,
        {
            "date": taken.date,
            "version": taken.version,
            "source": taken.source,
            "licence": taken.licence,
            "at": at,
        },
    )
    await tx.executemany(
        "INSERT INTO catalogue_prices (provider, listings) VALUES (:provider, :listings)",
        [{"provider": provider, "listings": found} for provider, found in listings.items()],
    )


def listings_of(column: str | bytes) -> tuple[Listing, ...]:
    """Raises ValueError that says what is wrong with them."""
    try:
        return tuple(_listing(*row) for row in _decoder.decode(column))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def _listing(model: str, names: tuple[str, ...], prices: _Prices, tiers: list[_Tier]) -> Listing:
    *parts, fee = prices
    further = tuple(PriceTier(above, _price(0, *parts)) for above, *parts in tiers)
    if any(after.above <= before.above for before, after in zip(further, further[1:], strict=False)):
        raise ValueError(f"the tiers of {model} must rise")
    return Listing(model, names, _price(fee or 0, *parts), further)


def _price(fee: int, *parts: int | None) -> Price:
    """A cache price that is not listed is the input price."""
    found = price_of(parts[0], parts[1], parts[2], parts[3], fee, parts[4])
    assert found is not None  # both token prices are there
    return found
