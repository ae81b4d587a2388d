"""Rows of `spends`: what each user and API key spent, by period."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx
from gateway.store.lots import lots


class StoredSum(msgspec.Struct, frozen=True):
    """`nano` nano-dollars were spent by `owner` (`api_key:ID`, `user:ID`) in the `period` that began at `since`."""

    owner: str
    period: str
    since: int
    nano: int


_SUMS = lots(
    "INSERT OR FAIL INTO spends (owner, period, since, nano)",
    "ON CONFLICT (owner, period, since) DO UPDATE SET nano = excluded.nano",
)


async def save_many(tx: Tx, sums: Iterable[StoredSum]) -> None:
    """Write each as the new sum, so that writing the same twice counts once."""
    await _SUMS.insert(tx, sorted(sums, key=_key), _add)


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


def _key(one: StoredSum) -> tuple[str, str, int]:
    return one.owner, one.period, one.since


def _add(values: list[object], one: StoredSum) -> None:
    values += (one.owner, one.period, one.since, one.nano)
