"""Rows of `key_versions`: which secrets a provider key has had, by what recognises them."""

from __future__ import annotations

import sqlite3

from gateway.model.registry import KeyVersion
from gateway.store.database import Tx


async def of_key(tx: Tx, key_id: str) -> tuple[KeyVersion, ...]:
    """Newest first; the first one is active."""
    async with tx.execute(
        """
        SELECT key_id, number, masked, fingerprint, note, actor, at
        FROM key_versions WHERE key_id = :key_id ORDER BY number DESC
        """,
        {"key_id": key_id},
    ) as rows:
        return tuple(_key_version(row) for row in await rows.fetchall())


async def insert(tx: Tx, version: KeyVersion) -> None:
    await tx.execute(
        """
        INSERT INTO key_versions (key_id, number, masked, fingerprint, note, actor, at)
        VALUES (:key_id, :number, :masked, :fingerprint, :note, :actor, :at)
        """,
        {
            "key_id": version.key_id,
            "number": version.number,
            "masked": version.masked,
            "fingerprint": version.fingerprint,
            "note": version.note,
            "actor": version.actor,
            "at": version.at,
        },
    )


def _key_version(row: sqlite3.Row) -> KeyVersion:
    return KeyVersion(
        key_id=row[0], number=row[1], masked=row[2], fingerprint=row[3], note=row[4], actor=row[5], at=row[6]
    )
