"""The SQLite file: one connection that writes, a few that can only read.

SQLite before 3.51.3 can lose committed rows when two connections write or checkpoint at the same instant,
so exactly one connection here ever does either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import aiosqlite

from gateway.errors import Unavailable
from gateway.store.at_once import Done, Work, carry_out

Tx = aiosqlite.Connection
"""A connection inside a transaction. Whoever is handed one uses it and does not end it."""

READERS = 3
READ_SECONDS = 5.0
_CHECKPOINT_BYTES = 4 * 1024 * 1024
_CHECKPOINT_SECONDS = 1.0


class _Connection(aiosqlite.Connection):
    async def visit(self, work: Callable[[sqlite3.Connection], Done]) -> Done:
        """Run `work` in the connection's own thread, between other statements."""
        done: Done = await self._execute(work, self._conn)  # type: ignore[no-untyped-call]
        return done


class Database:
    """Made by `open_database`. `write` and `read` each give one transaction, what ends in `at_once` carries one out."""

    def __init__(self, path: Path, writer: _Connection, readers: list[_Connection]) -> None:
        self._path = path
        self._writer = writer
        self._write_turn = asyncio.Lock()
        self._is_durable = False
        self._next_checkpoint = 0.0
        self._readers: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        for reader in readers:
            self._readers.put_nowait(reader)

    @contextlib.asynccontextmanager
    async def write(self, *, is_durable: bool = False) -> AsyncIterator[Tx]:
        """One write transaction: committed at the end, rolled back on any error or cancellation.

        Where `is_durable`, it is on the disk once this ends and outlasts a power cut; else it outlasts a crash.
        """
        async with self._write_turn:
            try:
                await self._sync(is_durable)
                # Inside the try: cancelled while it waits, it may have begun all the same.
                await self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
                await asyncio.shield(self._writer.commit())
            except (
                BaseException
            ) as error:  # reason: a cancelled request must roll back too, or the next one inherits it
                await asyncio.shield(self._writer.rollback())
                if isinstance(error, sqlite3.OperationalError):
                    raise _unavailable(error) from error
                raise

    async def write_at_once(self, work: Work[Done], *, is_durable: bool = False) -> Done:
        """One write transaction as `write` gives it, whose statements are all carried out in one visit to its thread.

        Cancelled, it is committed or rolled back all the same, and keeps its turn until then.
        """
        async with self._write_turn:
            visit = asyncio.ensure_future(self._writer.visit(partial(self._transaction, work, is_durable=is_durable)))
            try:
                return await asyncio.shield(visit)
            except asyncio.CancelledError:
                await asyncio.gather(visit, return_exceptions=True)
                raise
            except sqlite3.OperationalError as error:
                raise _unavailable(error) from error

    def _transaction(self, work: Work[Done], writer: sqlite3.Connection, *, is_durable: bool) -> Done:
        if is_durable and not self._is_durable:
            writer.execute("PRAGMA synchronous = FULL")
        elif self._is_durable and not is_durable:
            writer.execute("PRAGMA synchronous = NORMAL")
        self._is_durable = is_durable
        writer.execute("BEGIN IMMEDIATE")
        try:
            done = carry_out(writer, work)
            writer.commit()
        except BaseException:  # reason: whatever it was, the next transaction must not inherit this one
            writer.rollback()
            raise
        return done

    @contextlib.asynccontextmanager
    async def read(self, seconds: float = READ_SECONDS) -> AsyncIterator[Tx]:
        """One consistent view. What takes longer than `seconds` in all is cut off and answers 503."""
        reader = await self._readers.get()
        try:
            await reader.visit(partial(_begin_view, seconds))
            yield reader
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error
        finally:
            try:
                await asyncio.shield(reader.rollback())
            finally:
                # Cancelled at this very moment, it would be lost to everybody else, and never closed.
                self._readers.put_nowait(reader)

    async def read_at_once(self, work: Work[Done], seconds: float = READ_SECONDS) -> Done:
        """What `work` finds in a view as `read` gives it; all its statements are one visit to the reader's thread."""
        reader = await self._readers.get()
        visit = asyncio.ensure_future(reader.visit(partial(_view, work, seconds)))
        try:
            return await asyncio.shield(visit)
        except asyncio.CancelledError:
            await asyncio.gather(visit, return_exceptions=True)
            raise
        except sqlite3.OperationalError as error:
            raise _unavailable(error) from error
        finally:
            self._readers.put_nowait(reader)

    def who_locks(self) -> str:
        """In words for the log, which other process holds the file's write lock; empty where none is found.

        The kernel's list is read: opening the file to ask would lose our own locks on it.
        """
        shared = self._path.with_name(self._path.name + "-shm")
        try:
            inode, locks = shared.stat().st_ino, Path("/proc/locks").read_text("utf-8")
        except OSError:
            return ""
        for line in locks.splitlines():
            words = line.split()
            if "WRITE" in words and f":{inode} " in line and words[4] != str(os.getpid()):
                return f"; process {words[4]} holds the lock"
        return ""

    async def _sync(self, is_durable: bool) -> None:  # noqa: FBT001
        # It can be set between transactions only; most of the time it is right already.
        if is_durable and not self._is_durable:
            await self._writer.execute("PRAGMA synchronous = FULL")
        elif self._is_durable and not is_durable:
            await self._writer.execute("PRAGMA synchronous = NORMAL")
        self._is_durable = is_durable

    async def checkpoint_if_large(self) -> None:
        """Move the write-ahead log into the file once it has grown; only the writer ever does this.

        The log's file keeps its size when it begins anew, so from then on this is done once a second at most: pages
        that are written again and again are moved once.
        """
        if time.monotonic() < self._next_checkpoint:
            return
        self._next_checkpoint = time.monotonic() + _CHECKPOINT_SECONDS
        wal = self._path.with_name(self._path.name + "-wal")
        with contextlib.suppress(FileNotFoundError):
            if wal.stat().st_size > _CHECKPOINT_BYTES:
                # To its end: while a statement of this connection is half done, nothing can be committed.
                async with self._write_turn, self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)") as rows:
                    await rows.fetchall()

    async def close(self) -> None:
        while not self._readers.empty():
            await self._readers.get_nowait().close()
        async with self._write_turn:
            with contextlib.suppress(sqlite3.OperationalError):
                await self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            await self._writer.close()


