"""Rows of `bucket_levels`: what is left in buckets that are not full."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx


class StoredLevel(msgspec.Struct, frozen=True):
    """`level` may be below zero, a debt. `updated_at` is Unix milliseconds."""

    name: str
    level: float
    updated_at: int


async def every(tx: Tx) -> tuple[StoredLevel, ...]:
    async with tx.execute("SELECT name, level, updated_at FROM bucket_levels ORDER BY name") as rows:
        return tuple(StoredLevel(*row) for row in await rows.fetchall())


async def save_many(tx: Tx, levels: Iterable[StoredLevel]) -> None:
    """Write each, replacing what was stored of the same bucket."""
    await tx.executemany(
        """
        INSERT INTO bucket_levels (name, level, updated_at) VALUES (:name, :level, :updated_at)
        ON CONFLICT (name) DO UPDATE SET level = excluded.level, updated_at = excluded.updated_at
        """,
        [asdict(level) for level in levels],
    )


async def delete_many(tx: Tx, names: Iterable[str]) -> None:
    await tx.execute(
        "DELETE FROM bucket_levels WHERE name IN (SELECT value FROM json_each(:names))",
        {"names": json.dumps(list(names))},
    )
