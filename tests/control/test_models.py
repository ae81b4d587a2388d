"""Models: life cycle and prices."""

from __future__ import annotations

import pytest

from gateway.control import backends, models
from gateway.control.desk import Desk
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.registry import MODEL_TRANSITIONS, ModelStatus, Price
from tests.desks import ANN

pytestmark = pytest.mark.anyio


async def test_a_model_is_made_with_a_lower_case_code(desk: Desk) -> None:
    made = await models.create(desk, ANN, {"code": " OpenAI/GPT-5 "})

    assert (made.code, made.status, made.price) == ("openai/gpt-5", ModelStatus.ENABLED, None)
    assert await models.get(desk, made.id) == made
    assert await models.listing(desk) == (made,)
    with pytest.raises(InvalidFields, match="is taken"):
        await models.create(desk, ANN, {"code": "openai/gpt-5"})


@pytest.mark.parametrize("before", list(ModelStatus))
@pytest.mark.parametrize("after", list(ModelStatus))
async def test_a_status_changes_only_along_the_life_cycle(desk: Desk, before: ModelStatus, after: ModelStatus) -> None:
    made = await models.create(desk, ANN, {"code": "m", "status": before.value})
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
    made = await models.create(desk, ANN, {"code": "m"})
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
