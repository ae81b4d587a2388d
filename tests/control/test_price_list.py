"""Effective prices, and what was used without one."""

from __future__ import annotations

import pytest

from gateway.control import mappings, models, price_list, price_overrides, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from gateway.model.calls import Usage, UsageSource
from gateway.store import calls
from tests.desks import ANN, START_MS
from tests.store.rows import call

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    for name in ("a", "b"):
        await providers.create(desk, ANN, {"name": name})
    for code in ("m", "n"):
        await models.create(desk, ANN, {"code": code})
    for name, code in (("b", "m"), ("a", "m"), ("a", "n")):
        await mappings.create(desk, ANN, {"provider_id": name, "model_id": code, "upstream_name": f"Up-{code}"})
    return desk


def ways(desk: Desk, text: str = "") -> list[tuple[str, str]]:
    return [(one.model.code, one.provider.name) for one in price_list.effective(desk.snapshot(), text)]


async def test_prices_go_by_model_then_provider_also_without_a_backend(desk: Desk) -> None:
    assert ways(desk) == [("m", "a"), ("m", "b"), ("n", "a")]
    assert ways(desk, "up-N") == [("n", "a")]
    assert ways(desk, "B") == [("m", "b")]


async def test_a_price_is_listed_tier_by_tier_with_whose_word_it_is(desk: Desk) -> None:
    way = price_list.effective(desk.snapshot())[0]
    assert price_list.listed(way).tiers == ()
    tier = {"above": 5, "input": "3", "output": "4"}
    given = {"input_price": "1", "output_price": "2", "price_tiers": [tier], "request_price": "1"}
    await price_overrides.put(desk, ANN, way.mapping.id, given)

    found = price_list.listed(price_list.effective(desk.snapshot())[0])

    assert (found.origin, found.is_overridden, found.per_request) == ("mapping v2", True, "1")
    assert [(one.up_to, one.input, one.output) for one in found.tiers] == [(5, "1", "2"), (None, "3", "4")]


async def test_an_override_is_put_whole_and_cleared_whole(desk: Desk) -> None:
    mapping = price_list.effective(desk.snapshot())[0].mapping
    await price_overrides.put(desk, ANN, mapping.id, {"input_price": "1", "output_price": "2"})
    after = await price_overrides.put(desk, ANN, mapping.id, {"output_price": "3"})
    assert (after.price.input, after.price.output) == (None, 3 * 10**9)
    assert (await price_overrides.clear(desk, ANN, mapping.id)).price == mapping.price

    with pytest.raises(InvalidFields):
        await price_overrides.put(desk, ANN, mapping.id, {"is_active": False})
    with pytest.raises(NotFound):
        await price_overrides.clear(desk, ANN, "nowhere")


async def test_models_that_were_used_without_a_price_come_with_the_ways_that_have_none(desk: Desk) -> None:
    usage = Usage(1, 1, source=UsageSource.REPORTED)
    day = 24 * 3600 * 1000
    seen = [("m", None, 0), ("m", None, 1), ("n", None, 2), ("a/other", None, 3), ("n", 5, 4), ("old", None, -8 * day)]
    rows = [
        call(START_MS + at, served_model=model, usage=usage, price=None, cost_nano=cost) for model, cost, at in seen
    ]
    async with desk.db.write() as tx:
        await calls.insert_many(tx, rows)
    mapping = price_list.effective(desk.snapshot())[2].mapping
    await price_overrides.put(desk, ANN, mapping.id, {"input_price": "1", "output_price": "1"})
    desk.clock.advance(1)  # type: ignore[attr-defined]

    found = await price_list.unpriced(desk)

    assert [(one.model, one.calls, len(one.served)) for one in found] == [("m", 2, 2), ("a/other", 1, 0), ("n", 1, 0)]
