"""What an operator says of the price of a model at one provider, apart from everything else of the mapping."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.control import mappings
from gateway.control.desk import Desk
from gateway.control.fields import Table, read
from gateway.control.prices import PRICES, TIERS, price_fields
from gateway.control.versions import editable
from gateway.model.people import Actor
from gateway.model.registry import ModelMapping

FIELDS: Table = price_fields("; null is what it costs otherwise")


async def put(
    desk: Desk, actor: Actor, mapping_id: str, raw: Mapping[str, object], *, text: bool = False
) -> ModelMapping:
    """All of it: what is left out goes. Raises NotFound, InvalidFields or Stale."""
    read(editable(FIELDS), raw, partial=True, text=text)
    return await mappings.update(desk, actor, mapping_id, {**dict.fromkeys((*PRICES, TIERS)), **raw}, text=text)


async def clear(desk: Desk, actor: Actor, mapping_id: str) -> ModelMapping:
    """The model's price or the catalogue's holds again. Raises NotFound."""
    return await put(desk, actor, mapping_id, {})
