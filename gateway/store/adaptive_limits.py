"""Rows of `adaptive_limits`: what was learned of provider keys' requests per minute."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx


class StoredLimit(msgspec.Struct, frozen=True):
    """`learned` is JSON, made and read in routing/adaptive.py. `updated_at` is Unix milliseconds."""

    key_id: str
    learned: str
    updated_at: int


async def every(tx: Tx) -> tuple[StoredLimit, ...]:
    async with tx.execute("SELECT key_id, learned, updated_at FROM adaptive_limits ORDER BY key_id") as rows:
        return tuple(StoredLimit(*row) for row in await rows.fetchall())


async def save_many(tx: Tx, limits: Iterable[StoredLimit]) -> None:
    """Write each, replacing what was stored of the same key."""
    await tx.executemany(
        """
        INSERT INTO adaptive_limits (key_id, learned, updated_at) VALUES (:key_id, :learned, :updated_at)
        ON CONFLICT (key_id) DO UPDATE SET learned = excluded.learned, updated_at = excluded.updated_at
        """,
        [asdict(limit) for limit in limits],
    )


async def delete_many(tx: Tx, key_ids: Iterable[str]) -> None:
    await tx.execute(
        "DELETE FROM adaptive_limits WHERE key_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(key_ids))},
    )
