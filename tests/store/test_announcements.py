"""Announcements as they are stored."""

from __future__ import annotations

import sqlite3

import pytest
from msgspec.structs import replace

from gateway.model.announcements import Announcement, AnnouncementKind
from gateway.model.people import User
from gateway.store import announcements, users
from gateway.store.database import Database

pytestmark = pytest.mark.anyio

ONE = Announcement(
    id="a1",
    kind=AnnouncementKind.WARNING,
    title="A stop",
    body="On *Monday*",
    priority=7,
    is_pinned=True,
    is_active=False,
    starts_at=100,
    ends_at=200,
    author="ann",
    created_at=10,
    updated_at=20,
    version=3,
)
ADA = User("u1", "ada", "$argon2id$x", "admin", True, "auto", 10, None)


async def test_one_comes_back_as_it_was(db: Database) -> None:
    async with db.write() as tx:
        await announcements.insert(tx, ONE)
    async with db.read() as tx:
        assert await announcements.get(tx, "a1") == ONE
        assert await announcements.every(tx) == (ONE,)
        assert await announcements.get(tx, "a2") is None


async def test_a_change_keeps_the_author_and_the_beginning(db: Database) -> None:
    after = replace(ONE, title="No stop", kind=AnnouncementKind.INFO, starts_at=None, ends_at=None, is_active=True)
    async with db.write() as tx:
        await announcements.insert(tx, ONE)
        await announcements.update(tx, replace(after, author="eve", created_at=99))
        assert await announcements.get(tx, "a1") == after


async def test_they_come_in_the_order_in_which_they_are_shown(db: Database) -> None:
    plain = replace(ONE, is_pinned=False)
    rows = [
        replace(plain, id="late", created_at=30),
        replace(plain, id="early", created_at=20),
        replace(plain, id="urgent", priority=1),
        replace(ONE, id="pinned", priority=99),
    ]
    async with db.write() as tx:
        for row in rows:
            await announcements.insert(tx, row)
        assert [one.id for one in await announcements.every(tx)] == ["pinned", "urgent", "late", "early"]


async def test_who_has_read_it_is_kept_once_and_goes_with_it(db: Database) -> None:
    async with db.write() as tx:
        await users.insert(tx, ADA)
        await announcements.insert(tx, ONE)
        for at in (1, 2):
            await announcements.mark_read(tx, "a1", "u1", at)
        assert await announcements.read_by(tx, "u1") == {"a1"}
        assert await announcements.read_by(tx, "u2") == frozenset()
        await announcements.forget_reads(tx, "a1")
        assert await announcements.read_by(tx, "u1") == frozenset()
        await announcements.mark_read(tx, "a1", "u1", 3)
        await announcements.delete(tx, "a1")
        assert await announcements.read_by(tx, "u1") == frozenset()


@pytest.mark.parametrize("change", [{"title": ""}, {"starts_at": 200}, {"id": "a1"}], ids=str)
async def test_what_means_nothing_is_not_stored(db: Database, change: dict[str, object]) -> None:
    async with db.write() as tx:
        await announcements.insert(tx, ONE)
    with pytest.raises(sqlite3.IntegrityError):
        async with db.write() as tx:
            await announcements.insert(tx, replace(ONE, **{"id": "a2", **change}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "now", "is_shown"),
    [
        ({"is_active": True}, 99, False),
        ({"is_active": True}, 100, True),
        ({"is_active": True}, 199, True),
        ({"is_active": True}, 200, False),
        ({"is_active": False}, 150, False),
        ({"is_active": True, "starts_at": None}, 0, True),
        ({"is_active": True, "ends_at": None}, 10**15, True),
    ],
)
def test_one_is_shown_from_its_beginning_to_before_its_end(change: dict[str, object], now: int, is_shown: bool) -> None:
    assert replace(ONE, **change).is_shown(now) == is_shown  # type: ignore[arg-type]
