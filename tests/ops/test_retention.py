"""Old calls go in small steps, what they cost stays told, and today is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.control import retention as view
from gateway.control.sums_proof import differences
from gateway.model.calls import CallRecord
from gateway.model.sums import DAY_MS
from gateway.model.system_settings import SystemSettings
from gateway.ops import rollups
from gateway.ops.retention import Deleted, tidy, tidying
from gateway.store import calls, figures, retention
from gateway.store.call_search import CallFilter
from gateway.store.database import Database, open_database
from gateway.store.figure_pieces import Question
from gateway.store.figures import Group
from gateway.store.migrate import migrate
from tests.desks import FakeClock
from tests.store.rows import ATTEMPT, call

pytestmark = pytest.mark.anyio

DAY_0 = 20_000 * DAY_MS
TEN_DAYS = SystemSettings(retention_days=10, retention_bytes=None)
NOW = DAY_0 + 12 * DAY_MS + 5


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


async def insert(db: Database, *records: CallRecord) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)


def on_day(day: int, number: int, **changes: object) -> CallRecord:
    at = DAY_0 + day * DAY_MS + number
    return call(day * 10_000 + number, started_at=at, charged_at=at + DAY_MS, user_id="u1", actual_nano=100, **changes)


async def capture(db: Database, call_id: str, at: int, *parts: str, size: int = 10) -> None:
    async with db.write() as tx:
        for part in parts:
            await tx.execute(
                "INSERT INTO captures (call_id, part, at, size, is_cut, sealed) VALUES (?, ?, ?, ?, 0, zeroblob(?))",
                (call_id, part, at, size, size),
            )


async def column(db: Database, statement: str) -> list[object]:
    async with db.read() as tx, tx.execute(statement) as rows:
        return [row[0] for row in await rows.fetchall()]


async def told(db: Database) -> tuple[Group, ...]:
    async with db.read() as tx:
        return await figures.sums(tx, Question(DAY_0, DAY_0 + 20 * DAY_MS, "api_key", "model", bucket_ms=DAY_MS))


async def test_calls_that_are_too_old_go_and_their_sums_stay(db: Database) -> None:
    await insert(db, *(on_day(day, number) for day in range(13) for number in range(10)))
    await rollups.catch_up(db, FakeClock(NOW))
    before = await told(db)

    assert await tidy(db, TEN_DAYS, NOW) == Deleted(calls=25)
    assert await tidy(db, TEN_DAYS, NOW) == Deleted()

    assert await told(db) == before
    assert len(await column(db, "SELECT id FROM calls")) == 105
    assert len(await column(db, "SELECT call_id FROM attempts")) == 105
    assert await column(db, "SELECT day FROM days WHERE is_closed") == [DAY_0 + day * DAY_MS for day in range(3)]
    async with db.read() as tx:
        assert (await differences(tx))[1] == []


async def test_what_deleted_calls_cost_is_carried_over_by_day_and_owner(db: Database) -> None:
    await insert(
        db,
        on_day(0, 1),
        on_day(0, 2),
        on_day(0, 3, cost_nano=None),
        replace(on_day(0, 4), user_id=None, api_key_id=None, provider_id=None),
        on_day(1, 5),
    )
    await rollups.catch_up(db, FakeClock(NOW))

    await tidy(db, TEN_DAYS, NOW)

    async with db.read() as tx, tx.execute("SELECT * FROM carried_spends ORDER BY day, api_key_id") as rows:
        found = [tuple(row) for row in await rows.fetchall()]
    assert found == [
        (20_001, "", "", "", 1, 123, 100),
        (20_001, "ak1", "u1", "prov1", 3, 246, 300),
        (20_002, "ak1", "u1", "prov1", 1, 123, 100),
    ]


async def test_what_is_not_in_the_sums_yet_is_not_deleted(db: Database) -> None:
    await insert(db, on_day(0, 1))
    assert await tidy(db, TEN_DAYS, NOW) == Deleted()
    await rollups.catch_up(db, FakeClock(NOW))
    await insert(db, on_day(0, 2))
    assert await tidy(db, TEN_DAYS, NOW) == Deleted()
    await rollups.catch_up(db, FakeClock(NOW))
    assert await tidy(db, TEN_DAYS, NOW) == Deleted(calls=2)


async def test_a_call_that_comes_to_a_day_that_went_is_summed_before_it_goes_too(db: Database) -> None:
    await insert(db, on_day(0, 1))
    await rollups.catch_up(db, FakeClock(NOW))
    await tidy(db, TEN_DAYS, NOW)
    await insert(db, on_day(0, 2))

    assert await tidy(db, TEN_DAYS, NOW) == Deleted()
    await rollups.catch_up(db, FakeClock(NOW))
    assert await tidy(db, TEN_DAYS, NOW) == Deleted(calls=1)

    assert [group.sums.requests for group in await told(db)] == [2]


async def test_a_step_deletes_no_more_rows_than_it_may_but_always_one_call(db: Database) -> None:
    attempts = tuple(replace(ATTEMPT, number=number) for number in range(1, 6))
    await insert(db, *(on_day(0, number, attempts=attempts) for number in range(5)))
    await rollups.catch_up(db, FakeClock(NOW))

    for most, gone in ((13, 2), (1, 1), (1000, 2)):
        async with db.write() as tx:
            assert await retention.delete_calls(tx, NOW, most) == gone


async def test_captured_parts_go_by_their_own_age_and_with_their_calls(db: Database) -> None:
    await insert(db, on_day(0, 1), on_day(11, 1))
    await rollups.catch_up(db, FakeClock(NOW))
    await capture(db, on_day(0, 1).id, NOW, "request_body")
    await capture(db, on_day(11, 1).id, NOW - 8 * DAY_MS, "request_body", "response_headers")
    await capture(db, "req_other", NOW - 6 * DAY_MS, "request_body")

    assert await tidy(db, TEN_DAYS, NOW) == Deleted(captures=2, calls=1)
    assert await column(db, "SELECT call_id FROM captures") == ["req_other"]


async def test_bodies_make_room_first_then_headers_then_calls_and_today_stays(db: Database) -> None:
    await insert(db, *(on_day(day, number) for day in (10, 11, 12) for number in range(200)))
    await rollups.catch_up(db, FakeClock(NOW + 3_600_000))
    for number in range(20):
        await capture(db, f"req_{number}", NOW - 1000 + number, "request_headers", "response_body", size=40_000)
    full = await used(db)

    def keep(size: int) -> SystemSettings:
        return SystemSettings(retention_days=None, retention_bytes=size)

    assert await tidy(db, keep(full), NOW) == Deleted()
    assert (await tidy(db, keep(full - 100_000), NOW)).calls == 0
    assert set(await column(db, "SELECT part FROM captures")) == {"request_headers"}
    assert len(await column(db, "SELECT part FROM captures WHERE part = 'request_headers'")) == 20
    await tidy(db, keep(1), NOW)
    assert await column(db, "SELECT part FROM captures") == []
    assert {int(str(at)) // DAY_MS for at in await column(db, "SELECT started_at FROM calls")} == {20_012}
    assert await used(db) < full


async def used(db: Database) -> int:
    async with db.read() as tx:
        return await retention.used_bytes(tx)


async def test_nothing_is_deleted_where_everything_is_to_be_kept(db: Database) -> None:
    await insert(db, on_day(0, 1))
    await rollups.catch_up(db, FakeClock(NOW))
    assert await tidy(db, SystemSettings(retention_days=None, retention_bytes=None), NOW) == Deleted()


async def test_it_is_told_beforehand_what_goes(db: Database) -> None:
    await insert(db, *(on_day(day, number) for day in range(13) for number in range(100)))
    await capture(db, "req_1", NOW - 8 * DAY_MS, "request_body")
    settings = SystemSettings(retention_days=10, retention_bytes=await used(db) // 2)

    async with db.read() as tx:
        found = await view.of(tx, settings, NOW)

    assert (found.requests, found.captures, found.oldest_at) == (1300, 1, DAY_0)
    assert (found.due_requests, found.due_captures) == (205, 1)
    assert 400 < found.more_requests < 500
    async with db.read() as tx:
        found = await view.of(tx, SystemSettings(retention_days=None, retention_bytes=1), NOW)
    assert (found.due_requests, found.more_requests) == (0, 1200)


async def test_it_happens_by_itself(db: Database) -> None:
    await insert(db, on_day(0, 1), on_day(12, 1))
    await rollups.catch_up(db, FakeClock(NOW))

    async with tidying(db, lambda: TEN_DAYS, FakeClock(NOW)):
        for _ in range(200):
            await asyncio.sleep(0.01)
            async with db.read() as tx:
                if await calls.count(tx, CallFilter(), 9) == 1:
                    return
    pytest.fail("nothing was deleted")


async def test_what_there_is_is_told_without_counting_it(db: Database) -> None:
    await insert(db, *(on_day(day, number) for day in range(13) for number in range(10)))
    await insert(db, on_day(0, 1), on_day(12, 11))
    await rollups.catch_up(db, FakeClock(NOW))
    for _ in range(2):
        async with db.read() as tx:
            assert (await retention.holdings(tx)).calls == len(await column(db, "SELECT id FROM calls"))
            assert await retention.calls_since(tx, DAY_0 + 12 * DAY_MS) == 11
        await tidy(db, TEN_DAYS, NOW)
