"""Rows of `spends`: what each user and API key spent, by day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx
from gateway.store.lots import lots


class DaySpend(msgspec.Struct, frozen=True):
    """`nano` nano-dollars were spent by `owner` (`api_key:ID`, `user:ID`) on the `day` (UTC, days since 1970)."""

    owner: str
    day: int
    nano: int


_SPENDS = lots(
    "INSERT OR FAIL INTO spends (owner, day, nano)", "ON CONFLICT (owner, day) DO UPDATE SET nano = excluded.nano"
)


async def save_many(tx: Tx, spends: Iterable[DaySpend]) -> None:
    """Write each as the new sum, so that writing the same twice counts once."""
    await _SPENDS.insert(tx, sorted(spends, key=attrgetter("owner", "day")), _add)


async def add(tx: Tx, one: DaySpend) -> None:
    """Add `nano`, which may be below zero, to what is there."""
    await tx.execute(
        """
        INSERT INTO spends (owner, day, nano) VALUES (:owner, :day, max(0, :nano))
        ON CONFLICT (owner, day) DO UPDATE SET nano = max(0, spends.nano + :nano)
        """,
        asdict(one),
    )


async def latest_day(tx: Tx) -> int:
    """The last day on which anybody spent anything (days since 1970); 0 where nobody did."""
    async with tx.execute("SELECT coalesce(max(day), 0) FROM spends") as rows:
        row = await rows.fetchone()
    return 0 if row is None else int(row[0])


async def since_days(tx: Tx, days: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """What each owner spent since the beginning of each of four days."""
    async with tx.execute(
        """
        SELECT owner, sum(CASE WHEN day >= ? THEN nano ELSE 0 END), sum(CASE WHEN day >= ? THEN nano ELSE 0 END),
               sum(CASE WHEN day >= ? THEN nano ELSE 0 END), sum(CASE WHEN day >= ? THEN nano ELSE 0 END)
        FROM spends GROUP BY owner
        """,
        days,
    ) as rows:
        return {row[0]: tuple(row[1:]) for row in await rows.fetchall()}


async def every(tx: Tx) -> tuple[DaySpend, ...]:
    async with tx.execute("SELECT owner, day, nano FROM spends ORDER BY owner, day") as rows:
        return tuple(DaySpend(*row) for row in await rows.fetchall())


def _add(values: list[object], one: DaySpend) -> None:
    values += (one.owner, one.day, one.nano)
