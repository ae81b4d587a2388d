"""What an operator can do to models: their life cycle and their prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.errors import Conflict, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import MODEL_TRANSITIONS, Model, ModelStatus, Price
from gateway.store import models
from gateway.store.database import Tx
from gateway.store.models import price_of

_PER_MILLION = "Dollars per million {}; null is unpriced."
_PRICES = ("input_price", "output_price", "cache_read_price", "cache_creation_price", "request_price")

FIELDS: Table = (
    Field("code", Kind.MODEL_CODE, "Unique public name, lower case.", required=True),
    Field("display_name", Kind.TEXT, "Name for people.", default=""),
    Field(
        "status",
        Kind.CHOICE,
        "Only ENABLED models serve.",
        default=ModelStatus.ENABLED.value,
        choices=tuple(ModelStatus),
    ),
    Field("input_price", Kind.DOLLARS, _PER_MILLION.format("input tokens"), nullable=True),
    Field("output_price", Kind.DOLLARS, _PER_MILLION.format("output tokens"), nullable=True),
    Field(
        "cache_read_price",
        Kind.DOLLARS,
        "Dollars per million tokens read from a cache; null is the input price.",
        nullable=True,
    ),
    Field(
        "cache_creation_price",
        Kind.DOLLARS,
        "Dollars per million tokens written to a cache; null is the input price.",
        nullable=True,
    ),
    Field("request_price", Kind.DOLLARS, "Dollars per request; null is none.", nullable=True),
)


async def listing(desk: Desk) -> tuple[Model, ...]:
    """By code."""
    async with desk.db.read() as tx:
        return await models.every(tx)


async def get(desk: Desk, model_id: str) -> Model:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await models.get(tx, model_id), "model")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> Model:
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        return await add(change, values)


async def update(desk: Desk, actor: Actor, model_id: str, raw: Mapping[str, object], *, text: bool = False) -> Model:
    values = read(FIELDS, raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await models.get(change.tx, model_id), "model")
        after = replace(
            before,
            code=values.get("code", before.code),
            display_name=values.get("display_name", before.display_name),
            status=_next_status(before.status, ModelStatus(values.get("status", before.status))),
            price=_price({**_kept_prices(before.price, values), **values}),
            updated_at=change.at,
        )
        await _require_free_code(change.tx, after)
        await models.update(change.tx, after)
        change.note("update", "model", after.id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, model_id: str) -> None:
    """With its mappings. Raises NotFound, or Conflict while it is ENABLED."""
    async with desk.change(actor) as change:
        model = require(await models.get(change.tx, model_id), "model")
        if model.status is ModelStatus.ENABLED:
            raise Conflict(f"Model {model.code} is ENABLED; disable it before you delete it.")
        await models.delete(change.tx, model.id)
        change.note("delete", "model", model.id, model, None)


async def add(change: Change, values: Values) -> Model:
    model = Model(
        id=new_id(),
        code=values["code"],
        display_name=values["display_name"],
        status=ModelStatus(values["status"]),
        price=_price(values),
        created_at=change.at,
        updated_at=change.at,
    )
    await _require_free_code(change.tx, model)
    await models.insert(change.tx, model)
    change.note("create", "model", model.id, None, model)
    return model


def new_values(code: str) -> Values:
    """What a model is that was only named: enabled and unpriced."""
    return read(FIELDS, {"code": code}, partial=False, text=False)


def _next_status(before: ModelStatus, after: ModelStatus) -> ModelStatus:
    if after is not before and after not in MODEL_TRANSITIONS[before]:
        ways = " or ".join(sorted(MODEL_TRANSITIONS[before]))
        raise InvalidFields({"status": f"cannot go from {before} to {after}; from {before} it can become {ways}"})
    return after


def _price(values: Values) -> Price | None:
    given = {name: values[name] for name in _PRICES}
    if (given["input_price"] is None) != (given["output_price"] is None):
        missing = "input_price" if given["input_price"] is None else "output_price"
        raise InvalidFields({missing: "is required when the other token price is given"})
    if given["input_price"] is None and any(value is not None for value in given.values()):
        raise InvalidFields({"input_price": "is required, with output_price, when another price is given"})
    return price_of(*(given[name] for name in _PRICES))


def _kept_prices(price: Price | None, values: Values) -> Values:
    """The prices as they were given: those that follow another one follow it again; unpricing takes all."""
    if price is None or values.get("input_price", price.input) is None:
        return dict.fromkeys(_PRICES)
    return {
        "input_price": price.input,
        "output_price": price.output,
        "cache_read_price": None if price.cache_read == price.input else price.cache_read,
        "cache_creation_price": None if price.cache_creation == price.input else price.cache_creation,
        "request_price": price.per_request or None,
    }


async def _require_free_code(tx: Tx, model: Model) -> None:
    other = await models.by_code(tx, model.code)
    if other is not None and other.id != model.id:
        raise InvalidFields({"code": f"is taken: there is already {model.code}"})
