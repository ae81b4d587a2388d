"""Rows of `captures`: headers and bodies of calls, compressed and sealed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.hiding import hiding
from gateway.store.database import Tx


class StoredCapture(msgspec.Struct, frozen=True):
    """`sealed` opens with the master key, as this part of this call; `size` is the whole part's in bytes."""

    call_id: str
    part: str
    at: int
    size: int
    is_cut: bool
    sealed: bytes

    __repr__ = hiding("sealed")


async def insert_many(tx: Tx, found: Iterable[StoredCapture]) -> None:
    await tx.executemany(
        """
        INSERT INTO captures (call_id, part, at, size, is_cut, sealed)
        VALUES (:call_id, :part, :at, :size, :is_cut, :sealed)
        ON CONFLICT DO NOTHING
        """,
        [asdict(one) for one in found],
    )


async def of_call(tx: Tx, call_id: str) -> tuple[StoredCapture, ...]:
    async with tx.execute(
        "SELECT call_id, part, at, size, is_cut, sealed FROM captures WHERE call_id = :id", {"id": call_id}
    ) as rows:
        return tuple(
            StoredCapture(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in await rows.fetchall()
        )


async def delete_of_call(tx: Tx, call_id: str) -> int:
    """How many parts there were."""
    async with tx.execute("DELETE FROM captures WHERE call_id = :id", {"id": call_id}) as done:
        return done.rowcount
