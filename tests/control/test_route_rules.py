"""Route rules."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import models, route_rules
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.registry import GLOBAL_ROUTE_KEY, RouteType
from tests.desks import ANN

pytestmark = pytest.mark.anyio

CODER = {"route_type": "AGENT", "route_key": "coder", "model_id": "m"}


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await models.create(desk, ANN, {"code": "m"})
    await models.create(desk, ANN, {"code": "n"})
    return desk


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def test_rules_come_by_how_specific_they_are_then_in_their_chains(desk: Desk) -> None:
    for kind, key, priority in (("GLOBAL", "", 1), ("CAPABILITY", "vision", 1), ("AGENT", "coder", 9)):
        await route_rules.create(
            desk, ANN, {"route_type": kind, "route_key": key, "model_id": "m", "priority": priority}
        )
    await route_rules.create(desk, ANN, {**CODER, "model_id": "N", "priority": 2})

    found = await route_rules.listing(desk)

    assert [(rule.route_type, rule.route_key, rule.priority) for rule in found] == [
        (RouteType.AGENT, "coder", 2),
        (RouteType.AGENT, "coder", 9),
        (RouteType.CAPABILITY, "vision", 1),
        (RouteType.GLOBAL, GLOBAL_ROUTE_KEY, 1),
    ]
    assert desk.snapshot().registry.route_rules != ()


async def test_a_rule_is_changed_and_deleted(desk: Desk) -> None:
    made = await route_rules.create(desk, ANN, CODER)
    changed = await route_rules.update(
        desk, ANN, made.id, {"model_id": "n", "route_key": "writer", "is_enabled": False, "note": "for now"}
    )
    assert (changed.route_key, changed.is_enabled, changed.note) == ("writer", False, "for now")
    assert changed.model_id != made.model_id

    await route_rules.delete(desk, ANN, made.id)
    with pytest.raises(NotFound):
        await route_rules.get(desk, made.id)


async def test_one_type_key_and_model_is_one_rule(desk: Desk) -> None:
    made = await route_rules.create(desk, ANN, CODER)
    other = await route_rules.create(desk, ANN, {**CODER, "model_id": "n"})

    taken = {"model_id": "is the target of such a rule already"}
    assert await faults(route_rules.create(desk, ANN, CODER)) == taken
    assert await faults(route_rules.update(desk, ANN, other.id, {"model_id": "m"})) == taken
    assert await route_rules.update(desk, ANN, made.id, {"model_id": "m"})


BAD: list[tuple[dict[str, object], str]] = [
    ({**CODER, "route_type": "PERSON"}, "route_type"),
    ({**CODER, "route_key": ""}, "route_key"),
    ({**CODER, "route_key": GLOBAL_ROUTE_KEY}, "route_key"),
    ({**CODER, "route_type": "GLOBAL"}, "route_key"),
    ({**CODER, "model_id": "nowhere"}, "model_id"),
    ({**CODER, "priority": -1}, "priority"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=str)
async def test_what_cannot_be_a_rule_is_named(desk: Desk, body: dict[str, object], field: str) -> None:
    assert list(await faults(route_rules.create(desk, ANN, body))) == [field]


async def test_a_deprecated_model_cannot_be_a_target(desk: Desk) -> None:
    n = next(model for model in await models.listing(desk) if model.code == "n")
    made = await route_rules.create(desk, ANN, CODER)
    await models.update(desk, ANN, n.id, {"status": "DEPRECATED"})

    for attempt in (
        route_rules.create(desk, ANN, {**CODER, "model_id": "n"}),
        route_rules.update(desk, ANN, made.id, {"model_id": n.id}),
    ):
        assert await faults(attempt) == {"model_id": "must not be n, which is DEPRECATED"}


async def test_a_model_that_rules_point_at_is_not_deleted_and_up_to_five_are_named(desk: Desk) -> None:
    m = next(model for model in await models.listing(desk) if model.code == "m")
    for number in range(7):
        await route_rules.create(desk, ANN, {**CODER, "route_key": f"agent-{number}"})
    await models.update(desk, ANN, m.id, {"status": "DISABLED"})

    with pytest.raises(Conflict) as refused:
        await models.delete(desk, ANN, m.id)

    assert "AGENT agent-4 and 2 more" in refused.value.message
    for rule in await route_rules.listing(desk):
        await route_rules.delete(desk, ANN, rule.id)
    await models.delete(desk, ANN, m.id)
