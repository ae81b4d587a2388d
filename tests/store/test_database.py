"""The database file: one writer, readers that cannot write, transactions that end whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.errors import Unavailable
from gateway.store.database import READERS, Database, Tx, open_database
from gateway.store.migrate import migrate

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


INSERT = "INSERT INTO login_failures (subject, failures, blocked_until, updated_at) VALUES (:s, 1, 0, 0)"


async def subjects(db: Database) -> list[str]:
    async with db.read() as tx, tx.execute("SELECT subject FROM login_failures ORDER BY subject") as rows:
        return [row[0] for row in await rows.fetchall()]


async def test_a_transaction_is_all_or_nothing(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.write() as tx:
            await tx.execute(INSERT, {"s": "a"})
            raise ZeroDivisionError
    async with db.write() as tx:
        await tx.execute(INSERT, {"s": "b"})
    assert await subjects(db) == ["b"]


async def test_a_cancelled_transaction_is_rolled_back_and_the_next_one_is_clean(db: Database) -> None:
    begun = asyncio.Event()

    async def slow() -> None:
        async with db.write() as tx:
            await tx.execute(INSERT, {"s": "a"})
            begun.set()
            await asyncio.sleep(10)

    task = asyncio.create_task(slow())
    await begun.wait()
    task.cancel()
    await asyncio.wait({task})
    async with db.write() as tx:
        await tx.execute(INSERT, {"s": "b"})
    assert await subjects(db) == ["b"]


async def test_readers_cannot_write(db: Database) -> None:
    with pytest.raises((Unavailable, sqlite3.OperationalError)):
        async with db.read() as tx:
            await tx.execute(INSERT, {"s": "a"})
    assert await subjects(db) == []


async def test_writers_take_turns(db: Database) -> None:
    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.execute(INSERT, {"s": f"{number:03}"})
            await asyncio.sleep(0)

    await asyncio.gather(*(write(number) for number in range(50)))
    assert len(await subjects(db)) == 50


async def test_more_readers_than_connections_wait_their_turn(db: Database) -> None:
    assert await asyncio.gather(*(subjects(db) for _ in range(20))) == [[]] * 20


async def test_a_foreign_lock_is_a_503_and_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    migrate(path)
    async with open_database(path) as db:
        await db._writer.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable) as caught:
            async with db.write() as tx:
                await tx.execute(INSERT, {"s": "a"})
        other.execute("ROLLBACK")
        other.close()
        async with db.write() as tx:
            await tx.execute(INSERT, {"s": "b"})
        assert await subjects(db) == ["b"]
    assert caught.value.code == "storage_unavailable"


async def test_the_write_ahead_log_is_empty_after_closing(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    migrate(path)
    async with open_database(path) as db, db.write() as tx:
        await tx.execute(INSERT, {"s": "a"})
    wal = path.with_name("gateway.db-wal")
    assert not wal.exists() or wal.stat().st_size == 0


async def test_the_files_are_private(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    migrate(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_the_audit_log_can_only_grow(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute(
            "INSERT INTO audit (at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id,"
            " config_version) VALUES (1, 'user', 'u', 'u', '', 'create', 'provider', 'p', 1)"
        )
    for statement in ("UPDATE audit SET at = 2", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            async with db.write() as tx:
                await tx.execute(statement)


@pytest.mark.parametrize("turns", range(12))
async def test_a_write_cancelled_at_any_step_leaves_no_transaction_open(db: Database, turns: int) -> None:
    async def write() -> None:
        async with db.write() as tx:
            await tx.execute(INSERT, {"s": "a"})

    task = asyncio.create_task(write())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})

    async with db.write() as tx:
        await tx.execute(INSERT, {"s": "b"})
    assert "b" in await subjects(db)


async def test_a_question_is_given_as_long_as_its_asker_says(db: Database) -> None:
    endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with pytest.raises(Unavailable, match="too long"):
        async with db.read(0.05) as tx:
            await tx.execute(endless)
    async with db.read(60) as tx, tx.execute("SELECT 1") as rows:
        assert await rows.fetchone() is not None


async def test_what_is_read_at_once_is_one_view_and_what_was_found_in_it(db: Database) -> None:
    async def look(tx: Tx) -> list[int]:
        async with tx.execute("SELECT count(*) FROM login_failures") as rows:
            (there,) = await rows.fetchone() or ()
        # Another connection commits meanwhile, and this view does not see it.
        write_alone(db)
        return [there, *(row[0] for row in await tx.execute_fetchall("SELECT count(*) FROM login_failures"))]

    assert await db.read_at_once(look) == [0, 0]
    assert await subjects(db) == ["alone"]


def write_alone(db: Database) -> None:
    with contextlib.closing(sqlite3.connect(db._path)) as other, other:
        other.execute(INSERT, {"s": "alone"})


async def test_what_is_read_at_once_cannot_write_and_ends_in_time(db: Database) -> None:
    endless = "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with pytest.raises(Unavailable):
        await db.read_at_once(lambda tx: tx.execute_fetchall(INSERT, {"s": "a"}))
    with pytest.raises(Unavailable, match="too long"):
        await db.read_at_once(lambda tx: tx.execute_fetchall(endless), 0.05)
    assert await db.read_at_once(lambda tx: tx.execute_fetchall("SELECT 1")) == [(1,)]


@pytest.mark.parametrize("is_at_once", [False, True])
async def test_a_reader_is_given_back_whenever_its_user_is_cancelled(tmp_path: Path, *, is_at_once: bool) -> None:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as db:

        async def look() -> None:
            if is_at_once:
                await db.read_at_once(lambda tx: tx.execute_fetchall("SELECT 1"))
                return
            async with db.read() as tx, tx.execute("SELECT 1") as rows:
                await rows.fetchall()

        for steps in range(120):
            looking = asyncio.create_task(look())
            for _ in range(steps // 2):
                await asyncio.sleep(0.0005 if steps % 2 else 0)
            looking.cancel()
            await asyncio.wait({looking})
        assert db._readers.qsize() == READERS
