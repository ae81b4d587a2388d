"""The five prices that a model has and a mapping may override: fields of a form, components of a price."""

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
    }
)
"""Names of the fields, and of the components that they set."""

_ABOUT = {
    "input_price": "Dollars per million input tokens",
    "output_price": "Dollars per million output tokens",
    "cache_read_price": "Dollars per million tokens read from a cache",
    "cache_creation_price": "Dollars per million tokens written to a cache",
    "request_price": "Dollars per request",
}


def price_fields(*null: str) -> tuple[Field, ...]:
    """One nullable field per price; `null` says what null means, once for all or for each."""
    meanings = null if len(null) == len(PRICES) else null * len(PRICES)
    return tuple(
        Field(name, Kind.DOLLARS, f"{_ABOUT[name]}{meaning}.", nullable=True)
        for name, meaning in zip(PRICES, meanings, strict=True)
    )
