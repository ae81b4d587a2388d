"""Rows of `spends`: what each user and API key spent, by period."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict, astuple

from gateway.store.database import Tx


class StoredSum(msgspec.Struct, frozen=True):
    """`nano` nano-dollars were spent by `owner` (`api_key:ID`, `user:ID`) in the `period` that began at `since`."""

    owner: str
    period: str
    since: int
    nano: int


async def save_many(tx: Tx, sums: Iterable[StoredSum]) -> None:
    """Write each as the new sum, so that writing the same twice counts once."""
    await tx.executemany(
        """
        INSERT INTO spends (owner, period, since, nano) VALUES (?, ?, ?, ?)
        ON CONFLICT (owner, period, since) DO UPDATE SET nano = excluded.nano
        """,
        map(astuple, sums),
    )


async def add(tx: Tx, one: StoredSum) -> None:
    """Add `nano`, which may be below zero, to what is there."""
    await tx.execute(
        """
        INSERT INTO spends (owner, period, since, nano) VALUES (:owner, :period, :since, max(0, :nano))
        ON CONFLICT (owner, period, since) DO UPDATE SET nano = max(0, spends.nano + :nano)
        """,
        asdict(one),
    )


async def replace_all(tx: Tx, sums: Iterable[StoredSum]) -> None:
    await tx.execute("DELETE FROM spends")
    await save_many(tx, sums)


async def newest(tx: Tx) -> tuple[StoredSum, ...]:
    """Of each owner and length of period the one that began last, in the order in which they began."""
    async with tx.execute(
        """
        SELECT owner, period, max(since), nano FROM spends GROUP BY owner, period ORDER BY max(since), owner, period
        """
    ) as rows:
        return tuple(StoredSum(*row) for row in await rows.fetchall())


async def every(tx: Tx) -> tuple[StoredSum, ...]:
    async with tx.execute("SELECT owner, period, since, nano FROM spends ORDER BY owner, period, since") as rows:
        return tuple(StoredSum(*row) for row in await rows.fetchall())
