"""What an operator can do to models: their life cycle and their prices."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control import routable
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.control.permissions import follow_model
from gateway.control.prices import PRICES, TIERS, price_fields
from gateway.control.versions import editable, require_current
from gateway.errors import Conflict, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import MODEL_TRANSITIONS, Model, ModelStatus, Price, PriceTier
from gateway.store import models, route_rules
from gateway.store.database import Tx
from gateway.store.models import price_of

_PRICES = (*PRICES, TIERS)
_PLAIN = (
    *("display_name", "description", "aliases", "capabilities", "context_limit", "output_limit"),
    *("input_modalities", "output_modalities", "family", "knowledge_cutoff"),
)

FIELDS: Table = (
    Field("code", Kind.MODEL_CODE, "Unique public name, lower case.", required=True),
    Field("display_name", Kind.TEXT, "Name for people.", default=""),
    Field(
        "status",
        Kind.CHOICE,
        "Only ENABLED models serve; it takes a backend that can.",
        default=ModelStatus.DRAFT.value,
        choices=tuple(ModelStatus),
    ),
    Field("description", Kind.PARAGRAPH, "What it is good for.", default=""),
    Field("aliases", Kind.NAMES, "Further names, whole or beginnings with a star, as in gpt-4o-*.", default=()),
    Field(
        "capabilities",
        Kind.CAPABILITIES,
        "All that it can do, such as tools, vision, json_schema; null is unknown, which stops nothing.",
        nullable=True,
    ),
    Field("context_limit", Kind.INT, "Most tokens of a whole call.", nullable=True, least=1, most=100_000_000),
    Field("output_limit", Kind.INT, "Most tokens of an answer.", nullable=True, least=1, most=100_000_000),
    Field("input_modalities", Kind.CAPABILITIES, "What goes in: text, image, audio.", default=()),
    Field("output_modalities", Kind.CAPABILITIES, "What comes out.", default=()),
    Field("family", Kind.TEXT, "Which family it is of.", default="", most=100),
    Field("knowledge_cutoff", Kind.TEXT, "Until when it knows, such as 2025-06.", default="", most=40),
    *price_fields(
        "; null is the catalogue's or unpriced",
        "; null is the catalogue's or unpriced",
        "; null is the input price",
        "; null is the input price",
        "; null is none",
        "; null is the price of five minutes",
        "; null is none",
    ),
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
    """Without a status it is a DRAFT. Raises InvalidFields, also for ENABLED: nothing is mapped to a new model yet."""
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        made = await add(change, values)
        if made.status is ModelStatus.ENABLED:
            _require_routable(desk, made)
        return made


async def update(desk: Desk, actor: Actor, model_id: str, raw: Mapping[str, object], *, text: bool = False) -> Model:
    values = read(editable(FIELDS), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await models.get(change.tx, model_id), "model")
        require_current(before, values, "model")
        price, tiers = _prices({**_kept_prices(before, values), **values})
        after = replace(
            before,
            **{name: values[name] for name in _PLAIN if name in values},
            code=values.get("code", before.code),
            version=before.version + 1,
            status=_next_status(before.status, ModelStatus(values.get("status", before.status))),
            price=price,
            price_tiers=tiers,
            updated_at=change.at,
        )
        await _require_free_names(change.tx, after)
        if after.status is ModelStatus.ENABLED and before.status is not ModelStatus.ENABLED:
            _require_routable(desk, after)
        await models.update(change.tx, after)
        await follow_model(change, before.code, after.code)
        change.note("update", "model", after.id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, model_id: str) -> None:
    """With its mappings. Raises NotFound, or Conflict while it is ENABLED or a route rule points at it."""
    async with desk.change(actor) as change:
        model = require(await models.get(change.tx, model_id), "model")
        if model.status is ModelStatus.ENABLED:
            raise Conflict(f"Model {model.code} is ENABLED; disable it before you delete it.")
        await _require_no_rules(change.tx, model)
        await models.delete(change.tx, model.id)
        change.note("delete", "model", model.id, model, None)


async def add(change: Change, values: Values) -> Model:
    """Whatever its status: who adds an ENABLED one sees to it that something serves it."""
    price, tiers = _prices(values)
    model = Model(
        id=new_id(),
        code=values["code"],
        status=ModelStatus(values["status"]),
        price=price,
        price_tiers=tiers,
        created_at=change.at,
        updated_at=change.at,
        **{name: values[name] for name in _PLAIN},
    )
    await _require_free_names(change.tx, model)
    await models.insert(change.tx, model)
    change.note("create", "model", model.id, None, model)
    return model


def new_values(code: str) -> Values:
    """What a model is that was only named: enabled and unpriced."""
    return read(FIELDS, {"code": code, "status": ModelStatus.ENABLED.value}, partial=False, text=False)


def _next_status(before: ModelStatus, after: ModelStatus) -> ModelStatus:
    if after is not before and after not in MODEL_TRANSITIONS[before]:
        ways = " or ".join(sorted(MODEL_TRANSITIONS[before]))
        raise InvalidFields({"status": f"cannot go from {before} to {after}; from {before} it can become {ways}"})
    return after


def _require_routable(desk: Desk, model: Model) -> None:
    """Raises InvalidFields. Inside a change the snapshot is what was committed last."""
    snapshot = desk.snapshot()
    if not routable.is_routable(snapshot, model.id):
        raise InvalidFields({"status": f"cannot be ENABLED: {routable.missing(snapshot.registry, model.id)}"})


def _prices(values: Values) -> tuple[Price | None, tuple[PriceTier, ...]]:
    given = {name: values[name] for name in _PRICES}
    if (given["input_price"] is None) != (given["output_price"] is None):
        missing = "input_price" if given["input_price"] is None else "output_price"
        raise InvalidFields({missing: "is required when the other token price is given"})
    if given["input_price"] is None and any(value not in (None, ()) for value in given.values()):
        raise InvalidFields({"input_price": "is required, with output_price, when another price is given"})
    return price_of(*(given[name] for name in PRICES)), given[TIERS] or ()


def _kept_prices(before: Model, values: Values) -> Values:
    """The prices as they were given: those that follow another one follow it again; unpricing takes all."""
    price = before.price
    if price is None or values.get("input_price", price.input) is None:
        return dict.fromkeys(_PRICES)
    return {
        "input_price": price.input,
        "output_price": price.output,
        "cache_read_price": None if price.cache_read == price.input else price.cache_read,
        "cache_creation_price": None if price.cache_creation == price.input else price.cache_creation,
        "request_price": price.per_request or None,
        "cache_creation_1h_price": price.cache_creation_1h,
        TIERS: before.price_tiers,
    }


async def _require_free_names(tx: Tx, model: Model) -> None:
    """No two models answer to one name. Raises InvalidFields."""
    taken: dict[str, Model] = {}
    for other in await models.every(tx):
        if other.id != model.id:
            taken.update(dict.fromkeys((other.code, *other.aliases), other))
    if model.code in taken:
        owner = taken[model.code]
        words = f"there is already {model.code}" if owner.code == model.code else f"it is an alias of {owner.code}"
        raise InvalidFields({"code": f"is taken: {words}"})
    for alias in model.aliases:
        if alias == model.code:
            raise InvalidFields({"aliases": f"must not hold the model's own code {alias}"})
        if alias in taken:
            raise InvalidFields({"aliases": f"must not hold {alias}, which is a name of {taken[alias].code}"})


async def _require_no_rules(tx: Tx, model: Model) -> None:
    found = await route_rules.of_model(tx, model.id)
    if found:
        rules = routable.named(found)
        raise Conflict(f"Route rules point at model {model.code}: {rules}; delete them or point them elsewhere.")
