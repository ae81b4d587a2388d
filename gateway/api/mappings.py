"""`/api/admin/mappings`. Prices are exact decimal strings in dollars; null inherits the model's."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Collection, operations
from gateway.control import mappings
from gateway.control.desk import Desk
from gateway.control.price_kinds import TierShown, tier_shown
from gateway.model.registry import ModelMapping, UpstreamAlias
from gateway.money import exact_dollars


class MappingShown(msgspec.Struct, frozen=True):
    """How one provider serves a model."""

    id: str
    provider_id: str
    model_id: str
    upstream_name: str
    aliases: tuple[UpstreamAlias, ...]
    input_price: str | None
    output_price: str | None
    cache_read_price: str | None
    cache_creation_price: str | None
    request_price: str | None
    capabilities: tuple[str, ...] | None
    is_active: bool
    is_available: bool
    created_at: int
    updated_at: int
    version: int
    cache_creation_1h_price: str | None
    price_tiers: tuple[TierShown, ...] | None


def mapping_shown(desk: Desk, row: ModelMapping) -> MappingShown:
    return MappingShown(
        id=row.id,
        provider_id=row.provider_id,
        model_id=row.model_id,
        upstream_name=row.upstream_name,
        aliases=row.aliases,
        input_price=_dollars(row.price.input),
        output_price=_dollars(row.price.output),
        cache_read_price=_dollars(row.price.cache_read),
        cache_creation_price=_dollars(row.price.cache_creation),
        request_price=_dollars(row.price.per_request),
        capabilities=row.capabilities,
        is_active=row.is_active,
        is_available=row.is_available,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        cache_creation_1h_price=_dollars(row.price.cache_creation_1h),
        price_tiers=None if row.price.tiers is None else tuple(tier_shown(tier) for tier in row.price.tiers),
    )


def _dollars(nano: int | None) -> str | None:
    return None if nano is None else exact_dollars(nano)


OPERATIONS = operations(
    Collection(
        noun="mapping",
        path="/mappings",
        table=mappings.FIELDS,
        answer=MappingShown,
        listing=mappings.listing,
        get=mappings.get,
        create=mappings.create,
        update=mappings.update,
        delete=mappings.delete,
        shown=mapping_shown,
    )
)
