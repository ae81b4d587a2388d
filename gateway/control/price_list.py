"""What each model costs at each provider that serves it, and whose word that is."""

from __future__ import annotations

import msgspec

from gateway.control.desk import Desk
from gateway.model.registry import Model, ModelMapping, Price, PriceOverride, PriceTable, Provider
from gateway.model.sums import DAY_MS, HOUR_MS, whole
from gateway.money import exact_dollars
from gateway.routing.mapped import own_price
from gateway.routing.snapshot import Snapshot
from gateway.store import figures
from gateway.store.figure_pieces import Question

SEEN_DAYS = 7


class Effective(msgspec.Struct, frozen=True):
    """How a mapped model is priced at one provider; `table` None is unpriced."""

    mapping: ModelMapping
    model: Model
    provider: Provider
    table: PriceTable | None

    @property
    def is_overridden(self) -> bool:
        """Whether the mapping says something of the price itself."""
        return self.mapping.price != PriceOverride()


class Unpriced(msgspec.Struct, frozen=True):
    """A model that was used in the last seven days without a price. `served` are those of its ways without one now.

    It has none where it was priced since, or was asked for by a provider's own name.
    """

    model: str
    calls: int
    served: tuple[Effective, ...]


class TierListed(msgspec.Struct, frozen=True):
    """Dollars per million tokens, for calls of at most `up_to` input tokens, cached ones among them; null is any."""

    up_to: int | None
    input: str
    output: str
    cache_read: str
    cache_creation: str
    cache_creation_1h: str


class PriceListed(msgspec.Struct, frozen=True):
    """What a model costs at a provider; without `tiers` it is unpriced. `origin` says whose word it is.

    `per_request` is in dollars. `is_overridden`: the mapping says something of it itself.
    """

    mapping_id: str
    model: str
    provider: str
    upstream_name: str
    origin: str
    is_overridden: bool
    is_active: bool
    tiers: tuple[TierListed, ...]
    per_request: str
    version: int


def effective(snapshot: Snapshot, text: str = "", model_id: str | None = None) -> tuple[Effective, ...]:
    """By model, then provider; `text` is inside the name of either or the provider's name for it. None is any model."""
    registry = snapshot.registry
    providers = {provider.id: provider for provider in registry.providers}
    found = [
        Effective(mapping, model, provider, snapshot.prices[mapping.id])
        for mapping in registry.mappings
        if model_id is None or mapping.model_id == model_id
        for model, provider in [(snapshot.models_by_id[mapping.model_id], providers[mapping.provider_id])]
        if _holds(text.lower(), model.code, provider.name, mapping.upstream_name)
    ]
    return tuple(sorted(found, key=lambda one: (one.model.code, one.provider.name)))


def of_model(snapshot: Snapshot, model: Model) -> PriceTable | None:
    """What it costs as a rule: the operator's word, else what it costs first where it is served."""
    if model.price is not None:
        return own_price(model)
    return next((lane.price for lane in snapshot.lanes.get(model.id, ()) if lane.price is not None), None)


async def unpriced(desk: Desk) -> tuple[Unpriced, ...]:
    """The most used first."""
    now = desk.clock.wall_ms() + 1
    seen = Question(whole(now - SEEN_DAYS * DAY_MS, HOUR_MS), now, "model")
    groups = await desk.db.read_at_once(lambda tx: figures.sums(tx, seen))
    without = [one for one in effective(desk.snapshot()) if one.table is None]
    found = [
        Unpriced(group.first, group.sums.unpriced, tuple(one for one in without if one.model.code == group.first))
        for group in groups
        if group.sums.unpriced and group.first
    ]
    return tuple(sorted(found, key=lambda one: (-one.calls, one.model)))


def listed(one: Effective) -> PriceListed:
    table = one.table
    return PriceListed(
        mapping_id=one.mapping.id,
        model=one.model.code,
        provider=one.provider.name,
        upstream_name=one.mapping.upstream_name,
        origin="" if table is None else table.origin,
        is_overridden=one.is_overridden,
        is_active=one.mapping.is_active,
        tiers=() if table is None else tiers_listed(table),
        per_request="0" if table is None else exact_dollars(table.base.per_request),
        version=one.mapping.version,
    )


def tiers_listed(table: PriceTable) -> tuple[TierListed, ...]:
    """Every tier from the first, each up to where the next begins."""
    ends = (*(tier.above for tier in table.tiers), None)
    prices = (table.base, *(tier.price for tier in table.tiers))
    return tuple(_tier(end, price) for end, price in zip(ends, prices, strict=True))


def _tier(up_to: int | None, price: Price) -> TierListed:
    return TierListed(
        up_to=up_to,
        input=exact_dollars(price.input),
        output=exact_dollars(price.output),
        cache_read=exact_dollars(price.cache_read),
        cache_creation=exact_dollars(price.cache_creation),
        cache_creation_1h=exact_dollars(price.written_for_an_hour),
    )


def _holds(text: str, *names: str) -> bool:
    return any(text in name.lower() for name in names)
