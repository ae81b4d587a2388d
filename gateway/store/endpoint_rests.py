"""Rows of `endpoint_rests`: whole endpoints that rest, or have rested and were not tried since."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx


class StoredRest(msgspec.Struct, frozen=True):
    """Times are Unix milliseconds."""

    endpoint_id: str
    resting_until: int
    reason: str
    updated_at: int


async def every(tx: Tx) -> tuple[StoredRest, ...]:
    async with tx.execute(
        "SELECT endpoint_id, resting_until, reason, updated_at FROM endpoint_rests ORDER BY endpoint_id"
    ) as rows:
        return tuple(StoredRest(*row) for row in await rows.fetchall())


async def replace_all(tx: Tx, rests: Iterable[StoredRest]) -> None:
    """These and no others. There are few, and they change seldom."""
    await tx.execute("DELETE FROM endpoint_rests")
    await tx.executemany(
        """
        INSERT INTO endpoint_rests (endpoint_id, resting_until, reason, updated_at)
        VALUES (:endpoint_id, :resting_until, :reason, :updated_at)
        """,
        [asdict(rest) for rest in rests],
    )
