"""What an operator can do to route rules: which model serves a purpose."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import GLOBAL_ROUTE_KEY, Model, ModelStatus, RouteRule, RouteType
from gateway.store import models, route_rules
from gateway.store.database import Tx

FIELDS: Table = (
    Field(
        "route_type",
        Kind.CHOICE,
        "What it goes by; AGENT before BUSINESS before CAPABILITY before GLOBAL.",
        required=True,
        choices=tuple(RouteType),
    ),
    Field("route_key", Kind.TEXT, "Which agent, business or capability; left out for GLOBAL.", default="", most=100),
    Field("model_id", Kind.TEXT, "The model, by id or code.", required=True),
    Field("priority", Kind.INT, "Lower is asked first within a chain.", default=50, least=0, most=1000),
    Field("is_enabled", Kind.BOOL, "Whether it is looked at.", default=True),
    Field("note", Kind.PARAGRAPH, "Why it is there.", default=""),
)


async def listing(desk: Desk) -> tuple[RouteRule, ...]:
    """The most specific type first, each chain in its order."""
    async with desk.db.read() as tx:
        found = await route_rules.every(tx)
    order = list(RouteType)
    return tuple(sorted(found, key=lambda rule: order.index(rule.route_type)))


async def get(desk: Desk, rule_id: str) -> RouteRule:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await route_rules.get(tx, rule_id), "route rule")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> RouteRule:
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        model = await _target(change.tx, values["model_id"])
        rule = RouteRule(id=new_id(), **_typed(values, model), created_at=change.at, updated_at=change.at)
        await _require_sound(change, rule)
        await route_rules.insert(change.tx, rule)
        change.note("create", "route_rule", rule.id, None, rule)
        return rule


async def update(desk: Desk, actor: Actor, rule_id: str, raw: Mapping[str, object], *, text: bool = False) -> RouteRule:
    values = read(editable(FIELDS), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await route_rules.get(change.tx, rule_id), "route rule")
        require_current(before, values, "route rule")
        model = await _target(change.tx, values["model_id"]) if "model_id" in values else None
        after = replace(before, **_typed(values, model), updated_at=change.at, version=before.version + 1)
        await _require_sound(change, after)
        await route_rules.update(change.tx, after)
        change.note("update", "route_rule", after.id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, rule_id: str) -> None:
    """Raises NotFound."""
    async with desk.change(actor) as change:
        rule = require(await route_rules.get(change.tx, rule_id), "route rule")
        await route_rules.delete(change.tx, rule.id)
        change.note("delete", "route_rule", rule.id, rule, None)


def _typed(values: Values, model: Model | None) -> Values:
    """`values` as the row holds them; a GLOBAL rule has the reserved key."""
    typed = dict(values)
    if model is not None:
        typed["model_id"] = model.id
    if "route_type" in typed:
        typed["route_type"] = RouteType(typed["route_type"])
        if typed["route_type"] is RouteType.GLOBAL and typed.get("route_key", "") == "":
            typed["route_key"] = GLOBAL_ROUTE_KEY
    return typed


async def _require_sound(change: Change, rule: RouteRule) -> None:
    if (rule.route_type is RouteType.GLOBAL) != (rule.route_key == GLOBAL_ROUTE_KEY):
        wanted = "must be left out for GLOBAL" if rule.route_type is RouteType.GLOBAL else "must name what it goes by"
        raise InvalidFields({"route_key": f"{wanted}; {GLOBAL_ROUTE_KEY} is kept for GLOBAL"})
    if not rule.route_key:
        raise InvalidFields({"route_key": "must name what it goes by"})
    for other in await route_rules.of_model(change.tx, rule.model_id):
        if other.id != rule.id and (other.route_type, other.route_key) == (rule.route_type, rule.route_key):
            raise InvalidFields({"model_id": "is the target of such a rule already"})


async def _target(tx: Tx, wanted: str) -> Model:
    model = await models.get(tx, wanted) or await models.by_code(tx, wanted.lower())
    if model is None:
        raise InvalidFields({"model_id": "names no model"})
    if model.status is ModelStatus.DEPRECATED:
        raise InvalidFields({"model_id": f"must not be {model.code}, which is DEPRECATED"})
    return model
