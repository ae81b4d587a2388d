"""The order of all keys of one API format."""

from __future__ import annotations

import pytest

from gateway.control import endpoints, key_order, pools, provider_keys, providers
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from tests.desks import ANN
from tests.trail import audit_rows

pytestmark = pytest.mark.anyio

CHAT = "openai_chat"


@pytest.fixture
async def ids(desk: Desk) -> dict[str, str]:
    """Three keys by name: two of acme, and one of a provider that goes first by its own priority."""
    for name, priority in (("acme", 50), ("best", 1)):
        await providers.create(desk, ANN, {"name": name, "priority": priority})
        await endpoints.create(desk, ANN, {"provider_id": name, "base_url": f"https://{name}.example/v1"})
    made = [
        await provider_keys.create(desk, ANN, {"provider_id": provider, "name": name, "internal_priority": rank})
        for provider, name, rank in (("acme", "a", 2), ("acme", "b", 1), ("best", "c", 50))
    ]
    return {key.name: key.id for key in made}


def names(desk: Desk) -> list[str]:
    (order,) = key_order.by_format(desk.snapshot())
    return [place.key.name for place in order.keys]


def priorities(desk: Desk) -> list[int | None]:
    (order,) = key_order.by_format(desk.snapshot())
    return [place.priority for place in order.keys]


async def test_keys_without_a_place_go_by_their_usual_priorities(desk: Desk, ids: dict[str, str]) -> None:
    assert names(desk) == ["c", "b", "a"]
    assert priorities(desk) == [None, None, None]


async def test_a_format_that_no_key_is_for_is_left_out(desk: Desk) -> None:
    assert key_order.by_format(desk.snapshot()) == ()


async def test_an_order_is_set_at_once_with_room_between_the_keys(desk: Desk, ids: dict[str, str]) -> None:
    await key_order.reorder(desk, ANN, {"api_format": CHAT, "ids": [ids["a"], ids["c"], ids["b"]]})

    assert names(desk) == ["a", "c", "b"]
    assert priorities(desk) == [10, 20, 30]
    rows = [row for row in await audit_rows(desk) if row.action == "update" and row.object_kind == "provider_key"]
    assert sorted(row.object_id for row in rows) == sorted(ids.values())
    assert {row.config_version for row in rows} == {desk.snapshot().version}


async def test_a_form_sends_the_order_as_one_text(desk: Desk, ids: dict[str, str]) -> None:
    text = ",".join((ids["b"], ids["a"], ids["c"]))
    await key_order.reorder(desk, ANN, {"api_format": CHAT, "ids": text}, text=True)
    assert names(desk) == ["b", "a", "c"]


async def test_a_key_that_keeps_its_place_is_not_touched(desk: Desk, ids: dict[str, str]) -> None:
    order = {"api_format": CHAT, "ids": [ids["a"], ids["b"], ids["c"]]}
    await key_order.reorder(desk, ANN, order)
    await key_order.reorder(desk, ANN, {**order, "ids": [ids["a"], ids["c"], ids["b"]]})

    versions = {key.name: key.version for key in await provider_keys.listing(desk)}
    assert versions == {"a": 2, "b": 3, "c": 3}


async def test_an_order_of_other_keys_than_there_are_is_refused_whole(desk: Desk, ids: dict[str, str]) -> None:
    for wrong in ([ids["a"], ids["b"]], [*ids.values(), "made-up"], []):
        with pytest.raises(Conflict, match="load the list again") as refused:
            await key_order.reorder(desk, ANN, {"api_format": CHAT, "ids": wrong})
        assert refused.value.code == "changed_meanwhile"

    assert priorities(desk) == [None, None, None]


async def test_a_key_moves_one_place_and_no_further_than_the_end(desk: Desk, ids: dict[str, str]) -> None:
    await key_order.move(desk, ANN, ids["a"], CHAT, up=True)
    assert names(desk) == ["c", "a", "b"]
    await key_order.move(desk, ANN, ids["c"], CHAT, up=False)
    assert names(desk) == ["a", "c", "b"]

    version = desk.snapshot().version
    await key_order.move(desk, ANN, ids["a"], CHAT, up=True)
    await key_order.move(desk, ANN, ids["b"], CHAT, up=False)
    assert (names(desk), desk.snapshot().version) == (["a", "c", "b"], version)


async def test_only_a_key_of_the_format_can_be_moved(desk: Desk, ids: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await key_order.move(desk, ANN, "nowhere", CHAT, up=True)
    with pytest.raises(NotFound):
        await key_order.move(desk, ANN, ids["a"], "made_up", up=True)


async def test_a_key_is_put_at_a_number_or_taken_out_of_the_order(desk: Desk, ids: dict[str, str]) -> None:
    await key_order.put(desk, ANN, ids["a"], {"api_format": CHAT, "priority": "0"}, text=True)
    assert (names(desk), priorities(desk)) == (["a", "c", "b"], [0, None, None])

    await key_order.put(desk, ANN, ids["a"], {"api_format": CHAT, "priority": ""}, text=True)
    assert names(desk) == ["c", "b", "a"]
    with pytest.raises(InvalidFields, match="priority"):
        await key_order.put(desk, ANN, ids["a"], {"api_format": CHAT, "priority": -1})
    with pytest.raises(NotFound):
        await key_order.put(desk, ANN, "nowhere", {"api_format": CHAT, "priority": 1})


async def test_a_key_says_whether_its_pool_goes_by_the_order(desk: Desk, ids: dict[str, str]) -> None:
    pool = next(pool for pool in await pools.listing(desk) if pool.name == "primary")
    assert not any(place.counts for order in key_order.by_format(desk.snapshot()) for place in order.keys)

    await pools.update(desk, ANN, pool.id, {"strategy": "global_priority"})

    assert all(place.counts for order in key_order.by_format(desk.snapshot()) for place in order.keys)
