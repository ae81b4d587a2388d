"""Mappings."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.control import mappings, models, providers
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotFound
from tests.desks import ANN

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await providers.create(desk, ANN, {"name": "a"})
    await models.create(desk, ANN, {"code": "m"})
    return desk


async def faults(attempt: Any) -> dict[str, str]:
    with pytest.raises(InvalidFields) as refused:
        await attempt
    return refused.value.fields


async def test_a_mapping_joins_provider_and_model_by_id_or_name(desk: Desk) -> None:
    made = await mappings.create(desk, ANN, {"provider_id": "a", "model_id": "M"})

    assert made.upstream_name == "m"
    assert await mappings.get(desk, made.id) == made
    assert await mappings.listing(desk) == (made,)


async def test_a_model_is_mapped_once_per_provider(desk: Desk) -> None:
    await mappings.create(desk, ANN, {"provider_id": "a", "model_id": "m"})
    attempt = mappings.create(desk, ANN, {"provider_id": "a", "model_id": "m", "upstream_name": "x"})
    assert await faults(attempt) == {"model_id": "is mapped already: a serves m"}


async def test_both_ends_must_be_there(desk: Desk) -> None:
    assert list(await faults(mappings.create(desk, ANN, {"provider_id": "b", "model_id": "m"}))) == ["provider_id"]
    assert list(await faults(mappings.create(desk, ANN, {"provider_id": "a", "model_id": "n"}))) == ["model_id"]


async def test_a_mapping_is_renamed_switched_off_and_deleted(desk: Desk) -> None:
    made = await mappings.create(desk, ANN, {"provider_id": "a", "model_id": "m", "upstream_name": "Up/Stream"})
    assert made.upstream_name == "Up/Stream"

    changed = await mappings.update(desk, ANN, made.id, {"upstream_name": "", "is_active": False})
    assert (changed.upstream_name, changed.is_active) == ("m", False)
    assert list(await faults(mappings.update(desk, ANN, made.id, {"model_id": "m"}))) == ["model_id"]

    await mappings.delete(desk, ANN, made.id)
    with pytest.raises(NotFound):
        await mappings.get(desk, made.id)
