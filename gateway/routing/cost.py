"""What a call costs, in nano-dollars."""

from __future__ import annotations

from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import RATE_UNIT, BillingType, Price, PriceTable
from gateway.money import token_cost
from gateway.routing.snapshot import Backend

# Looked up once: see the breaker's.
_NOTHING_USED, _FREE = UsageSource.NONE, BillingType.FREE_TIER


def cost_lines(usage: Usage, price: Price) -> list[tuple[str, int, int, int]]:
    """Each component as (name, tokens, price per million, cost), the fee per request last with one "token"."""
    parts = (
        ("input", usage.input, price.input),
        ("cache read", usage.cache_read, price.cache_read),
        ("cache creation", usage.cache_creation, price.cache_creation),
        ("cache creation 1h", usage.cache_creation_1h, price.written_for_an_hour),
        ("output", usage.output, price.output),
    )
    lines = [(name, tokens, each, token_cost(tokens, each)) for name, tokens, each in parts if tokens]
    if price.per_request:
        lines.append(("request", 1, price.per_request, price.per_request))
    return lines


def cost_of(usage: Usage, price: Price | None) -> int | None:
    """The sum of the components; 0 where nothing was used, None where what was used has no price."""
    if usage.source is _NOTHING_USED:
        return 0
    if price is None:
        return None
    return sum(cost for _, _, _, cost in cost_lines(usage, price))


def rate_of(backend: Backend) -> int:
    """Actual cost over list cost at this backend, in millionths: for its API format, else its key's own.

    A free tier takes nothing.
    """
    if backend.provider.billing_type is _FREE:
        return 0
    key = backend.key
    return key.rate_multipliers.get(backend.endpoint.api_format.text, key.rate_multiplier)


def actual_cost(cost_nano: int | None, backend: Backend) -> int | None:
    """What the provider takes of the list cost, rounded half up; None stays unknown."""
    if cost_nano is None:
        return None
    return at_rate(cost_nano, rate_of(backend))


def at_rate(cost_nano: int, millionths: int) -> int:
    """The cost times a multiplier, rounded half up."""
    return (2 * cost_nano * millionths + RATE_UNIT) // (2 * RATE_UNIT)


def price_for(table: PriceTable | None, usage: Usage) -> Price | None:
    """The price of the tier that a call of this size is in."""
    return None if table is None else table.at(usage.all_input)


def most_for(table: PriceTable | None, input_tokens: int, output_tokens: int) -> int | None:
    """The list cost, in nano-dollars, that a call of at most so many tokens can have; None is unknown.

    However its input is cached, and whichever tier it falls into.
    """
    if table is None:
        return None
    starts = (0, *(tier.above for tier in table.tiers if tier.above < input_tokens))
    prices = (table.base, *(tier.price for tier in table.tiers))
    ends = (*starts[1:], input_tokens)
    return max(_most_at(price, end, output_tokens) for price, end in zip(prices[: len(starts)], ends, strict=True))


def _most_at(price: Price, input_tokens: int, output_tokens: int) -> int:
    dearest = max(price.input, price.cache_read, price.cache_creation, price.written_for_an_hour)
    # Each component is rounded by itself, so that several of them can be more than their sum rounded once.
    roundings = 2 if dearest and input_tokens else 0
    return token_cost(input_tokens, dearest) + roundings + token_cost(output_tokens, price.output) + price.per_request
