"""The audit log as it is stored."""

from __future__ import annotations

import sqlite3

import pytest
from msgspec.structs import replace

from gateway.model.audit import Entry, Row
from gateway.model.people import Actor
from gateway.store import audit
from gateway.store.audit import AuditFilter
from gateway.store.database import Database

pytestmark = pytest.mark.anyio

ANN = Actor("user", "u1", "ann", "192.0.2.7")
BOT = Actor("token", "t1", "bot", "")
ENTRY = Entry(10, ANN, "create", "api_key", "k1", None, "{}", 3)
ENTRIES = (
    ENTRY,
    replace(ENTRY, at=20, actor=BOT, action="delete", object_id="k2"),
    replace(ENTRY, at=30, actor=BOT, object_kind="user", object_id="u1"),
    replace(ENTRY, at=40, object_kind="pool", object_id="p1"),
)


async def write(db: Database, *entries: Entry) -> None:
    async with db.write() as tx:
        for entry in entries:
            await audit.insert(tx, entry)


async def seqs(db: Database, before: int | None = None, limit: int = 10, **wanted: object) -> list[int]:
    async with db.read() as tx:
        found = await audit.page(tx, AuditFilter(**wanted), before, limit)  # type: ignore[arg-type]
    return [row.seq for row in found]


async def test_rows_come_back_as_they_were_in_order(db: Database) -> None:
    await write(db, *ENTRIES)

    async with db.read() as tx:
        rows = await audit.after(tx, 0, 10)
        later = await audit.after(tx, 2, 1)
        head = await audit.head(tx)

    assert [row.entry for row in rows] == list(ENTRIES)
    assert later == rows[2:3]
    assert (head.seq, head.hash) == (4, rows[-1].hash)
    assert len({row.hash for row in rows}) == 4


async def test_the_newest_come_first_page_by_page(db: Database) -> None:
    await write(db, *ENTRIES)

    assert await seqs(db) == [4, 3, 2, 1]
    assert await seqs(db, None, 2) == [4, 3]
    assert await seqs(db, 3, 2) == [2, 1]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"actor": "ann"}, [4, 1]),
        ({"actor": "t1"}, [3, 2]),
        ({"action": "delete"}, [2]),
        ({"object_kind": "user"}, [3]),
        ({"object_id": "p1"}, [4]),
        ({"since": 20, "until": 40}, [3, 2]),
        ({"user_id": "u1"}, [4, 3, 1]),
        ({"user_id": "t1"}, []),
        ({"actor": "ann", "action": "delete"}, []),
    ],
    ids=str,
)
async def test_each_filter_keeps_what_it_says(db: Database, wanted: dict[str, object], found: list[int]) -> None:
    await write(db, *ENTRIES)

    assert await seqs(db, **wanted) == found


async def test_the_first_hash_covers_the_rows_from_before_there_were_any(db: Database) -> None:
    async with db.write() as tx:
        for seq in (1, 2):
            await tx.execute(
                """
                INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id,
                                   config_version)
                VALUES (:seq, 1, 'cli', 'x', 'x', '', 'create', 'pool', 'p', 1)
                """,
                {"seq": seq},
            )
        before = await audit.head(tx)
        await audit.insert(tx, ENTRY)
        rows = await audit.after(tx, 0, 10)

    assert before.seq == 2 and len(before.hash) == 32
    assert [row.hash is None for row in rows] == [True, True, False]
    assert isinstance(rows[2], Row) and rows[2].seq == 3


async def test_rows_can_neither_be_changed_nor_deleted(db: Database) -> None:
    await write(db, ENTRY)

    for statement in ("UPDATE audit SET action = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            async with db.write() as tx:
                await tx.execute(statement)
