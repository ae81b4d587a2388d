"""Rows of `stored_responses`: which backend keeps an answer, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx


class StoredResponse(msgspec.Struct, frozen=True):
    """`id` is the provider's, `model` the public name that served, `created_at` Unix ms."""

    id: str
    api_key_id: str
    user_id: str | None
    backend_id: str
    model: str
    created_at: int


async def insert_many(tx: Tx, found: Iterable[StoredResponse]) -> None:
    """One that is there already is left as it is: an id is somebody's once and for all."""
    await tx.executemany(
        """
        INSERT INTO stored_responses (id, api_key_id, user_id, backend_id, model, created_at)
        VALUES (:id, :api_key_id, :user_id, :backend_id, :model, :created_at)
        ON CONFLICT DO NOTHING
        """,
        [asdict(one) for one in found],
    )


async def get(tx: Tx, response_id: str) -> StoredResponse | None:
    async with tx.execute(
        "SELECT id, api_key_id, user_id, backend_id, model, created_at FROM stored_responses WHERE id = :id",
        {"id": response_id},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else StoredResponse(*row)


async def delete(tx: Tx, response_id: str) -> None:
    await tx.execute("DELETE FROM stored_responses WHERE id = :id", {"id": response_id})


async def delete_before(tx: Tx, created_at: int, most: int) -> int:
    """Delete the oldest, at most so many; how many those were."""
    async with tx.execute(
        """
        DELETE FROM stored_responses WHERE id IN (
          SELECT id FROM stored_responses WHERE created_at < :at ORDER BY created_at LIMIT :most)
        """,
        {"at": created_at, "most": most},
    ) as done:
        return done.rowcount
