"""What is remembered of backends over a kill."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.store import backend_states
from gateway.store.backend_states import StoredState
from gateway.store.database import Database

pytestmark = pytest.mark.anyio

RESTING = StoredState("end1:key1", 5000, "rate limited", "limited", 2, "HTTP 429", 4000, 2, 9000, 4000, 0.0, 12.5, 3)
FAULTY = StoredState("end2:key2", None, "", "limited", 0, "HTTP 500", 4100, 0, None, 4100)


async def test_states_come_back_as_they_were_saved(db: Database) -> None:
    async with db.write() as tx:
        await backend_states.save_many(tx, [FAULTY, RESTING])
    async with db.read() as tx:
        assert await backend_states.every(tx) == (RESTING, FAULTY)


async def test_saving_again_replaces_what_was_there(db: Database) -> None:
    later = replace(RESTING, resting_until=None, streak=0, fault="", fault_at=None, updated_at=9000)
    async with db.write() as tx:
        await backend_states.save_many(tx, [RESTING, FAULTY])
        await backend_states.save_many(tx, [later])
    async with db.read() as tx:
        assert await backend_states.every(tx) == (later, FAULTY)


async def test_backends_that_are_gone_are_forgotten(db: Database) -> None:
    async with db.write() as tx:
        await backend_states.save_many(tx, [RESTING, FAULTY])
        await backend_states.delete_many(tx, ["end1:key1", "never:there"])
        await backend_states.delete_many(tx, [])
    async with db.read() as tx:
        assert await backend_states.every(tx) == (FAULTY,)
