"""Sums of hours and days."""

from __future__ import annotations

import pytest

from gateway.model.calls import CallStatus, Usage
from gateway.model.sums import DAY_MS, HOUR_MS
from gateway.store import calls, rollups
from gateway.store.database import Database
from gateway.store.rollups import Row, Stale
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio


async def insert(db: Database, *records: object) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)  # type: ignore[arg-type]  # tests pass rows


def row_of(rows: tuple[Row, ...], dimensions: str, first: str = "", second: str = "") -> Row:
    return next(row[3:] for row in rows if row[:3] == (dimensions, first, second))


async def test_every_call_makes_its_hour_stale_and_one_that_is_there_already_does_not(db: Database) -> None:
    await insert(db, call(1), call(2), call(HOUR_MS))
    await insert(db, call(2))

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, 2 * HOUR_MS, 10) == (Stale(HOUR_MS, 1), Stale(0, 2))
        assert await rollups.calls_between(tx, 0, HOUR_MS) == 2


async def test_an_hour_and_a_day_that_run_are_left_alone(db: Database) -> None:
    await insert(db, call(1), call(DAY_MS))

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, HOUR_MS - 1, 10) == ()
        assert await rollups.stale_days(tx, DAY_MS - 1, 10) == ()
        assert await rollups.stale_days(tx, DAY_MS, 10) == (Stale(0, 1),)


async def test_an_hour_is_summed_by_every_dimension(db: Database) -> None:
    await insert(
        db,
        call(1, user_id="u1", total_ms=63, first_byte_ms=15, actual_nano=100),
        call(2, user_id="u1", total_ms=64, first_byte_ms=16, status=CallStatus.CANCELLED, cost_nano=None),
        failed(3, 401, api_key_id=None, backend_id=None, provider_id=None, served_model="", usage=Usage(), attempts=()),
        call(4, status=CallStatus.CRASHED, total_ms=10**7, first_byte_ms=None),
    )

    async with db.read() as tx:
        rows = await rollups.of_hour(tx, 0)

    total = row_of(rows, "total")
    assert total[:12] == (4, 2, 1, 1, 1, 30, 60, 9, 18, 15, 369, 100)
    assert (total[12:14], total[24]) == ((1, 2), 1)
    assert (total[25:27], sum(total[25:])) == ((1, 2), 3)  # type: ignore[arg-type]  # they are numbers
    assert row_of(rows, "user", "u1")[0] == 2
    assert row_of(rows, "user")[0] == 2
    assert row_of(rows, "api_key")[0] == 1
    assert row_of(rows, "model", "gpt")[0] == 3
    assert row_of(rows, "provider", "prov1")[0] == 3
    assert row_of(rows, "provider_key", "key1")[0] == 3
    assert {row[0] for row in rows} == {"total", "user", "api_key", "model", "provider", "provider_key"}


async def test_a_day_is_summed_by_pairs_too(db: Database) -> None:
    await insert(db, call(1), call(HOUR_MS, served_model="other"), call(2 * HOUR_MS, served_model="other"))

    async with db.read() as tx:
        rows = await rollups.of_day(tx, 0)

    assert row_of(rows, "api_key+model", "ak1", "other")[0] == 2
    assert row_of(rows, "model+provider", "gpt", "prov1")[0] == 1
    assert row_of(rows, "total")[0] == 3


async def test_sums_that_are_half_written_leave_the_hour_and_the_day_stale(db: Database) -> None:
    await insert(db, call(1))
    async with db.write() as tx:
        rows = await rollups.of_day(tx, 0)
        await rollups.forget_hour(tx, 0)
        await rollups.forget_day(tx, 0)
        await rollups.add_to_day(tx, 0, rows)

    async with db.read() as tx:
        assert await rollups.stale_hours(tx, DAY_MS, 10) == (Stale(0, 1),)
        assert await rollups.stale_days(tx, DAY_MS, 10) == (Stale(0, 1),)
        assert await rollups.provable_days(tx) == ()


async def test_a_subject_is_called_what_it_was_called_last(db: Database) -> None:
    await insert(db, call(1, user_id="u1", user_name="ann"), call(2, user_id="u1", user_name="anna"))

    async with db.write() as tx:
        await rollups.name_subjects(tx, [("user", "u1", "old")])
        found = await rollups.names_of(tx, 0, HOUR_MS)
        await rollups.name_subjects(tx, found)
        async with tx.execute("SELECT name FROM subject_names WHERE dimension = 'user'") as names:
            assert [row[0] for row in await names.fetchall()] == ["anna"]

    assert ("api_key", "ak1", "laptop") in found
    assert ("provider", "prov1", "openai") in found
    assert ("provider_key", "key1", "openai/main") in found


async def test_a_call_that_comes_to_a_closed_day_is_added_to_its_sums_once(db: Database) -> None:
    await insert(db, call(1), call(2))
    async with db.write() as tx:
        await rollups.add_to_hour(tx, 0, await rollups.of_hour(tx, 0))
        await rollups.add_to_day(tx, 0, await rollups.of_day(tx, 0))
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
        assert await rollups.stale_hours(tx, DAY_MS, 10) == ()
        assert await rollups.stale_days(tx, DAY_MS, 10) == ()
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
