"""What calls come to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.model.calls import CallStatus, Usage
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS
from gateway.store import call_sums, calls, rollups
from gateway.store.call_sums import ALL_WAIT, AttemptMinute, Calls, Row
from gateway.store.database import Database
from tests.store.rows import ATTEMPT, call, failed

pytestmark = pytest.mark.anyio

WAITING = Calls(upto=ALL_WAIT, are_waiting=True)


async def insert(db: Database, *records: object) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)  # type: ignore[arg-type]  # tests pass rows


async def wait_no_longer(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute("DELETE FROM unsummed_calls")
        await tx.execute("UPDATE hours SET waiting = 0")


def row_of(rows: tuple[Row, ...], dimensions: str, first: str = "", second: str = "") -> Row:
    return next(row[3:] for row in rows if row[:3] == (dimensions, first, second))


async def test_an_hour_is_summed_by_every_dimension(db: Database) -> None:
    await insert(
        db,
        call(1, user_id="u1", total_ms=63, first_byte_ms=15, actual_nano=100),
        call(2, user_id="u1", total_ms=64, first_byte_ms=16, status=CallStatus.CANCELLED, cost_nano=None),
        failed(3, 401, api_key_id=None, backend_id=None, provider_id=None, served_model="", usage=Usage(), attempts=()),
        call(4, status=CallStatus.CRASHED, total_ms=10**7, first_byte_ms=None),
    )

    async with db.read() as tx:
        rows = (await call_sums.by_hour(tx, Calls(0, HOUR_MS))).hours[0]

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
        rows = await call_sums.of_day(tx, Calls(0, DAY_MS))

    assert row_of(rows, "api_key+model", "ak1", "other")[0] == 2
    assert row_of(rows, "model+provider", "gpt", "prov1")[0] == 1
    assert row_of(rows, "total")[0] == 3


async def test_a_subject_is_called_what_it_was_called_last(db: Database) -> None:
    await insert(db, call(1, user_id="u1", user_name="ann"), call(2, user_id="u1", user_name="anna"))

    async with db.write() as tx:
        await rollups.name_subjects(tx, [("user", "u1", "old")])
        found = await call_sums.names_of(tx, (await call_sums.by_hour(tx, Calls(0, HOUR_MS))).last)
        await rollups.name_subjects(tx, found)
        async with tx.execute("SELECT name FROM subject_names WHERE dimension = 'user'") as names:
            assert [row[0] for row in await names.fetchall()] == ["anna"]

    assert ("api_key", "ak1", "laptop") in found
    assert ("provider", "prov1", "openai") in found
    assert ("provider_key", "key1", "openai/main") in found


async def test_calls_that_wait_are_told_from_those_that_do_not(db: Database) -> None:
    await insert(db, call(1), call(2))
    await wait_no_longer(db)
    await insert(db, call(3), call(HOUR_MS))

    async with db.read() as tx:
        hour = (await call_sums.by_hour(tx, Calls(0, HOUR_MS, ALL_WAIT))).hours[0]
        day = await call_sums.of_day(tx, Calls(0, DAY_MS, ALL_WAIT))
        waiting = await call_sums.by_hour(tx, WAITING)

    assert (row_of(hour, "total")[0], row_of(day, "total")[0]) == (2, 2)
    assert {hour: row_of(rows, "total")[0] for hour, rows in waiting.hours.items()} == {0: 1, HOUR_MS: 1}


async def test_one_call_is_summed_alone(db: Database) -> None:
    await insert(db, call(1, cost_nano=5), replace(call(2), started_at=1))
    async with db.read() as tx:
        rows = (await call_sums.by_hour(tx, Calls(1, 2, call_id=call(1).id))).hours[0]
    assert (row_of(rows, "total")[0], row_of(rows, "total")[10]) == (1, 5)


async def test_minutes_are_of_the_hour_and_by_model(db: Database) -> None:
    await insert(db, call(0), call(7 * MINUTE_MS), call(8 * MINUTE_MS - 1), call(59 * MINUTE_MS, served_model="other"))
    async with db.read() as tx:
        rows = (await call_sums.by_hour(tx, Calls(0, HOUR_MS), with_minutes=True)).hours[0]
    assert [(*row[1:3], row[3]) for row in rows if row[0] == "minute+model"] == [
        ("00", "gpt", 1),
        ("07", "gpt", 2),
        ("59", "other", 1),
    ]


async def test_attempts_are_of_the_minute_in_which_they_began_and_the_hour_of_their_call(db: Database) -> None:
    tries = (
        replace(ATTEMPT, number=1, outcome="rate_limited", status=429),
        replace(ATTEMPT, number=2, backend="groq/free", outcome="failed", started_ms=MINUTE_MS),
        replace(ATTEMPT, number=3, backend="groq/free", outcome="ok", started_ms=MINUTE_MS),
        replace(ATTEMPT, number=4, outcome="client_fault"),
    )
    await insert(db, call(59 * MINUTE_MS, attempts=tries))
    wanted = (
        AttemptMinute(0, 59 * MINUTE_MS, "openai", 0, 0, 1),
        AttemptMinute(0, HOUR_MS, "groq", 1, 1, 0),
    )
    async with db.read() as tx:
        assert await call_sums.attempts_of(tx, WAITING) == wanted
        assert await call_sums.attempts_of(tx, Calls(0, HOUR_MS)) == wanted
        assert await call_sums.attempts_of(tx, Calls(0, HOUR_MS, ALL_WAIT)) == ()
