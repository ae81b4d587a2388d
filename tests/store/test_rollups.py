"""Sums of hours and days."""

from __future__ import annotations

import pytest

from gateway.model.sums import DAY_MS, HOUR_MS
from gateway.store import call_sums, calls, rollups
from gateway.store.call_sums import Calls, Row
from gateway.store.database import Database
from gateway.store.rollups import Stale
from tests.store.rows import call

pytestmark = pytest.mark.anyio


async def insert(db: Database, *records: object) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)  # type: ignore[arg-type]  # tests pass rows


def row_of(rows: tuple[Row, ...], dimensions: str, first: str = "", second: str = "") -> Row:
    return next(row[3:] for row in rows if row[:3] == (dimensions, first, second))


async def wait_no_longer(db: Database) -> None:
    """As if those that wait were written by a release that did not know of it."""
    async with db.write() as tx:
        await tx.execute("DELETE FROM unsummed_calls")
        await tx.execute("UPDATE hours SET waiting = 0")


async def test_every_call_is_counted_in_its_hour_and_one_that_is_there_already_is_not(db: Database) -> None:
    await insert(db, call(1), call(2), call(HOUR_MS))
    await insert(db, call(2))
    await wait_no_longer(db)

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, 2**62, 10) == (Stale(HOUR_MS, 1), Stale(0, 2))
        assert await rollups.stale_days(tx, 2**62, 10) == (Stale(0, 3),)
        assert await rollups.calls_between(tx, 0, HOUR_MS) == 2


async def test_an_hour_and_a_day_that_run_are_told_apart(db: Database) -> None:
    await insert(db, call(1), call(DAY_MS))
    await wait_no_longer(db)

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, HOUR_MS - 1, 10) == ()
        assert await rollups.stale_hours(tx, HOUR_MS, 10) == (Stale(0, 1),)
        assert await rollups.stale_days(tx, DAY_MS - 1, 10) == ()
        assert await rollups.stale_days(tx, DAY_MS, 10) == (Stale(0, 1),)


async def test_an_hour_and_a_day_are_not_stale_for_calls_that_wait(db: Database) -> None:
    await insert(db, call(1))
    await wait_no_longer(db)
    await insert(db, call(2), call(HOUR_MS), call(DAY_MS))

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, 2**62, 10) == (Stale(0, 1),)
        assert await rollups.stale_days(tx, 2**62, 10) == (Stale(0, 1),)
        assert await rollups.calls_between(tx, 0, DAY_MS) == 1


async def test_sums_that_are_half_written_leave_the_hour_and_the_day_stale(db: Database) -> None:
    await insert(db, call(1))
    await wait_no_longer(db)
    async with db.write() as tx:
        rows = await call_sums.of_day(tx, Calls(0, DAY_MS))
        await rollups.forget_hour(tx, 0)
        await rollups.forget_day(tx, 0)
        await rollups.add_to_day(tx, 0, rows)

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, 2**62, 10) == (Stale(0, 1),)
        assert await rollups.stale_days(tx, 2**62, 10) == (Stale(0, 1),)
        assert await rollups.provable_days(tx) == ()


async def test_a_call_that_comes_to_a_closed_day_is_added_to_its_sums_once(db: Database) -> None:
    await insert(db, call(1), call(2))
    await wait_no_longer(db)
    async with db.write() as tx:
        await rollups.add_to_hour(tx, 0, (await call_sums.by_hour(tx, Calls(0, HOUR_MS))).hours[0])
        await rollups.add_to_day(tx, 0, await call_sums.of_day(tx, Calls(0, DAY_MS)))
        await rollups.hour_is_summed(tx, Stale(0, 2))
        await tx.execute("INSERT INTO days (day, summed, is_closed) VALUES (0, 2, 1)")
        await tx.execute("DELETE FROM calls")
    await insert(db, call(3, cost_nano=7))

    async with db.write() as tx:
        late = await rollups.late_calls(tx, 10)
        assert late == (call(3).id,)
        for _ in range(2):
            for call_id in late:
                await rollups.add_late(tx, call_id)
            late = await rollups.late_calls(tx, 10)
        assert await rollups.stale_hours(tx, 2**62, 10) == ()
        assert await rollups.stale_days(tx, 2**62, 10) == ()
        kept = await rollups.kept_by_day(tx, 0)
        hours = await rollups.kept_by_hours(tx, 0)

    assert row_of(kept, "total")[:1] == (3,)
    assert row_of(kept, "total")[10] == 123 * 2 + 7
    assert row_of(hours, "model", "gpt")[0] == 3


async def test_a_late_call_that_is_gone_again_is_forgotten(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute("INSERT INTO late_calls VALUES ('req_gone')")
        await rollups.add_late(tx, "req_gone")
        assert await rollups.late_calls(tx, 10) == ()
