"""The registry's tables give back what was put in."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any

import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields, replace

from gateway.model.registry import ModelStatus
from gateway.store import (
    api_keys,
    endpoints,
    key_versions,
    mappings,
    models,
    pools,
    provider_keys,
    providers,
    route_rules,
)
from gateway.store.database import Database
from tests.store.rows import API_KEY, ENDPOINT, KEY, KEY_VERSION, MAPPING, MODEL, POOL, PROVIDER, ROUTE_RULE

pytestmark = pytest.mark.anyio

ROWS: list[tuple[ModuleType, Any, dict[str, Any]]] = [
    (pools, POOL, {"name": "fallback", "wait_seconds": 0.25, "cooldown_factor": 1.5}),
    (providers, PROVIDER, {"name": "groq", "metadata": {}, "is_active": False}),
    (endpoints, ENDPOINT, {"headers": {}, "timeout_seconds": 0.125, "local_upstream": "127.0.0.1:1"}),
    (provider_keys, KEY, {"sealed": None, "env_name": "A_KEY", "rpm_limit": 0, "bound_origin": None}),
    (models, MODEL, {"status": ModelStatus.DISABLED, "price": None}),
    (mappings, MAPPING, {"upstream_name": "other", "is_active": False}),
    (api_keys, API_KEY, {"allowed_models": None, "rpm_limit": None, "expires_at": None}),
    (route_rules, ROUTE_RULE, {"priority": 1, "is_enabled": True, "note": "", "route_key": "writer"}),
]
NAMES = [module.__name__.rpartition(".")[2] for module, _, _ in ROWS]


@pytest.fixture
async def filled(db: Database) -> Database:
    async with db.write() as tx:
        for module, row, _ in ROWS:
            await module.insert(tx, row)
    return db


@pytest.mark.parametrize(("module", "row", "changes"), ROWS, ids=NAMES)
async def test_a_row_comes_back_as_it_was_stored(
    filled: Database, module: ModuleType, row: Any, changes: dict[str, Any]
) -> None:
    async with filled.read() as tx:
        assert await module.get(tx, row.id) == row
        assert await module.every(tx) == (row,)


@pytest.mark.parametrize(("module", "row", "changes"), ROWS, ids=NAMES)
async def test_an_update_changes_every_writable_column(
    filled: Database, module: ModuleType, row: Any, changes: dict[str, Any]
) -> None:
    usual = {
        field.name: field.default if field.default is not NODEFAULT else field.default_factory()
        for field in fields(row)
        if not field.required
    }
    after = replace(row, **{**usual, **changes}, updated_at=2)
    async with filled.write() as tx:
        await module.update(tx, after)
    async with filled.read() as tx:
        assert await module.get(tx, row.id) == after


@pytest.mark.parametrize(("module", "row", "changes"), list(reversed(ROWS)), ids=list(reversed(NAMES)))
async def test_a_deleted_row_is_gone(filled: Database, module: ModuleType, row: Any, changes: dict[str, Any]) -> None:
    async with filled.write() as tx:
        if module is pools:
            await provider_keys.delete(tx, KEY.id)
        if module is models:
            await route_rules.delete(tx, ROUTE_RULE.id)
        await module.delete(tx, row.id)
    async with filled.read() as tx:
        assert await module.get(tx, row.id) is None


async def test_a_provider_takes_its_endpoints_keys_and_mappings_with_it(filled: Database) -> None:
    async with filled.write() as tx:
        await providers.delete(tx, PROVIDER.id)
    async with filled.read() as tx:
        left = [await endpoints.every(tx), await provider_keys.every(tx), await mappings.every(tx)]
        assert left == [(), (), ()]
        assert await models.every(tx) == (MODEL,)


async def test_a_pool_with_keys_in_it_cannot_be_deleted(filled: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        async with filled.write() as tx:
            await pools.delete(tx, POOL.id)


async def test_a_model_that_a_rule_points_at_cannot_be_deleted(filled: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        async with filled.write() as tx:
            await models.delete(tx, MODEL.id)


async def test_what_points_at_a_model_is_found_by_it(filled: Database) -> None:
    async with filled.read() as tx:
        assert await route_rules.of_model(tx, MODEL.id) == (ROUTE_RULE,)
        assert await mappings.of_model(tx, MODEL.id) == (MAPPING,)
        assert await route_rules.of_model(tx, "another") == await mappings.of_model(tx, "another") == ()


async def test_the_versions_of_a_key_come_newest_first_and_go_with_it(filled: Database) -> None:
    second = replace(KEY_VERSION, number=2, masked="sk-b…wxyz")
    async with filled.write() as tx:
        await key_versions.insert(tx, KEY_VERSION)
        await key_versions.insert(tx, second)
    async with filled.read() as tx:
        assert await key_versions.of_key(tx, KEY.id) == (second, KEY_VERSION)

    async with filled.write() as tx:
        await provider_keys.delete(tx, KEY.id)
    async with filled.read() as tx:
        assert await key_versions.of_key(tx, KEY.id) == ()


async def test_rows_of_one_provider_are_found_by_it(filled: Database) -> None:
    async with filled.read() as tx:
        assert await endpoints.of_provider(tx, PROVIDER.id) == (ENDPOINT,)
        assert await provider_keys.of_provider(tx, PROVIDER.id) == (KEY,)
        assert await mappings.of_provider(tx, PROVIDER.id) == (MAPPING,)
        assert await provider_keys.of_provider(tx, "another") == ()


async def test_a_model_is_found_by_its_code(filled: Database) -> None:
    async with filled.read() as tx:
        assert await models.by_code(tx, "gpt") == MODEL
        assert await models.by_code(tx, "GPT") is None


async def test_an_empty_list_of_allowed_models_is_not_the_same_as_none(filled: Database) -> None:
    async with filled.write() as tx:
        await api_keys.update(tx, replace(API_KEY, allowed_models=()))
    async with filled.read() as tx:
        found = await api_keys.get(tx, API_KEY.id)
        assert found is not None
        assert found.allowed_models == ()


async def test_an_api_keys_hash_never_changes(filled: Database) -> None:
    async with filled.write() as tx:
        await api_keys.update(tx, replace(API_KEY, key_hash=b"x" * 32, prefix="other", tail="oooo"))
    async with filled.read() as tx:
        assert await api_keys.get(tx, API_KEY.id) == API_KEY


def test_a_cached_token_without_a_price_costs_what_an_input_token_costs() -> None:
    price = models.price_of(100, 200, None, 0, None)

    assert price is not None
    assert (price.cache_read, price.cache_creation, price.per_request) == (100, 0, 0)
    assert models.price_of(None, None, 5, 5, 5) is None
