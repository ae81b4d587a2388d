"""Announcements, and who has read them."""

from __future__ import annotations

import sqlite3

from gateway.model.announcements import Announcement, AnnouncementKind
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[Announcement, ...]:
    """Pinned ones first, then by priority, then the newest."""
    async with tx.execute(
        """
        SELECT id, kind, title, body, priority, is_pinned, is_active, starts_at, ends_at, author, created_at,
               updated_at, version
        FROM announcements ORDER BY is_pinned DESC, priority, created_at DESC, id
        """
    ) as rows:
        return tuple(_announcement(row) for row in await rows.fetchall())


async def get(tx: Tx, announcement_id: str) -> Announcement | None:
    async with tx.execute(
        """
        SELECT id, kind, title, body, priority, is_pinned, is_active, starts_at, ends_at, author, created_at,
               updated_at, version
        FROM announcements WHERE id = :id
        """,
        {"id": announcement_id},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _announcement(row)


async def insert(tx: Tx, one: Announcement) -> None:
    await tx.execute(
        """
        INSERT INTO announcements (id, kind, title, body, priority, is_pinned, is_active, starts_at, ends_at,
                                   author, created_at, updated_at, version)
        VALUES (:id, :kind, :title, :body, :priority, :is_pinned, :is_active, :starts_at, :ends_at, :author,
                :created_at, :updated_at, :version)
        """,
        _columns(one),
    )


async def update(tx: Tx, one: Announcement) -> None:
    await tx.execute(
        """
        UPDATE announcements SET
          kind = :kind, title = :title, body = :body, priority = :priority, is_pinned = :is_pinned,
          is_active = :is_active, starts_at = :starts_at, ends_at = :ends_at, updated_at = :updated_at,
          version = :version
        WHERE id = :id
        """,
        _columns(one),
    )


async def delete(tx: Tx, announcement_id: str) -> None:
    """With the marks of who has read it."""
    await tx.execute("DELETE FROM announcements WHERE id = :id", {"id": announcement_id})


async def read_by(tx: Tx, user_id: str) -> frozenset[str]:
    """Ids of those that this person has read."""
    async with tx.execute(
        "SELECT announcement_id FROM announcement_reads WHERE user_id = :user_id", {"user_id": user_id}
    ) as rows:
        return frozenset(row[0] for row in await rows.fetchall())


async def mark_read(tx: Tx, announcement_id: str, user_id: str, at: int) -> None:
    await tx.execute(
        """
        INSERT INTO announcement_reads (announcement_id, user_id, at) VALUES (:id, :user_id, :at)
        ON CONFLICT DO NOTHING
        """,
        {"id": announcement_id, "user_id": user_id, "at": at},
    )


async def forget_reads(tx: Tx, announcement_id: str) -> None:
    """It says something else now, so nobody has read it."""
    await tx.execute("DELETE FROM announcement_reads WHERE announcement_id = :id", {"id": announcement_id})


def _announcement(row: sqlite3.Row) -> Announcement:
    return Announcement(
        id=row[0],
        kind=AnnouncementKind(row[1]),
        title=row[2],
        body=row[3],
        priority=row[4],
        is_pinned=bool(row[5]),
        is_active=bool(row[6]),
        starts_at=row[7],
        ends_at=row[8],
        author=row[9],
        created_at=row[10],
        updated_at=row[11],
        version=row[12],
    )


def _columns(one: Announcement) -> dict[str, object]:
    return {
        "id": one.id,
        "kind": one.kind.value,
        "title": one.title,
        "body": one.body,
        "priority": one.priority,
        "is_pinned": one.is_pinned,
        "is_active": one.is_active,
        "starts_at": one.starts_at,
        "ends_at": one.ends_at,
        "author": one.author,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "version": one.version,
    }
