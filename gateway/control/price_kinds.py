"""The further tiers of a price: what a field accepts, what a form says, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from gateway.control import kinds
from gateway.model.registry import Price, PriceTier
from gateway.money import exact_dollars

NOTHING = "none"
"""What stands in a form for no tiers at all, where an empty field inherits them."""

_PARTS = ("input", "output", "cache_read", "cache_creation", "cache_creation_1h")
_MOST_TIERS = 20
_MOST_TOKENS = 1_000_000_000


class TierShown(msgspec.Struct, frozen=True):
    """Prices of calls with more than `above` input tokens, in dollars per million. `cache_creation_1h` null is as
    `cache_creation`."""

    above: int
    input: str
    output: str
    cache_read: str
    cache_creation: str
    cache_creation_1h: str | None


def price_tiers(given: object) -> tuple[PriceTier, ...]:
    """A list of `{"above", "input", "output", ...}`, strictly rising; a cache price left out is the input price."""
    if not isinstance(given, list) or len(given) > _MOST_TIERS:
        raise ValueError(f"must be a list of at most {_MOST_TIERS} tiers with above, input and output")
    found = tuple(_tier(item) for item in given)
    if any(after.above <= before.above for before, after in zip(found, found[1:], strict=False)):
        raise ValueError("must rise: each tier above more tokens than the one before")
    return found


def from_form(text: str) -> list[dict[str, object]]:
    """`above input output`, then the cache prices if wanted, one tier per line; the word none is no tiers."""
    if text.lower() == NOTHING:
        return []
    found: list[dict[str, object]] = []
    for line in text.splitlines():
        words = line.split()
        if words:
            if not 3 <= len(words) <= 1 + len(_PARTS) or not words[0].isdecimal() or len(words[0]) > 10:
                raise ValueError("must be one tier per line: tokens, input price, output price, then cache prices")
            found.append({"above": int(words[0]), **dict(zip(_PARTS, words[1:], strict=False))})
    return found


def for_form(tiers: Sequence[PriceTier] | None) -> str:
    """As `from_form` reads it; empty for None."""
    if tiers is None:
        return ""
    return "\n".join(_line(tier_shown(tier)) for tier in tiers) or NOTHING


def tier_shown(tier: PriceTier) -> TierShown:
    price = tier.price
    return TierShown(
        above=tier.above,
        input=exact_dollars(price.input),
        output=exact_dollars(price.output),
        cache_read=exact_dollars(price.cache_read),
        cache_creation=exact_dollars(price.cache_creation),
        cache_creation_1h=None if price.cache_creation_1h is None else exact_dollars(price.cache_creation_1h),
    )


def _line(shown: TierShown) -> str:
    parts = (shown.input, shown.output, shown.cache_read, shown.cache_creation, shown.cache_creation_1h)
    return " ".join((str(shown.above), *(part for part in parts if part is not None)))


def _tier(item: object) -> PriceTier:
    if not isinstance(item, dict) or not item.keys() <= {"above", *_PARTS}:
        raise ValueError(f"must hold objects with above, {', '.join(_PARTS)} only")
    if item.get("above") is None or item.get("input") is None or item.get("output") is None:
        raise ValueError("must say above, input and output in each tier")
    given, for_an_hour = kinds.dollars(item["input"]), item.get("cache_creation_1h")
    return PriceTier(
        above=kinds.integer(item["above"], 1, _MOST_TOKENS),
        price=Price(
            input=given,
            output=kinds.dollars(item["output"]),
            cache_read=_or(item, "cache_read", given),
            cache_creation=_or(item, "cache_creation", given),
            per_request=0,
            cache_creation_1h=None if for_an_hour is None else kinds.dollars(for_an_hour),
        ),
    )


def _or(item: Mapping[str, object], name: str, default: int) -> int:
    return default if item.get(name) is None else kinds.dollars(item[name])
