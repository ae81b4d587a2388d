"""The catalogue of list prices as one JSON object, made from the installed package genai-prices.

A program of its own (`python -m gateway.ops.price_source`), so that the serving process never loads that package.
Only facts are taken: which provider lists which model under which names, and at which prices.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version
from itertools import product
from typing import Any

from genai_prices import types
from genai_prices.data import providers

SOURCE = "genai-prices, https://github.com/pydantic/genai-prices"
LICENCE = "MIT, Copyright (c) Pydantic Services Inc. 2025 to present"

_NANO = 10**9
_PARTS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
_NO_SPEECH = "^(?!.*-[tT][tT][sS](?:$|-))"


def catalogue(today: date) -> dict[str, Any]:
    """What each provider lists itself, then what it sells of others, as gateway/store/catalogue.py keeps it."""
    own = {one.id: [row for model in one.models if (row := _listing(model, today))] for one in providers}
    found = {
        one.id: [*own[one.id], *(row for other in one.fallback_model_providers or () for row in own.get(other, ()))]
        for one in providers
    }
    return {
        "date": today.isoformat(),
        "version": version("genai-prices"),
        "source": SOURCE,
        "licence": LICENCE,
        "providers": {name: rows for name, rows in found.items() if rows},
    }


def _listing(model: types.ModelInfo, today: date) -> list[object] | None:
    """None where it has no price for tokens in and out: it stays unpriced."""
    prices = vars(_current(model, today))
    names = list(dict.fromkeys(_names(model.match)))
    if prices.get("input_mtok") is None or prices.get("output_mtok") is None or not names:
        return None
    starts = sorted(
        {
            tier.start
            for part in _PARTS
            if isinstance(found := prices.get(part), types.TieredPrices)
            for tier in found.tiers
        }
    )
    fee = prices.get("requests_kcount")
    base = [*_prices_at(prices, 0), _nano(fee / 1000) if isinstance(fee, Decimal) else 0]
    return [model.id, names, base, [[start, *_prices_at(prices, start + 1)] for start in starts]]


def _current(model: types.ModelInfo, today: date) -> types.ModelPrice:
    """The price that began last, whatever the time of the day."""
    if isinstance(model.prices, types.ModelPrice):
        return model.prices
    for one in reversed(model.prices):
        begins = one.constraint
        if begins is None or (isinstance(begins, types.StartDateConstraint) and begins.start_date <= today):
            return one.prices
    return model.prices[0].prices


def _prices_at(prices: Mapping[str, Any], tokens: int) -> list[int | None]:
    return [_nano(_price_at(prices.get(part), tokens)) for part in _PARTS]


def _price_at(price: Decimal | types.TieredPrices | None, tokens: int) -> Decimal | None:
    if not isinstance(price, types.TieredPrices):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tokens > tier.start), price.base)


def _nano(dollars: Decimal | None) -> int | None:
    return None if dollars is None else round(dollars * _NANO)


def _names(match: Any) -> Iterator[str]:
    """Patterns of which any fits, as catalogue.py knows them; what cannot be said so is left out."""
    if isinstance(match, types.ClauseOr):
        for one in match.or_:
            yield from _names(one)
    elif isinstance(match, types.ClauseAnd):
        for words in product(*(tuple(_names(one)) for one in match.and_)):
            yield " ".join(words)
    else:
        yield from _simple(match)


def _simple(match: Any) -> Iterator[str]:
    if isinstance(match, types.ClauseEquals):
        yield _literal(match.equals)
    elif isinstance(match, types.ClauseStartsWith):
        yield f"{_literal(match.starts_with)}*"
    elif isinstance(match, types.ClauseEndsWith):
        yield f"*{_literal(match.ends_with)}"
    elif isinstance(match, types.ClauseContains):
        yield f"*{_literal(match.contains)}*"
    elif isinstance(match, types.ClauseRegex):
        yield from _glob(match.regex)


def _glob(regex: str) -> Iterator[str]:
    """Those regular expressions that are globs: letters, digits so many times, classes, and an open or shut end."""
    if regex == _NO_SPEECH:
        yield "!*-tts !*-tts-*"
        return
    if not regex.startswith("^"):
        return
    body, is_shut = regex.removeprefix("^").removesuffix("$"), regex.endswith("$")
    found, rest = "", body
    while rest:
        token = re.match(r"\\d(?:\{(\d)\})?|\\([^\w])|(\[[\w@-]+\])|([\w/@=:-])", rest)
        if token is None:
            return
        digits, escaped, group, plain = token.groups()
        found += _literal(escaped) if escaped else group or plain or "[0-9]" * int(digits or 1)
        rest = rest[token.end() :]
    yield found.lower() + ("" if is_shut else "*")


def _literal(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text.lower())


if __name__ == "__main__":
    json.dump(catalogue(datetime.now(UTC).date()), sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")
