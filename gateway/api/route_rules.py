"""`/api/admin/route-rules`: the rules one by one, and as the chains in which they are asked."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Collection, Items, as_is, operations
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import route_chains, route_rules
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.route_chains import Chain
from gateway.model.registry import RouteRule

_MOVE: Table = (
    Field(
        "direction", Kind.CHOICE, "One place in its chain: up is asked earlier.", required=True, choices=("up", "down")
    ),
)


class LinkShown(msgspec.Struct, frozen=True):
    """A rule at its place. `fault` is why it cannot win, empty where it could; `wins` is the first that can."""

    rule_id: str
    model: str
    priority: int
    fault: str
    wins: bool


class ChainShown(msgspec.Struct, frozen=True):
    """The rules of one type and key in order. `winner` is the model that serves now, null for none."""

    route_type: str
    route_key: str
    winner: str | None
    links: tuple[LinkShown, ...]


def _chain_shown(chain: Chain) -> ChainShown:
    return ChainShown(
        route_type=chain.route_type.value,
        route_key=chain.route_key,
        winner=chain.winner.code if chain.winner else None,
        links=tuple(
            LinkShown(link.rule.id, link.model.code, link.rule.priority, link.fault, link.wins) for link in chain.links
        ),
    )


@policy("token")
async def _chains(visit: Visit) -> object:
    found = tuple(_chain_shown(chain) for chain in route_chains.chains(visit.desk.snapshot()))
    return Items(found, len(found))


@policy("token")
async def _move(visit: Visit) -> object:
    direction = read(_MOVE, visit.body, partial=False, text=False)["direction"]
    await route_chains.move(visit.desk, visit.actor, visit.path["id"], up=direction == "up")
    return await route_rules.get(visit.desk, visit.path["id"])


_MANY = f"{PREFIX}/route-rules"

OPERATIONS = (
    Operation(
        "GET",
        f"{_MANY}/chains",
        "list_chains",
        "The rules as chains, and which model wins in each now.",
        _chains,
        ChainShown,
        is_list=True,
    ),
    *operations(
        Collection(
            noun="route rule",
            path="/route-rules",
            table=route_rules.FIELDS,
            answer=RouteRule,
            listing=route_rules.listing,
            get=route_rules.get,
            create=route_rules.create,
            update=route_rules.update,
            delete=route_rules.delete,
            shown=as_is,
        )
    ),
    Operation(
        "POST",
        f"{_MANY}/{{id}}/move",
        "move_route_rule",
        "Have it asked earlier or later in its chain.",
        _move,
        RouteRule,
        200,
        _MOVE,
    ),
)
