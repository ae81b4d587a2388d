"""The prices that a model has and a mapping may override: fields of a form, components of a price."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.control.fields import Field, Kind

PRICES: Mapping[str, str] = MappingProxyType(
    {
        "input_price": "input",
        "output_price": "output",
        "cache_read_price": "cache_read",
        "cache_creation_price": "cache_creation",
        "request_price": "per_request",
        "cache_creation_1h_price": "cache_creation_1h",
    }
)
"""Names of the fields, and of the components that they set."""

TIERS = "price_tiers"
"""The field of the further tiers."""

_ABOUT = {
    "input_price": "Dollars per million input tokens",
    "output_price": "Dollars per million output tokens",
    "cache_read_price": "Dollars per million tokens read from a cache",
    "cache_creation_price": "Dollars per million tokens written to a cache for five minutes",
    "request_price": "Dollars per request",
    "cache_creation_1h_price": "Dollars per million tokens written to a cache for an hour",
}

_ABOUT_TIERS = (
    "Token prices of whole calls with more than so many input tokens, cached ones among them, strictly rising"
)


def price_fields(*null: str) -> tuple[Field, ...]:
    """One nullable field per price, and the further tiers; `null` says what null means, once for all or for each."""
    meanings = null if len(null) > 1 else null * (len(PRICES) + 1)
    *of_parts, of_tiers = meanings
    flat = (
        Field(name, Kind.DOLLARS, f"{_ABOUT[name]}{meaning}.", nullable=True)
        for name, meaning in zip(PRICES, of_parts, strict=True)
    )
    return (*flat, Field(TIERS, Kind.PRICE_TIERS, f"{_ABOUT_TIERS}{of_tiers}.", nullable=True))
