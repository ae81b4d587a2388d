"""Who changed what. Rows are only ever added: triggers refuse the rest, and hashes show what got past them."""

from __future__ import annotations

import sqlite3

import msgspec

from gateway.model.audit import Chain, Entry, Head, Row, chained
from gateway.model.people import Actor
from gateway.store.database import Tx

_AFTER_EVERY_SEQ = 2**62


class AuditFilter(msgspec.Struct, frozen=True):
    """Which rows; None means any. `since` (inclusive) and `until` (exclusive) are Unix ms.

    `actor` matches an id or a name. `user_id` is what a person did, and what was done to that person's account.
    """

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    since: int | None = None
    until: int | None = None
    user_id: str | None = None


async def insert(tx: Tx, entry: Entry) -> None:
    """Add a row at the end of the chain."""
    last = await head(tx)
    seq = last.seq + 1
    await tx.execute(
        """
        INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id,
                           before, after, config_version, hash)
        VALUES (:seq, :at, :kind, :id, :name, :ip, :action, :object_kind, :object_id, :before, :after, :version,
                :hash)
        """,
        {
            "seq": seq,
            "at": entry.at,
            "kind": entry.actor.kind,
            "id": entry.actor.id,
            "name": entry.actor.name,
            "ip": entry.actor.ip,
            "action": entry.action,
            "object_kind": entry.object_kind,
            "object_id": entry.object_id,
            "before": entry.before,
            "after": entry.after,
            "version": entry.config_version,
            "hash": chained(last.hash, seq, entry),
        },
    )


async def head(tx: Tx) -> Head:
    """The end of the chain. Where no row has a hash yet, it is that of all rows together."""
    async with tx.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1") as rows:
        last = await rows.fetchone()
    if last is not None and last[1] is not None:
        return Head(last[0], last[1])
    chain = Chain()
    for row in await after(tx, 0, _AFTER_EVERY_SEQ):
        chain.fault_of(row)
    return Head(chain.seq if last is None else last[0], chain.hash)


async def after(tx: Tx, seq: int, limit: int) -> tuple[Row, ...]:
    """Rows after the one with this number, oldest first."""
    async with tx.execute(
        """
        SELECT seq, at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id, before, after,
               config_version, hash
        FROM audit WHERE seq > :seq ORDER BY seq LIMIT :limit
        """,
        {"seq": seq, "limit": limit},
    ) as rows:
        return tuple(_row(row) for row in await rows.fetchall())


async def page(tx: Tx, wanted: AuditFilter, before: int | None, limit: int) -> tuple[Row, ...]:
    """At most `limit` rows, newest first, that are older than the one with the number `before`."""
    async with tx.execute(
        """
        SELECT seq, at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id, before, after,
               config_version, hash
        FROM audit
        WHERE seq < :before_seq
          AND (:actor IS NULL OR actor_id = :actor OR actor_name = :actor)
          AND (:action IS NULL OR action = :action)
          AND (:object_kind IS NULL OR object_kind = :object_kind)
          AND (:object_id IS NULL OR object_id = :object_id)
          AND (:since IS NULL OR at >= :since)
          AND (:until IS NULL OR at < :until)
          AND (:user_id IS NULL OR (actor_kind = 'user' AND actor_id = :user_id)
               OR (object_kind = 'user' AND object_id = :user_id))
        ORDER BY seq DESC LIMIT :limit
        """,
        {
            "before_seq": _AFTER_EVERY_SEQ if before is None else before,
            "actor": wanted.actor,
            "action": wanted.action,
            "object_kind": wanted.object_kind,
            "object_id": wanted.object_id,
            "since": wanted.since,
            "until": wanted.until,
            "user_id": wanted.user_id,
            "limit": limit,
        },
    ) as rows:
        return tuple(_row(row) for row in await rows.fetchall())


def _row(row: sqlite3.Row) -> Row:
    seq, at, kind, actor_id, name, ip, action, object_kind, object_id, before, after, version, found = row
    actor = Actor(kind, actor_id, name, ip)
    return Row(seq, Entry(at, actor, action, object_kind, object_id, before, after, version), found)
