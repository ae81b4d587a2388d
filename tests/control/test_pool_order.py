"""The order in which a pool's backends would be tried."""

from __future__ import annotations

import pytest

from gateway.control import backends, pool_order, pools, provider_keys, providers
from gateway.control.backends import BackendMade
from gateway.control.desk import Desk
from gateway.errors import NotFound
from gateway.model.registry import ApiFormat
from tests.desks import ANN, Office

pytestmark = pytest.mark.anyio


async def made(desk: Desk, name: str, **fields: object) -> BackendMade:
    form = {"name": name, "base_url": f"https://{name}.example/v1", "models": ["m"], **fields}
    return await backends.create(desk, ANN, form)


async def test_the_order_follows_the_strategy_and_says_why(desk: Desk) -> None:
    first, second = await made(desk, "first", priority=1), await made(desk, "second", priority=2)
    pool = first.key.pool_id
    assert [place.backend for place in pool_order.places(desk, pool, "m")] == ["first/main", "second/main"]

    await pools.update(desk, ANN, pool, {"strategy": "global_priority"})
    await provider_keys.update(desk, ANN, second.key.id, {"global_priority": {"openai_chat": 1}})

    assert [(place.backend, place.why) for place in pool_order.places(desk, pool, "m")] == [
        ("second/main", "global priority 1"),
        ("first/main", "no global priority"),
    ]


async def test_what_is_passed_by_comes_last_with_the_reason(office: Office) -> None:
    desk = office.desk
    first, second = await made(desk, "first", priority=1), await made(desk, "second", priority=2)
    desk.state.of(first.backend_id).rest(office.clock.mono() + 30, "rate limited")

    found = pool_order.places(desk, first.key.pool_id, "m")

    assert [place.backend_id for place in found] == [second.backend_id, first.backend_id]
    assert (found[1].fault, found[1].seconds) == ("It rests for 30.0 s more: rate limited.", 30)


async def test_only_backends_of_the_pool_that_serve_the_model_have_a_place(desk: Desk) -> None:
    first = await made(desk, "first")
    other = await made(desk, "other", models=["n"])
    await made(desk, "far", pool="fallback")
    pool = first.key.pool_id

    assert [place.backend for place in pool_order.places(desk, pool, "m")] == ["first/main"]
    assert {place.backend_id for place in pool_order.places(desk, pool, None)} == {first.backend_id, other.backend_id}
    assert pool_order.models_of(desk.snapshot(), pool) == {"m": 1, "n": 1}
    with pytest.raises(NotFound):
        pool_order.places(desk, pool, "nothing")


async def test_without_a_model_nothing_is_passed_by_for_want_of_a_price(desk: Desk) -> None:
    first = await made(desk, "first")
    await providers.update(desk, ANN, first.provider.id, {"monthly_quota": "5"})
    pool = first.key.pool_id

    assert [place.fault for place in pool_order.places(desk, pool, None)] == [""]
    assert "the model has no price there" in pool_order.places(desk, pool, "m")[0].fault


async def test_without_a_model_the_cheapest_is_told_by_its_rate_and_not_in_dollars(desk: Desk) -> None:
    dear, cheap = await made(desk, "dear", priority=1), await made(desk, "cheap", priority=2)
    await provider_keys.update(desk, ANN, cheap.key.id, {"rate_multiplier": "0.5"})
    await pools.update(desk, ANN, dear.key.pool_id, {"strategy": "lowest_cost"})

    found = pool_order.places(desk, dear.key.pool_id, None)

    assert [place.backend for place in found] == ["cheap/main", "dear/main"]
    assert {place.why for place in found} == {"by its rate, as if all prices were equal"}


async def test_looking_takes_no_turn_and_makes_no_state(desk: Desk) -> None:
    first = await made(desk, "first")
    await pools.update(desk, ANN, first.key.pool_id, {"strategy": "round_robin"})

    pool_order.places(desk, first.key.pool_id, "m")

    assert (desk.state.turns, desk.state.backends) == ({}, {})


async def test_only_backends_that_can_serve_the_format_have_a_place_and_translated_ones_come_last(desk: Desk) -> None:
    chat = await made(desk, "chat", priority=2)
    claude = await made(desk, "claude", priority=1, api_format="anthropic_messages")
    vectors = await made(desk, "vectors", api_format="openai_embeddings")
    pool = chat.key.pool_id

    def seen(*asked: ApiFormat) -> list[tuple[str, str]]:
        return [(place.backend_id, place.api_format) for place in pool_order.places(desk, pool, "m", *asked)]

    in_chat = [(chat.backend_id, "openai_chat"), (claude.backend_id, "anthropic_messages")]
    assert seen() == in_chat
    assert seen(ApiFormat.ANTHROPIC_MESSAGES) == in_chat[::-1]
    assert seen(ApiFormat.OPENAI_EMBEDDINGS) == [(vectors.backend_id, "openai_embeddings")]
    assert seen(ApiFormat.RERANK) == []
    await pools.update(desk, ANN, pool, {"translated": "never"})
    assert pool_order.places(desk, pool, "m")[1].fault.startswith("Its pool serves only calls of an endpoint's own")
