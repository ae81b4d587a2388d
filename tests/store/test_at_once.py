"""Work in the database's thread: the same functions, one visit, one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.store import spends
from gateway.store.at_once import carry_out
from gateway.store.database import Database, Tx, open_database
from gateway.store.migrate import migrate
from gateway.store.spends import DaySpend

pytestmark = pytest.mark.anyio

ONE, TWO = DaySpend("user:u1", 1, 1), DaySpend("user:u2", 1, 2)


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


async def kept(db: Database) -> tuple[DaySpend, ...]:
    async with db.read() as tx:
        return await spends.every(tx)


def test_functions_of_the_store_find_what_they_await_done() -> None:
    found: list[object] = []

    async def work(tx: Tx) -> None:
        await tx.execute("CREATE TABLE things (name TEXT)")
        await tx.executemany("INSERT INTO things VALUES (?)", [("a",), ("b",)])
        async with tx.execute("SELECT name FROM things ORDER BY name") as rows:
            found.append(await rows.fetchone())
            found.append(await rows.fetchall())
        found.append(await tx.execute_fetchall("SELECT count(*) FROM things"))
        async with tx.execute("DELETE FROM things") as done:
            found.append(done.rowcount)

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        carry_out(connection, work)

    assert found == [("a",), [("b",)], [(2,)], 2]


def test_waiting_for_anything_else_is_a_fault_of_the_program() -> None:
    ended: list[str] = []

    async def work(tx: Tx) -> None:
        try:
            await asyncio.sleep(0)
        finally:
            ended.append("ended")

    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(RuntimeError, match="only statements can be awaited"),
    ):
        carry_out(connection, work)
    assert ended == ["ended"]


async def test_all_of_it_is_one_transaction(db: Database) -> None:
    async def work(tx: Tx) -> None:
        await spends.save_many(tx, [ONE])
        await spends.add(tx, TWO)

    await db.write_at_once(work)
    await db.write_at_once(work)

    assert await kept(db) == (ONE, DaySpend("user:u2", 1, 4))


async def test_a_fault_undoes_all_of_it_and_the_next_one_is_clean(db: Database) -> None:
    async def broken(tx: Tx) -> None:
        await spends.save_many(tx, [ONE])
        raise ZeroDivisionError

    async def whole(tx: Tx) -> None:
        await spends.save_many(tx, [TWO])

    with pytest.raises(ZeroDivisionError):
        await db.write_at_once(broken)
    await db.write_at_once(whole, is_durable=True)
    async with db.write() as tx:
        await spends.add(tx, TWO)

    assert await kept(db) == (DaySpend("user:u2", 1, 4),)


async def test_a_row_that_may_not_be_there_undoes_the_others(db: Database) -> None:
    async def work(tx: Tx) -> None:
        await spends.save_many(tx, [ONE, DaySpend("user:u3", 1, -1)])

    with pytest.raises(sqlite3.IntegrityError):
        await db.write_at_once(work)
    assert await kept(db) == ()


async def test_a_locked_file_is_told_as_every_write_tells_it(db: Database, tmp_path: Path) -> None:
    await db._writer.execute("PRAGMA busy_timeout = 20")

    async def work(tx: Tx) -> None:
        await spends.save_many(tx, [ONE])

    with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as told:
            await db.write_at_once(work)
        other.execute("ROLLBACK")
    assert told.value.code == "storage_unavailable"
    await db.write_at_once(work)
    assert await kept(db) == (ONE,)


@pytest.mark.parametrize("turns", range(6))
async def test_cancelled_it_is_done_or_undone_and_never_half(db: Database, turns: int) -> None:
    async def work(tx: Tx) -> None:
        await spends.save_many(tx, [ONE])
        await spends.save_many(tx, [TWO])

    task = asyncio.create_task(db.write_at_once(work))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    async with db.write() as tx:
        there = await spends.every(tx)

    assert there in ((), (ONE, TWO))


async def test_it_takes_turns_with_other_transactions(db: Database) -> None:
    order: list[str] = []

    async def work(tx: Tx) -> None:
        order.append("at once")

    async with db.write() as tx:
        await spends.save_many(tx, [ONE])
        waiting = asyncio.create_task(db.write_at_once(work))
        await asyncio.sleep(0.02)
        order.append("written")
    await waiting
    assert order == ["written", "at once"]


async def test_the_log_is_moved_into_the_file_once_a_second_at_most(db: Database, tmp_path: Path) -> None:
    """Its file keeps its size when it begins anew, so size alone would have it moved with every batch from then on."""
    moved: list[str] = []
    await db._writer.set_trace_callback(
        lambda statement: moved.append(statement) if "checkpoint" in statement else None
    )

    async def many(tx: Tx) -> None:
        await tx.execute("CREATE TABLE big AS SELECT randomblob(6000000)")

    await db.write_at_once(many)
    for _ in range(5):
        await db.checkpoint_if_large()
        await db.write_at_once(lambda tx: spends.save_many(tx, [ONE]))

    assert len(moved) == 1
    assert await kept(db) == (ONE,)
