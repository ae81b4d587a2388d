"""Rows of `reservations`: calls whose money is limited, from before they are sent until their ledger row is there."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.model.calls import Reservation
from gateway.store.database import Tx


async def insert_many(tx: Tx, found: Iterable[Reservation]) -> None:
    await tx.executemany(
        """
        INSERT INTO reservations (call_id, draft, reserved_nano, started_at)
        VALUES (:call_id, :draft, :reserved_nano, :started_at)
        ON CONFLICT DO NOTHING
        """,
        [
            {
                "call_id": one.call_id,
                "draft": msgspec.json.encode(one).decode(),
                "reserved_nano": one.reserved_nano,
                "started_at": one.started_at,
            }
            for one in found
        ],
    )


async def delete_many(tx: Tx, call_ids: Iterable[str]) -> None:
    """What is not there is no fault."""
    await tx.executemany("DELETE FROM reservations WHERE call_id = ?", [(call_id,) for call_id in call_ids])


async def every(tx: Tx) -> tuple[Reservation, ...]:
    """The oldest first."""
    async with tx.execute("SELECT draft FROM reservations ORDER BY started_at, call_id") as rows:
        return tuple(msgspec.json.decode(row[0], type=Reservation) for row in await rows.fetchall())
