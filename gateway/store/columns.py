"""How lists are kept in a column: as JSON, where NULL is not the same as an empty one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.model.registry import Price, PriceTier


def optional_tuple(column: str | None) -> tuple[str, ...] | None:
    return None if column is None else tuple(json.loads(column))


def optional_json(values: Sequence[str] | None) -> str | None:
    return None if values is None else json.dumps(values)


def tiers(column: str | None) -> tuple[PriceTier, ...] | None:
    return None if column is None else tuple(_tier(*row) for row in json.loads(column))


def tiers_json(found: Sequence[PriceTier] | None) -> str | None:
    """`[above, input, output, cache read, cache creation, the same for an hour]` of each tier."""
    return None if found is None else json.dumps([_tier_row(tier) for tier in found])


def _tier_row(tier: PriceTier) -> list[int | None]:
    price = tier.price
    return [
        *(tier.above, price.input, price.output, price.cache_read, price.cache_creation),
        price.cache_creation_1h,
    ]


def _tier(above: int, *parts: int) -> PriceTier:
    given, out, cache_read, cache_creation, for_an_hour = parts
    return PriceTier(above, Price(given, out, cache_read, cache_creation, 0, for_an_hour))
