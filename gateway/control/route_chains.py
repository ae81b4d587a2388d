"""Route rules as chains: who wins now for a purpose, why not the ones before, and moving one in its chain."""

from __future__ import annotations

import itertools

import msgspec
from msgspec.structs import replace

from gateway.control import routable
from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.model.people import Actor
from gateway.model.registry import Model, ModelStatus, RouteRule, RouteType
from gateway.routing.snapshot import Snapshot
from gateway.store import route_rules

_STEP = 10
_LAST_PRIORITY = 1000


class Link(msgspec.Struct, frozen=True):
    """A rule in its chain. `fault` is why it cannot win, empty where it could; `wins` is the first that can."""

    rule: RouteRule
    model: Model
    fault: str
    wins: bool


class Chain(msgspec.Struct, frozen=True):
    """The rules of one type and key, in the order in which they are asked."""

    route_type: RouteType
    route_key: str
    links: tuple[Link, ...]

    @property
    def winner(self) -> Model | None:
        return next((link.model for link in self.links if link.wins), None)


def chains(snapshot: Snapshot) -> tuple[Chain, ...]:
    """The most specific type first, then by key."""
    order = list(RouteType)
    rules = sorted(
        snapshot.registry.route_rules,
        key=lambda rule: (order.index(rule.route_type), rule.route_key, rule.priority, rule.id),
    )
    grouped = itertools.groupby(rules, key=lambda rule: (rule.route_type, rule.route_key))
    return tuple(_chain(snapshot, route_type, key, tuple(found)) for (route_type, key), found in grouped)


async def move(desk: Desk, actor: Actor, rule_id: str, *, up: bool) -> None:
    """One place up or down in its chain, which gets priorities with room between them; at its end nothing moves.

    Raises NotFound.
    """
    async with desk.change(actor) as change:
        rule = require(await route_rules.get(change.tx, rule_id), "route rule")
        chain = [
            row
            for row in await route_rules.every(change.tx)
            if (row.route_type, row.route_key) == (rule.route_type, rule.route_key)
        ]
        place = chain.index(rule)
        other = place - 1 if up else place + 1
        if not 0 <= other < len(chain):
            return
        chain[place], chain[other] = chain[other], chain[place]
        step = min(_STEP, max(1, _LAST_PRIORITY // len(chain)))
        for number, row in enumerate(chain):
            priority = min((number + 1) * step, _LAST_PRIORITY)
            if row.priority != priority:
                after = replace(row, priority=priority, updated_at=change.at, version=row.version + 1)
                await route_rules.update(change.tx, after)
                change.note("update", "route_rule", row.id, row, after)


def _chain(snapshot: Snapshot, route_type: RouteType, key: str, rules: tuple[RouteRule, ...]) -> Chain:
    models = {model.id: model for model in snapshot.registry.models}
    links: list[Link] = []
    for rule in rules:
        model = models[rule.model_id]
        fault = _fault(snapshot, rule, model)
        links.append(Link(rule, model, fault, not fault and not any(link.wins for link in links)))
    return Chain(route_type, key, tuple(links))


def _fault(snapshot: Snapshot, rule: RouteRule, model: Model) -> str:
    if not rule.is_enabled:
        return "The rule is switched off."
    if model.status is not ModelStatus.ENABLED:
        return f"The model is {model.status}."
    if not routable.is_routable(snapshot, model.id):
        return f"Nothing can serve it: {routable.missing(snapshot.registry, model.id)}."
    return ""