@contextlib.asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open the file at `path`, whose schema is already current (see migrate.py)."""
    async with contextlib.AsyncExitStack() as opened:
        connect = partial(sqlite3.connect, path, isolation_level=None, cached_statements=256)
        writer = _Connection(connect, iter_chunk_size=64)
        await writer
        opened.push_async_callback(writer.close)
        for pragma in (
            "PRAGMA foreign_keys = ON",
            "PRAGMA busy_timeout = 5000",
            "PRAGMA synchronous = NORMAL",
            "PRAGMA wal_autocheckpoint = 0",
            "PRAGMA journal_size_limit = 67108864",
            "PRAGMA trusted_schema = OFF",
            # What a batch of calls changes, so that nothing is read again for it.
            "PRAGMA cache_size = -768",
        ):
            await writer.execute(pragma)
        readers = []
        for _ in range(READERS):
            look = partial(sqlite3.connect, _read_only(path), uri=True, isolation_level=None)
            reader = _Connection(look, iter_chunk_size=64)
            await reader
            opened.push_async_callback(reader.close)
            for pragma in (
                "PRAGMA query_only = ON",
                # The system keeps the file's pages once for all readers.
                "PRAGMA cache_size = -384",
                "PRAGMA busy_timeout = 5000",
                "PRAGMA trusted_schema = OFF",
            ):
                await reader.execute(pragma)
            readers.append(reader)
        opened.pop_all()
    database = Database(path, writer, readers)
    try:
        yield database
    finally:
        await database.close()


def was_left_open(path: Path) -> bool:
    """Whether the last process that used the file ended without closing it. To be asked before it is opened."""
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


async def quick_check(path: Path) -> str:
    """`ok`, or what is wrong with the file; looks through all of it beside whoever serves it."""
    try:
        async with open_reader(path) as tx, tx.execute("PRAGMA quick_check(1)") as rows:
            found = await rows.fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return str(found[0]) if found else "nothing was said of it"


@contextlib.asynccontextmanager
async def open_reader(path: Path) -> AsyncIterator[Tx]:
    """One view of the file for a command, also while a gateway serves it; however long it takes."""
    reader = await aiosqlite.connect(_read_only(path), uri=True, isolation_level=None)
    try:
        await reader.execute("PRAGMA query_only = ON")
        await reader.execute("PRAGMA busy_timeout = 5000")
        await reader.execute("BEGIN")
        yield reader
    finally:
        await reader.interrupt()  # whoever leaves in the middle of a statement does not wait for its end
        await reader.close()


def _begin_view(seconds: float, reader: sqlite3.Connection) -> None:
    deadline = time.monotonic() + seconds
    reader.set_progress_handler(lambda: int(time.monotonic() > deadline), 20_000)
    reader.execute("BEGIN")


def _view(work: Work[Done], seconds: float, reader: sqlite3.Connection) -> Done:
    _begin_view(seconds, reader)
    try:
        return carry_out(reader, work)
    finally:
        reader.rollback()


def _read_only(path: Path) -> str:
    """SQLite's URI of a file that this connection can only read."""
    return f"{path.absolute().as_uri()}?mode=ro"


def _unavailable(error: sqlite3.OperationalError) -> Unavailable:
    if "interrupted" in str(error):
        return Unavailable("This question took the database too long; narrow it.", code="query_too_slow")
    return Unavailable("The database cannot be used right now; try again.", code="storage_unavailable", retry_after=1)
