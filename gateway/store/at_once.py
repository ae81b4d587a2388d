"""Several statements in one visit to a connection's thread.

Functions of this package await each statement, and every time that is a way to the connection's thread and back, which
costs more than most statements do. Run by `carry_out` within that thread, they find each one done when they await it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any, TypeVar

Done = TypeVar("Done")
Work = Callable[[Any], Coroutine[Any, Any, Done]]
"""Takes a connection as functions of this package do, and awaits nothing but statements."""


class _Found:
    """What a statement found: awaited, or entered, as aiosqlite's is."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    async def fetchone(self) -> Any:
        return self._cursor.fetchone()

    async def fetchall(self) -> list[Any]:
        return self._cursor.fetchall()

    def __await__(self) -> Generator[None, None, _Found]:
        yield from ()
        return self

    async def __aenter__(self) -> _Found:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._cursor.close()


class _Here:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._one, self._many = connection.execute, connection.executemany

    def execute(self, sql: str, parameters: Any = ()) -> _Found:
        return _Found(self._one(sql, parameters))

    async def execute_fetchall(self, sql: str, parameters: Any = ()) -> list[Any]:
        return self._one(sql, parameters).fetchall()

    def executemany(self, sql: str, parameters: Iterable[Any]) -> _Found:
        return _Found(self._many(sql, parameters))


def carry_out(connection: sqlite3.Connection, work: Work[Done]) -> Done:
    """What comes of `work`, done now. Raises what it raises, and RuntimeError where it awaits anything else."""
    doing = work(_Here(connection))
    try:
        doing.send(None)
    except StopIteration as end:
        done: Done = end.value
        return done
    doing.close()
    raise RuntimeError("only statements can be awaited in the database's thread")
