"""Rows of `top_ups`: what was paid into the balance of an API key that stands alone."""

from __future__ import annotations

from msgspec.structs import asdict

from gateway.model.people import TopUp
from gateway.store.database import Tx


async def insert(tx: Tx, one: TopUp) -> None:
    await tx.execute(
        """
        INSERT INTO top_ups (id, api_key_id, nano, note, actor, at)
        VALUES (:id, :api_key_id, :nano, :note, :actor, :at)
        """,
        asdict(one),
    )


async def of_key(tx: Tx, api_key_id: str) -> tuple[TopUp, ...]:
    """Newest first."""
    async with tx.execute(
        """
        SELECT id, api_key_id, nano, note, actor, at FROM top_ups
        WHERE api_key_id = :key ORDER BY at DESC, rowid DESC
        """,
        {"key": api_key_id},
    ) as rows:
        return tuple(TopUp(*row) for row in await rows.fetchall())


async def delete_of_key(tx: Tx, api_key_id: str) -> None:
    await tx.execute("DELETE FROM top_ups WHERE api_key_id = :key", {"key": api_key_id})


async def sums(tx: Tx) -> dict[str, int]:
    """What was paid in in all, by API key id."""
    async with tx.execute("SELECT api_key_id, sum(nano) FROM top_ups GROUP BY api_key_id") as rows:
        return {row[0]: row[1] for row in await rows.fetchall()}
