"""Whose a kept answer is."""

from __future__ import annotations

import pytest

from gateway.model.sums import DAY_MS
from gateway.model.system_settings import SystemSettings
from gateway.ops.retention import KEPT_DAYS, tidy
from gateway.store import stored_responses
from gateway.store.database import Database
from gateway.store.stored_responses import StoredResponse

pytestmark = pytest.mark.anyio
NOW = 1_800_000_000_000


def made(name: str, key: str = "k1", at: int = NOW) -> StoredResponse:
    return StoredResponse(name, key, "u1", "e:k", "m", at)


async def test_an_id_is_somebodys_once_and_for_all(db: Database) -> None:
    async with db.write() as tx:
        await stored_responses.insert_many(tx, [made("resp_1"), made("resp_2", "k2")])
        await stored_responses.insert_many(tx, [made("resp_1", "thief")])
        assert await stored_responses.get(tx, "resp_1") == made("resp_1")
        assert await stored_responses.get(tx, "resp_3") is None
        await stored_responses.delete(tx, "resp_1")
        assert await stored_responses.get(tx, "resp_1") is None
        assert await stored_responses.get(tx, "resp_2") == made("resp_2", "k2")


async def test_it_is_forgotten_when_no_provider_keeps_it_any_more(db: Database) -> None:
    old = [made(f"resp_{number}", at=NOW - (KEPT_DAYS + 1) * DAY_MS) for number in range(1000)]
    async with db.write() as tx:
        await stored_responses.insert_many(tx, [*old, made("resp_new", at=NOW - KEPT_DAYS * DAY_MS)])
    await tidy(db, SystemSettings(), NOW)
    async with db.read() as tx:
        assert await stored_responses.get(tx, "resp_999") is None
        assert await stored_responses.get(tx, "resp_new") is not None
