"""Rows that are written several at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.database import Database, Tx, open_database
from gateway.store.lots import Lots, lots
from gateway.store.migrate import migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        async with opened.write() as tx:
            await tx.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT CHECK (word <> 'bad')) STRICT")
        yield opened


def of_t(after: str = "") -> Lots:
    return lots("INSERT OR FAIL INTO t (id, word)", after)


async def there(db: Database) -> list[tuple[int, str]]:
    async with db.read() as tx, tx.execute("SELECT id, word FROM t ORDER BY id") as rows:
        return [tuple(row) for row in await rows.fetchall()]


def words(count: int) -> list[tuple[int, str]]:
    return [(number, f"word {number}") for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15, 16, 17, 20, 21, 64, 100])
async def test_every_row_is_written_once_and_as_it_is_whatever_their_number(db: Database, count: int) -> None:
    async def write(tx: Tx) -> None:
        await of_t().insert(tx, words(count), list.extend)

    await db.write_at_once(write)

    assert await there(db) == words(count)


async def test_it_writes_in_a_transaction_of_many_visits_too(db: Database) -> None:
    async with db.write() as tx:
        await of_t().insert(tx, words(21), list.extend)

    assert await there(db) == words(21)


async def test_few_statements_write_many_rows(db: Database) -> None:
    told: list[str] = []
    await db._writer.set_trace_callback(told.append)

    async with db.write() as tx:
        await of_t().insert(tx, words(102), list.extend)

    assert len([one for one in told if "INSERT" in one]) == 6 + 1 + 2


async def test_rows_are_made_when_it_is_their_turn(db: Database) -> None:
    """All of a long batch at once would keep every other thread waiting."""
    events: list[str] = []
    await db._writer.set_trace_callback(lambda statement: events.append(statement.split()[0]))

    def row(values: list[object], number: int) -> None:
        events.append("row")
        values += (number, "word")

    async def write(tx: Tx) -> None:
        await of_t().insert(tx, range(33), row)

    await db.write_at_once(write)

    assert events == ["BEGIN", *["row"] * 16, "INSERT", *["row"] * 16, "INSERT", "row", "INSERT", "COMMIT"]


async def test_what_comes_after_the_values_holds_for_each_row(db: Database) -> None:
    async with db.write() as tx:
        await of_t().insert(tx, [(2, "first"), (40, "first")], list.extend)
        await of_t("ON CONFLICT (id) DO UPDATE SET word = word || ', ' || excluded.word").insert(
            tx, words(50), list.extend
        )

    found = dict(await there(db))
    assert (found[2], found[40], found[41]) == ("first, word 2", "first, word 40", "word 41")
    assert len(found) == 50


async def test_a_row_that_may_not_be_takes_the_whole_transaction_with_it(db: Database) -> None:
    async def write(tx: Tx) -> None:
        await of_t().insert(tx, [*words(30), (30, "bad"), (31, "good")], list.extend)

    with pytest.raises(sqlite3.IntegrityError):
        await db.write_at_once(write)
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await write(tx)

    assert await there(db) == []


async def test_last_columns_that_are_as_usual_need_not_be_handed_over(db: Database) -> None:
    usual = lots("INSERT OR FAIL INTO t (id, word)", "", "'usual'")

    async with db.write() as tx:
        await usual.insert(tx, [(number,) for number in range(21)], list.extend, are_usual=True)
        await usual.insert(tx, [(number, "rare") for number in range(21, 24)], list.extend)

    assert await there(db) == [(number, "usual" if number < 21 else "rare") for number in range(24)]


def test_an_insert_that_could_undo_itself_alone_is_refused() -> None:
    with pytest.raises(AssertionError):
        lots("INSERT INTO t (id, word)")
