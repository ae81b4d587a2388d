"""Segments are in the order of ids, whenever calls come, and a search finds all of them."""

from __future__ import annotations

from random import Random

import pytest

from gateway.model.calls import CallRecord, CallStatus
from gateway.store import calls, retention, rollups, segments
from gateway.store.call_search import CallFilter, search
from gateway.store.database import READERS, Database
from tests.store.rows import call

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "FULL", 10)


async def write(db: Database, *rows: CallRecord) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, rows)
        await rollups.name_subjects(tx, [("api_key", "ak1", "laptop"), ("api_key", "ak2", "other")])


async def told(db: Database) -> list[tuple[int, str, int]]:
    async with db.read() as tx, tx.execute("SELECT number, after_id, calls FROM segments ORDER BY number") as rows:
        return [(row[0], row[1], row[2]) for row in await rows.fetchall()]


async def segments_by_id(db: Database) -> list[int]:
    async with db.read() as tx, tx.execute("SELECT segment FROM calls ORDER BY id") as rows:
        return [row[0] for row in await rows.fetchall()]


async def test_a_full_segment_is_followed_by_one_that_begins_after_its_last_call(db: Database) -> None:
    await write(db, *(call(number) for number in range(1, 8)))
    await write(db, *(call(number) for number in range(8, 13)))
    await write(db, call(13))

    assert await told(db) == [(0, "", 12), (1, call(12).id, 1)]
    assert await segments_by_id(db) == [0] * 12 + [1]


async def test_a_call_that_comes_late_is_put_where_its_id_belongs(db: Database) -> None:
    await write(db, *(call(number) for number in range(10, 30, 2)))
    await write(db, *(call(number) for number in range(30, 50, 2)))
    await write(db, call(3), call(29), call(31), call(60))

    assert await segments_by_id(db) == [0] * 11 + [1] * 12 + [2]
    assert await told(db) == [(0, "", 10), (1, call(28).id, 10), (2, call(48).id, 1)]


async def test_calls_that_are_written_again_stay_where_they_are(db: Database) -> None:
    rows = [call(number) for number in range(1, 13)]
    await write(db, *rows)
    await write(db, *rows)
    assert await segments_by_id(db) == [0] * 12


async def test_segments_go_with_the_last_of_their_calls(db: Database) -> None:
    for first in range(10, 60, 10):
        await write(db, *(call(number) for number in range(first, first + 10)))
    async with db.write() as tx:
        await tx.execute("DELETE FROM calls WHERE id < ?", (call(35).id,))
        await segments.forget_empty(tx)
    await write(db, call(2))

    assert [(number, after) for number, after, _ in await told(db)] == [
        (2, ""),
        (3, call(39).id),
        (4, call(49).id),
        (5, call(59).id),
    ]
    assert await segments_by_id(db) == [2] * 6 + [3] * 10 + [4] * 10
    async with db.read() as tx:
        assert (await search(tx, CallFilter(api_key="ak1"), call(36).id, 9)).ids == (call(35).id, call(2).id)


async def test_the_last_segment_stays_when_all_calls_are_deleted(db: Database) -> None:
    for first in (1, 11, 21):
        await write(db, *(call(number) for number in range(first, first + 10)))
    async with db.write() as tx:
        await tx.execute("DELETE FROM calls")
        await segments.forget_empty(tx)
    await write(db, call(50))

    assert await told(db) == [(2, "", 10), (3, "", 1)]


async def test_segments_stay_in_order_where_the_newest_calls_are_deleted(db: Database) -> None:
    """A new one that began at what is left would begin before an older one, and late calls would be in disorder."""
    for first in (10, 20, 30):
        await write(db, *(call(number) for number in range(first, first + 10)))
    async with db.write() as tx:
        await tx.execute("DELETE FROM calls WHERE id > ?", (call(25).id,))
        await segments.forget_empty(tx)
    await write(db, *(call(number) for number in (24, 26, 28, 50)))
    await write(db, call(27))

    ends = [after for _, after, _ in await told(db)]
    assert ends == sorted(ends)
    assert await segments_by_id(db) == sorted(await segments_by_id(db))
    async with db.read() as tx:
        found = (await search(tx, CallFilter(api_key="ak1"), None, 6)).ids
    assert found == tuple(call(number).id for number in (50, 28, 27, 26, 25, 24))


async def test_retention_forgets_segments(db: Database) -> None:
    day = 86_400_000
    for first in (1, 11, 21):
        await write(db, *(call(number, started_at=first * day) for number in range(first, first + 10)))
    async with db.write() as tx:
        await tx.execute("INSERT INTO days (day, summed) VALUES (?, 10)", (day,))
        await tx.execute("UPDATE hours SET summed = calls, waiting = 0")
        assert await retention.delete_calls(tx, 2 * day, 100) == 10
    assert [number for number, _, _ in await told(db)] == [1, 2]


FILTERS = (
    CallFilter(api_key="ak2"),
    CallFilter(api_key="ak2", since=40, until=150),
    CallFilter(api_key="ak2", model="gpt"),
    CallFilter(model="gpt"),
    CallFilter(provider="openai", status=CallStatus.COMPLETED),
)


@pytest.mark.parametrize(
    "wanted", [CallFilter(api_key="ak1"), CallFilter(api_key="ak1", model="gpt"), CallFilter(model="gpt", code=200)]
)
async def test_what_is_found_is_in_order_without_being_put_in_order(db: Database, wanted: CallFilter) -> None:
    """Else all calls of a key would be looked up for the first few."""
    await write(db, *(call(number) for number in range(1, 30)))
    heard: list[str] = []
    reader = await db._readers.get()
    await reader.set_trace_callback(heard.append)
    db._readers.put_nowait(reader)
    for _ in range(READERS):
        async with db.read() as tx:
            await search(tx, wanted, None, 5)

    steps = []
    for statement in heard:
        if "of_segment" in statement:
            async with db.read() as tx, tx.execute(f"EXPLAIN QUERY PLAN {statement}") as rows:
                steps += [row[3] for row in await rows.fetchall()]
    assert any("SEARCH segments" in step for step in steps)
    assert not [step for step in steps if "TEMP B-TREE" in step]


@pytest.mark.parametrize("seed", range(3))
async def test_every_order_of_coming_is_searched_in_the_order_of_ids(db: Database, seed: int) -> None:
    rng = Random(seed)
    rows = [call(number, api_key_id=rng.choice(["ak1", "ak2", None])) for number in range(200)]
    late = sorted(rows, key=lambda row: row.started_at + rng.choice([0, 0, 0, 15, 60]))
    for first in range(0, 200, 7):
        await write(db, *late[first : first + 7])

    assert await segments_by_id(db) == sorted(await segments_by_id(db))
    assert len(await told(db)) > 9
    for wanted in FILTERS:
        found, before = [], None
        async with db.read() as tx:
            while len(page := (await search(tx, wanted, before, 11)).ids) == 11:
                found, before = [*found, *page], page[-1]
        wanted_key = wanted.api_key
        assert [*found, *page] == [
            row.id
            for row in reversed(rows)
            if wanted_key in (None, row.api_key_id) and (wanted.since or 0) <= row.started_at < (wanted.until or 10**9)
        ]
