"""Models: life cycle and prices."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import backends, mappings, models, route_rules
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.registry import MODEL_TRANSITIONS, Model, ModelStatus, Price
from tests.desks import ANN

pytestmark = pytest.mark.anyio

ACME = {"name": "acme", "base_url": "https://a.example/v1", "models": ["other"]}


async def mapped(desk: Desk) -> Model:
    """A new model with a backend that could serve it."""
    await backends.create(desk, ANN, ACME)
    made = await models.create(desk, ANN, {"code": "m"})
    await mappings.create(desk, ANN, {"provider_id": "acme", "model_id": "m"})
    return made


async def fault(attempt: Any) -> str:
    """What is wrong with the status, and nothing else is."""
    with pytest.raises(InvalidFields) as refused:
        await attempt
    assert list(refused.value.fields) == ["status"]
    return refused.value.fields["status"]


async def test_a_model_is_made_with_a_lower_case_code(desk: Desk) -> None:
    made = await models.create(desk, ANN, {"code": " OpenAI/GPT-5 "})

    assert (made.code, made.status, made.price) == ("openai/gpt-5", ModelStatus.DRAFT, None)
    assert await models.get(desk, made.id) == made
    assert await models.listing(desk) == (made,)
    with pytest.raises(InvalidFields, match="is taken"):
        await models.create(desk, ANN, {"code": "openai/gpt-5"})


@pytest.mark.parametrize("before", list(ModelStatus))
@pytest.mark.parametrize("after", list(ModelStatus))
async def test_a_status_changes_only_along_the_life_cycle(desk: Desk, before: ModelStatus, after: ModelStatus) -> None:
    made = await mapped(desk)
    if before is not ModelStatus.DRAFT:
        await models.update(desk, ANN, made.id, {"status": before.value})
    if after is before or after in MODEL_TRANSITIONS[before]:
        assert (await models.update(desk, ANN, made.id, {"status": after.value})).status is after
    else:
        with pytest.raises(InvalidFields, match=f"cannot go from {before} to {after}"):
            await models.update(desk, ANN, made.id, {"status": after.value})


async def test_prices_are_dollars_per_million_and_exact(desk: Desk) -> None:
    made = await models.create(
        desk, ANN, {"code": "m", "input_price": "0.15", "output_price": 0.6, "cache_read_price": "0.075"}
    )
    assert made.price == Price(150_000_000, 600_000_000, 75_000_000, 150_000_000, 0)


async def test_prices_that_follow_the_input_price_go_on_following(desk: Desk) -> None:
    made = await models.create(desk, ANN, {"code": "m", "input_price": 1, "output_price": 2, "cache_read_price": 0.5})

    changed = await models.update(desk, ANN, made.id, {"input_price": 3})

    assert changed.price == Price(3 * 10**9, 2 * 10**9, 5 * 10**8, 3 * 10**9, 0)


async def test_a_model_can_become_unpriced_again(desk: Desk) -> None:
    made = await models.create(desk, ANN, {"code": "m", "input_price": 1, "output_price": 2, "request_price": "0.01"})
    assert made.price is not None

    assert (await models.update(desk, ANN, made.id, {"display_name": "M"})).price == made.price
    assert (await models.update(desk, ANN, made.id, {"input_price": None, "output_price": None})).price is None


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"input_price": 1}, "output_price"),
        ({"output_price": 1}, "input_price"),
        ({"request_price": 1}, "input_price"),
        ({"cache_read_price": 1}, "input_price"),
    ],
)
async def test_token_prices_come_together(desk: Desk, raw: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        await models.create(desk, ANN, {"code": "m", **raw})
    assert list(refused.value.fields) == [field]


async def test_an_enabled_model_is_not_deleted(desk: Desk) -> None:
    made = await mapped(desk)
    await models.update(desk, ANN, made.id, {"status": "ENABLED"})
    with pytest.raises(Conflict, match="ENABLED"):
        await models.delete(desk, ANN, made.id)

    await models.update(desk, ANN, made.id, {"status": "DISABLED"})
    await models.delete(desk, ANN, made.id)

    with pytest.raises(NotFound):
        await models.get(desk, made.id)


async def test_only_an_enabled_model_serves(desk: Desk) -> None:
    made = await backends.create(desk, ANN, {"name": "a", "base_url": "https://a.example", "models": ["m"]})
    assert [model.code for model in desk.snapshot().serving_models()] == ["m"]

    await models.update(desk, ANN, made.models[0].id, {"status": "DISABLED"})

    assert desk.snapshot().serving_models() == []


async def test_a_model_is_enabled_only_where_something_can_serve_it(desk: Desk) -> None:
    assert "no provider is mapped to it; map one first" in await fault(
        models.create(desk, ANN, {"code": "n", "status": "ENABLED"})
    )
    assert await models.listing(desk) == ()
    made = await mapped(desk)

    enabled = await models.update(desk, ANN, made.id, {"status": "ENABLED"})

    assert enabled.status is ModelStatus.ENABLED


async def test_a_model_that_lost_its_backends_stays_enabled_and_can_still_be_changed(desk: Desk) -> None:
    made = await mapped(desk)
    await models.update(desk, ANN, made.id, {"status": "ENABLED"})
    backend = next(iter(desk.snapshot().backends))
    await backends.set_enabled(desk, ANN, backend, enabled=False)

    changed = await models.update(desk, ANN, made.id, {"display_name": "M", "status": "ENABLED"})

    assert (changed.display_name, changed.status) == ("M", ModelStatus.ENABLED)


async def test_what_is_missing_is_looked_for_as_it_is_now(desk: Desk) -> None:
    made = await mapped(desk)
    await route_rules.create(desk, ANN, {"route_type": "GLOBAL", "model_id": "m"})
    backend = next(iter(desk.snapshot().backends))
    await backends.set_enabled(desk, ANN, backend, enabled=False)
    assert "provider acme has no active key" in await fault(models.update(desk, ANN, made.id, {"status": "ENABLED"}))
    assert (await models.get(desk, made.id)).status is ModelStatus.DRAFT

    await backends.set_enabled(desk, ANN, backend, enabled=True)
    await models.update(desk, ANN, made.id, {"status": "ENABLED"})
