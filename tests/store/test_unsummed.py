"""Calls that wait to be summed."""

from __future__ import annotations

import json

import pytest

from gateway.model.sums import DAY_MS, HOUR_MS
from gateway.store import calls, unsummed
from gateway.store.database import Database
from gateway.store.unsummed import Kept, Next
from tests.store.rows import call

pytestmark = pytest.mark.anyio


async def insert(db: Database, *records: object) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)  # type: ignore[arg-type]  # tests pass rows


async def test_calls_wait_in_the_order_in_which_they_were_written(db: Database) -> None:
    await insert(db, call(5), call(6))
    await insert(db, call(1))
    await insert(db, call(5))

    async with db.read() as tx:
        assert await unsummed.count(tx) == 3
        assert await unsummed.next_few(tx, 1) == Next(1, 1, 1, 2), "a row is never parted"
        assert await unsummed.next_few(tx, 2) == Next(1, 1, 1, 2)
        assert await unsummed.next_few(tx, 3) == Next(1, 2, 2, 3)


async def test_where_nothing_waits_there_is_nothing_next(db: Database) -> None:
    async with db.read() as tx:
        assert await unsummed.next_few(tx, 10) is None
        assert await unsummed.count(tx) == 0


async def test_what_was_taken_is_taken_once(db: Database) -> None:
    await insert(db, call(1))
    async with db.write() as tx:
        few = await unsummed.next_few(tx, 10)
        assert few is not None
        assert await unsummed.take(tx, few, {0: 1}) is True
    await insert(db, call(2))

    async with db.write() as tx:
        assert await unsummed.take(tx, few, {0: 1}) is False
        assert await unsummed.count(tx) == 1, "numbers are never used again"
        both = await unsummed.next_few(tx, 10)
    assert both == Next(2, 2, 1, 1)


async def test_an_hour_and_its_day_are_kept_as_long_as_sums_and_those_that_wait_are_all(db: Database) -> None:
    await insert(db, call(1), call(HOUR_MS))
    async with db.read() as tx:
        assert await unsummed.kept(tx) == Kept(frozenset({0, HOUR_MS}), frozenset({0}), frozenset({0, HOUR_MS}))

    async with db.write() as tx:
        await tx.execute("UPDATE hours SET calls = 4, summed = 3 WHERE hour = 0")
        await tx.execute("UPDATE hours SET calls = 9 WHERE hour = 3600000")
        await tx.execute("INSERT INTO days (day, summed) VALUES (0, 11)")
        assert await unsummed.kept(tx) == Kept(frozenset({0}), frozenset({0}), frozenset())
        await tx.execute("UPDATE days SET summed = -1")
        assert (await unsummed.kept(tx)).days == frozenset()


async def test_a_call_of_a_closed_day_does_not_wait_here(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute("INSERT INTO days (day, summed, is_closed) VALUES (0, 2, 1)")
    await insert(db, call(1), call(DAY_MS))

    async with db.read() as tx, tx.execute("SELECT began FROM unsummed_calls") as rows:
        assert [json.loads(row[0]) for row in await rows.fetchall()] == [{call(DAY_MS).id: DAY_MS}]


async def test_those_that_are_next_are_told_by_the_hour_in_which_they_began(db: Database) -> None:
    await insert(db, call(1), call(2), call(HOUR_MS))
    await insert(db, call(3))
    async with db.read() as tx:
        few = await unsummed.next_few(tx, 3)
        assert few is not None
        assert await unsummed.by_hour(tx, few) == {0: 2, HOUR_MS: 1}
