"""What a mapping makes of its model: the names that the provider knows it by, its price, what it can do."""

from __future__ import annotations

from gateway.model.registry import ApiFormat, Model, ModelMapping, Price, PriceOverride


def upstream_names(mapping: ModelMapping, api_format: ApiFormat) -> tuple[str, ...]:
    """Names to ask for in this format: the aliases of the lowest priority, else the one name."""
    fitting = [alias for alias in mapping.aliases if not alias.api_formats or api_format in alias.api_formats]
    first = min((alias.priority for alias in fitting), default=0)
    return tuple(alias.name for alias in fitting if alias.priority == first) or (mapping.upstream_name,)


def price_there(price: Price | None, override: PriceOverride) -> Price | None:
    """The model's price with what the mapping says differently; None where a token still has no price.

    A cached token that was priced like an input token stays so when only the input's price differs.
    """
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
    )


def capabilities_there(mapping: ModelMapping, model: Model) -> frozenset[str] | None:
    """The mapping's own set, else the model's; None is unknown."""
    found = model.capabilities if mapping.capabilities is None else mapping.capabilities
    return None if found is None else frozenset(found)


def _known(price: Price | None) -> PriceOverride:
    if price is None:
        return PriceOverride()
    return PriceOverride(
        input=price.input,
        output=price.output,
        cache_read=None if price.cache_read == price.input else price.cache_read,
        cache_creation=None if price.cache_creation == price.input else price.cache_creation,
        per_request=price.per_request,
    )


def _either(own: int | None, inherited: int | None) -> int | None:
    return inherited if own is None else own
