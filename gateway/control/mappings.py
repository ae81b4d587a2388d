"""What an operator can do to mappings: which provider serves which model, under which name."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import chosen, require
from gateway.control.prices import PRICES, TIERS, price_fields
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import Model, ModelMapping, PriceOverride
from gateway.store import mappings, models, providers
from gateway.store.database import Tx

FIELDS: Table = (
    Field("provider_id", Kind.TEXT, "The provider, by id or name.", required=True, fixed=True),
    Field("model_id", Kind.TEXT, "The model, by id or code.", required=True, fixed=True),
    Field("upstream_name", Kind.TEXT, "The provider's own name of it; the code where left out.", default="", most=200),
    Field("is_active", Kind.BOOL, "Whether calls may go this way.", default=True),
    Field("is_available", Kind.BOOL, "Whether the provider offers it at present.", default=True),
    Field(
        "aliases",
        Kind.UPSTREAM_ALIASES,
        "Other names at the provider with priority and formats; the lowest that fits is asked for.",
        default=(),
    ),
    *price_fields("; null is the model's"),
    Field("capabilities", Kind.CAPABILITIES, "What it can do here; null is what the model can.", nullable=True),
)


async def listing(desk: Desk) -> tuple[ModelMapping, ...]:
    """Oldest first."""
    async with desk.db.read() as tx:
        return await mappings.every(tx)


async def get(desk: Desk, mapping_id: str) -> ModelMapping:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await mappings.get(tx, mapping_id), "mapping")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> ModelMapping:
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        provider = chosen(await providers.every(change.tx), values["provider_id"], "provider_id", "provider")
        model = await _chosen_model(change.tx, values["model_id"])
        if any(row.model_id == model.id for row in await mappings.of_provider(change.tx, provider.id)):
            raise InvalidFields({"model_id": f"is mapped already: {provider.name} serves {model.code}"})
        return await add(change, {**values, "provider_id": provider.id}, model)


async def update(
    desk: Desk, actor: Actor, mapping_id: str, raw: Mapping[str, object], *, text: bool = False
) -> ModelMapping:
    values = read(editable(FIELDS), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await mappings.get(change.tx, mapping_id), "mapping")
        require_current(before, values, "mapping")
        if values.get("upstream_name") == "":
            values["upstream_name"] = require(await models.get(change.tx, before.model_id), "model").code
        return await revise(change, before, values)


async def delete(desk: Desk, actor: Actor, mapping_id: str) -> None:
    """Raises NotFound."""
    async with desk.change(actor) as change:
        await remove(change, require(await mappings.get(change.tx, mapping_id), "mapping"))


async def add(change: Change, values: Values, model: Model) -> ModelMapping:
    """`values` as FIELDS reads them, with the provider's real id."""
    mapping = ModelMapping(
        id=new_id(),
        provider_id=values["provider_id"],
        model_id=model.id,
        upstream_name=values["upstream_name"] or model.code,
        is_active=values["is_active"],
        created_at=change.at,
        updated_at=change.at,
        aliases=values["aliases"],
        price=_price(PriceOverride(), values),
        capabilities=values["capabilities"],
        is_available=values["is_available"],
    )
    await mappings.insert(change.tx, mapping)
    change.note("create", "mapping", mapping.id, None, mapping)
    return mapping


async def revise(change: Change, before: ModelMapping, values: Values) -> ModelMapping:
    plain = {name: value for name, value in values.items() if name not in (*PRICES, TIERS)}
    price = _price(before.price, values)
    after = replace(before, **plain, price=price, updated_at=change.at, version=before.version + 1)
    await mappings.update(change.tx, after)
    change.note("update", "mapping", after.id, before, after)
    return after


async def remove(change: Change, mapping: ModelMapping) -> None:
    await mappings.delete(change.tx, mapping.id)
    change.note("delete", "mapping", mapping.id, mapping, None)


def new_values(provider_id: str, upstream_name: str) -> Values:
    """What a mapping is of which only the names are known."""
    return {
        **read(FIELDS, {"provider_id": provider_id, "model_id": "-"}, partial=False, text=False),
        "upstream_name": upstream_name,
    }


def _price(before: PriceOverride, values: Values) -> PriceOverride:
    parts = {**PRICES, TIERS: "tiers"}
    return replace(before, **{part: values[name] for name, part in parts.items() if name in values})


async def _chosen_model(tx: Tx, wanted: str) -> Model:
    found = await models.get(tx, wanted) or await models.by_code(tx, wanted.lower())
    if found is None:
        raise InvalidFields({"model_id": "names no model"})
    return found
