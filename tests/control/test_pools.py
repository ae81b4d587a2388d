"""Pools."""

from __future__ import annotations

import pytest

from gateway.control import backends, pools
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio


async def test_a_pool_is_made_changed_and_deleted(desk: Desk) -> None:
    made = await pools.create(desk, ANN, {"name": "Spare", "tier": 5})
    assert (made.name, made.cooldown_base_seconds, made.cooldown_cap_seconds, made.max_attempts) == ("spare", 5, 300, 4)

    changed = await pools.update(desk, ANN, made.id, {"wait_seconds": 0, "cooldown_jitter": 0})
    assert await pools.get(desk, made.id) == changed
    assert [pool.name for pool in await pools.listing(desk)] == ["primary", "fallback", "spare"]

    await pools.delete(desk, ANN, made.id)
    with pytest.raises(NotFound):
        await pools.get(desk, made.id)


async def test_names_are_unique(desk: Desk) -> None:
    with pytest.raises(InvalidFields, match="is taken"):
        await pools.create(desk, ANN, {"name": "primary"})


async def test_the_longest_rest_is_not_shorter_than_the_first(desk: Desk) -> None:
    made = await pools.create(desk, ANN, {"name": "a"})
    for raw in ({"cooldown_base_seconds": 301}, {"cooldown_cap_seconds": 4}):
        with pytest.raises(InvalidFields, match="cooldown_cap_seconds"):
            await pools.update(desk, ANN, made.id, raw)


async def test_a_pool_in_use_is_not_deleted_and_says_by_what(office: Office) -> None:
    desk = office.desk
    primary = (await pools.listing(desk))[0]
    for number in range(7):
        office.clock.advance(1)
        await backends.create(desk, ANN, {"name": "a", "base_url": "https://a.example", "label": f"k{number}"})

    with pytest.raises(Conflict) as refused:
        await pools.delete(desk, ANN, primary.id)

    assert refused.value.message == (
        "Pool primary is in use by a/k0, a/k1, a/k2, a/k3, a/k4 and 2 more; move them to another pool first."
    )
    assert await pools.get(desk, primary.id) == primary
