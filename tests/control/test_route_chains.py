"""Route rules as chains: who wins, why not the others, and moving one."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import backends, models, route_chains, route_rules
from gateway.control.desk import Desk
from gateway.errors import NotFound
from gateway.model.registry import RouteRule, RouteType
from tests.desks import ANN

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    """Models m and n that serve, and draft that does not."""
    await backends.create(desk, ANN, {"name": "acme", "base_url": "https://a.example", "models": ["m", "n"]})
    await models.create(desk, ANN, {"code": "draft"})
    return desk


async def ruled(desk: Desk, model: str, **changes: Any) -> RouteRule:
    body = {"route_type": "AGENT", "route_key": "coder", "model_id": model, **changes}
    return await route_rules.create(desk, ANN, body)


def order(desk: Desk) -> list[tuple[str, int]]:
    return [(link.model.code, link.rule.priority) for link in route_chains.chains(desk.snapshot())[0].links]


async def test_the_first_rule_that_can_win_does_and_the_others_say_why_not(desk: Desk) -> None:
    await ruled(desk, "m", priority=1, is_enabled=False)
    await ruled(desk, "draft", priority=2)
    await ruled(desk, "n", priority=3)

    (chain,) = route_chains.chains(desk.snapshot())

    assert (chain.route_type, chain.route_key) == (RouteType.AGENT, "coder")
    assert [(link.model.code, link.fault, link.wins) for link in chain.links] == [
        ("m", "The rule is switched off.", False),
        ("draft", "The model is DRAFT.", False),
        ("n", "", True),
    ]
    assert chain.winner is not None and chain.winner.code == "n"


async def test_only_one_rule_of_a_chain_wins(desk: Desk) -> None:
    await ruled(desk, "m", priority=1)
    await ruled(desk, "n", priority=1)

    (chain,) = route_chains.chains(desk.snapshot())

    assert [link.wins for link in chain.links] == [True, False]
    assert [link.fault for link in chain.links] == ["", ""]


async def test_a_model_without_a_backend_does_not_win(desk: Desk) -> None:
    await ruled(desk, "m")
    await backends.set_enabled(desk, ANN, next(iter(desk.snapshot().backends)), enabled=False)

    (chain,) = route_chains.chains(desk.snapshot())

    assert chain.winner is None
    assert chain.links[0].fault.startswith("Nothing can serve it: provider acme has no active key")


async def test_chains_come_by_how_specific_they_are_then_by_key(desk: Desk) -> None:
    for kind, key in (("GLOBAL", ""), ("CAPABILITY", "vision"), ("AGENT", "writer"), ("AGENT", "coder")):
        await ruled(desk, "m", route_type=kind, route_key=key)

    assert [(chain.route_type.value, chain.route_key) for chain in route_chains.chains(desk.snapshot())] == [
        ("AGENT", "coder"),
        ("AGENT", "writer"),
        ("CAPABILITY", "vision"),
        ("GLOBAL", "__global__"),
    ]


async def test_a_rule_moves_one_place_and_its_chain_gets_room(desk: Desk) -> None:
    await ruled(desk, "m", priority=50)
    await ruled(desk, "n", priority=50)
    other = await ruled(desk, "m", route_key="writer", priority=7)
    first, second = (link.rule for link in route_chains.chains(desk.snapshot())[0].links)
    codes = [code for code, _ in order(desk)]

    await route_chains.move(desk, ANN, second.id, up=True)
    assert order(desk) == [(codes[1], 10), (codes[0], 20)]
    await route_chains.move(desk, ANN, second.id, up=False)
    assert order(desk) == [(codes[0], 10), (codes[1], 20)]
    assert (await route_rules.get(desk, other.id)).priority == 7
    assert (await route_rules.get(desk, first.id)).version == 3


async def test_at_its_end_a_rule_stays_where_it_is(desk: Desk) -> None:
    made = await ruled(desk, "m", priority=5)

    await route_chains.move(desk, ANN, made.id, up=True)
    await route_chains.move(desk, ANN, made.id, up=False)

    assert await route_rules.get(desk, made.id) == made
    with pytest.raises(NotFound):
        await route_chains.move(desk, ANN, "nowhere", up=True)
