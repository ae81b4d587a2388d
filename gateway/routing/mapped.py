"""What a mapping makes of its model: the names that the provider knows it by, its price, what it can do."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from gateway.model.registry import (
    ApiFormat,
    Model,
    ModelMapping,
    Price,
    PriceOverride,
    PriceTable,
    PriceTier,
)


def upstream_names(mapping: ModelMapping, api_format: ApiFormat) -> tuple[str, ...]:
    """Names to ask for in this format: the aliases of the lowest priority, else the one name."""
    fitting = [alias for alias in mapping.aliases if not alias.api_formats or api_format in alias.api_formats]
    first = min((alias.priority for alias in fitting), default=0)
    return tuple(alias.name for alias in fitting if alias.priority == first) or (mapping.upstream_name,)


def price_there(model: Model, mapping: ModelMapping, listed: PriceTable | None = None) -> PriceTable | None:
    """The model's price, or `listed` where it has none, with what the mapping says differently.

    None where a token still has no price. A cached token that was priced like an input token stays so when only the
    input's price differs. A mapping with both token prices has no tiers but its own.
    """
    inherited, override = own_price(model) or listed, mapping.price
    if override == PriceOverride():
        return inherited
    base = _overridden(None if inherited is None else inherited.base, override)
    if base is None:
        return None
    origin, tiers = f"mapping v{mapping.version}", override.tiers
    if inherited is not None and (override.input is None or override.output is None):
        origin = f"{origin} over {inherited.origin}"
        tiers = inherited.tiers if tiers is None else tiers
    return _table(base, tiers or (), origin)


def own_price(model: Model) -> PriceTable | None:
    """What the operator says that it costs, wherever it is served."""
    return None if model.price is None else _table(model.price, model.price_tiers, f"model v{model.version}")


def capabilities_there(mapping: ModelMapping, model: Model) -> frozenset[str] | None:
    """The mapping's own set, else the model's; None is unknown."""
    found = model.capabilities if mapping.capabilities is None else mapping.capabilities
    return None if found is None else frozenset(found)


def _table(base: Price, tiers: Iterable[PriceTier], origin: str) -> PriceTable:
    """The fee per request is the same in every tier."""
    with_fee = (replace(tier, price=replace(tier.price, per_request=base.per_request)) for tier in tiers)
    return PriceTable(base, tuple(with_fee), origin)


def _overridden(price: Price | None, override: PriceOverride) -> Price | None:
    known = _known(price)
    given, out = _either(override.input, known.input), _either(override.output, known.output)
    if given is None or out is None:
        return None
    cache_read = _either(override.cache_read, known.cache_read)
    cache_creation = _either(override.cache_creation, known.cache_creation)
    return Price(
        input=given,
        output=out,
        cache_read=given if cache_read is None else cache_read,
        cache_creation=given if cache_creation is None else cache_creation,
        per_request=_either(override.per_request, known.per_request) or 0,
        cache_creation_1h=_either(override.cache_creation_1h, known.cache_creation_1h),
    )


def _known(price: Price | None) -> PriceOverride:
    if price is None:
        return PriceOverride()
    return PriceOverride(
        input=price.input,
        output=price.output,
        cache_read=None if price.cache_read == price.input else price.cache_read,
        cache_creation=None if price.cache_creation == price.input else price.cache_creation,
        per_request=price.per_request,
        cache_creation_1h=price.cache_creation_1h,
    )


def _either(own: int | None, inherited: int | None) -> int | None:
    return inherited if own is None else own
