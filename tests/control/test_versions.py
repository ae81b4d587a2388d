"""Two people who edit one thing: the later change is refused with what is there now, and nothing is lost."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest

from gateway.control import (
    api_keys,
    endpoints,
    mappings,
    models,
    pools,
    provider_keys,
    providers,
    route_rules,
)
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, Stale
from tests.desks import ANN

pytestmark = pytest.mark.anyio

CHANGES: list[tuple[ModuleType, dict[str, Any], dict[str, Any]]] = [
    (providers, {"description": "mine"}, {"description": "theirs"}),
    (endpoints, {"timeout_seconds": 5.0}, {"timeout_seconds": 7.0}),
    (provider_keys, {"note": "mine"}, {"note": "theirs"}),
    (pools, {"wait_seconds": 1.0}, {"wait_seconds": 2.0}),
    (models, {"family": "mine"}, {"family": "theirs"}),
    (mappings, {"upstream_name": "mine"}, {"upstream_name": "theirs"}),
    (route_rules, {"note": "mine"}, {"note": "theirs"}),
    (api_keys, {"name": "mine"}, {"name": "theirs"}),
]
NAMES = [module.__name__.rpartition(".")[2] for module, _, _ in CHANGES]


@pytest.fixture
async def ids(desk: Desk) -> dict[str, str]:
    provider = await providers.create(desk, ANN, {"name": "acme"})
    endpoint = await endpoints.create(desk, ANN, {"provider_id": "acme", "base_url": "https://a.example/v1"})
    pool = (await pools.listing(desk))[0]
    key = await provider_keys.create(desk, ANN, {"provider_id": "acme", "api_key": "sk-0123456789abcdef"})
    model = await models.create(desk, ANN, {"code": "m"})
    mapping = await mappings.create(desk, ANN, {"provider_id": "acme", "model_id": "m"})
    rule = await route_rules.create(desk, ANN, {"route_type": "GLOBAL", "model_id": "m"})
    _, api_key = await api_keys.create(desk, ANN, {"name": "laptop"})
    rows = (provider, endpoint, key, pool, model, mapping, rule, api_key)
    return {name: row.id for name, row in zip(NAMES, rows, strict=True)}


@pytest.mark.parametrize(("module", "mine", "theirs"), CHANGES, ids=NAMES)
async def test_a_change_made_from_an_older_version_is_refused_with_what_is_there(
    desk: Desk, ids: dict[str, str], module: ModuleType, mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    row_id = ids[module.__name__.rpartition(".")[2]]
    seen = (await module.get(desk, row_id)).version
    changed = await module.update(desk, ANN, row_id, {**theirs, "version": seen})
    assert changed.version == seen + 1

    with pytest.raises(Stale) as refused:
        await module.update(desk, ANN, row_id, {**mine, "version": seen})

    assert refused.value.current == changed == await module.get(desk, row_id)
    assert (refused.value.status, refused.value.code) == (409, "changed_meanwhile")
    assert f"you edited version {seen}" in refused.value.message
    await module.update(desk, ANN, row_id, {**mine, "version": seen + 1})
    after = await module.get(desk, row_id)
    assert {name: getattr(after, name) for name in mine} == mine


@pytest.mark.parametrize(("module", "mine", "theirs"), CHANGES, ids=NAMES)
async def test_of_two_changes_at_the_same_moment_one_is_made_and_one_is_told(
    desk: Desk, ids: dict[str, str], module: ModuleType, mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    row_id = ids[module.__name__.rpartition(".")[2]]
    seen = (await module.get(desk, row_id)).version

    ended = await asyncio.gather(
        module.update(desk, ANN, row_id, {**mine, "version": seen}),
        module.update(desk, ANN, row_id, {**theirs, "version": seen}),
        return_exceptions=True,
    )

    assert [isinstance(end, Stale) for end in ended].count(True) == 1
    assert (await module.get(desk, row_id)).version == seen + 1


async def test_without_a_version_the_change_is_made_on_what_is_there(desk: Desk, ids: dict[str, str]) -> None:
    await providers.update(desk, ANN, ids["providers"], {"description": "a"})
    after = await providers.update(desk, ANN, ids["providers"], {"priority": 3})
    assert (after.description, after.priority, after.version) == ("a", 3, 3)


async def test_a_version_is_no_field_of_something_new(desk: Desk) -> None:
    with pytest.raises(InvalidFields):
        await providers.create(desk, ANN, {"name": "b", "version": 1})


async def test_an_edit_leaves_what_was_learned_while_serving_alone(desk: Desk, ids: dict[str, str]) -> None:
    backend = next(iter(desk.snapshot().backends))
    state = desk.state.of(backend)
    state.rest(desk.clock.mono() + 60, "rate limited")
    state.streak = 3

    await provider_keys.update(desk, ANN, ids["provider_keys"], {"note": "x", "rpm_limit": 5})
    await pools.update(desk, ANN, ids["pools"], {"cooldown_base_seconds": 1})
    await providers.update(desk, ANN, ids["providers"], {"priority": 1})

    kept = desk.state.of(backend)
    assert (kept.seconds_left(desk.clock.mono()), kept.streak, kept.rest_reason) == (60, 3, "rate limited")
