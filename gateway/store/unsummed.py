"""Calls that were written and wait to be added to the sums of their hour and day, the first written first.

An hour or a day is kept whose sums have all its calls but those that wait; the sums of others are made anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.store.database import Tx

_ROWS = 5000


class Next(msgspec.Struct, frozen=True):
    """Rows from number `first` to number `upto`; where those are not `rows`, somebody else was faster."""

    first: int
    upto: int
    rows: int
    calls: int


class Kept(msgspec.Struct, frozen=True):
    """Hours and days that calls wait for and that are kept; nothing of those in `new` is in the sums yet."""

    hours: frozenset[int]
    days: frozenset[int]
    new: frozenset[int]


async def put(tx: Tx, calls: int, began: str) -> None:
    """So many calls wait from now on; `began` is a JSON object of their ids and when they began."""
    row = {"calls": calls, "began": began}
    await tx.execute("INSERT INTO unsummed_calls (calls, began) VALUES (:calls, :began)", row)


async def count(tx: Tx) -> int:
    """How many calls wait."""
    async with tx.execute("SELECT coalesce(sum(calls), 0) FROM unsummed_calls") as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def next_few(tx: Tx, most: int) -> Next | None:
    """The first rows that have at most `most` calls together, one row at least; None where nothing waits."""
    async with tx.execute(
        "SELECT number, calls FROM unsummed_calls ORDER BY number LIMIT :limit", {"limit": _ROWS}
    ) as rows:
        found = [(row[0], row[1]) for row in await rows.fetchall()]
    if not found:
        return None
    taken, calls = 0, 0
    for _, more in found:
        if taken and calls + more > most:
            break
        taken, calls = taken + 1, calls + more
    return Next(found[0][0], found[taken - 1][0], taken, calls)


async def by_hour(tx: Tx, few: Next) -> dict[int, int]:
    """How many of them began in each hour."""
    async with tx.execute(
        """
        SELECT value / 3600000 * 3600000 AS hour, count(*) FROM unsummed_calls CROSS JOIN json_each(began)
        WHERE number <= :upto GROUP BY hour
        """,
        {"upto": few.upto},
    ) as rows:
        return {row[0]: row[1] for row in await rows.fetchall()}


async def take(tx: Tx, few: Next, hours: Mapping[int, int]) -> bool:
    """They wait no longer; `hours` has how many are of each. False where some did not any more, and nothing is done."""
    there = {"first": few.first, "upto": few.upto}
    async with tx.execute("SELECT count(*), min(number) FROM unsummed_calls WHERE number <= :upto", there) as rows:
        row = await rows.fetchone()
    if row is None or (row[0], row[1]) != (few.rows, few.first):
        return False
    await tx.execute("DELETE FROM unsummed_calls WHERE number <= :upto", there)
    await tx.executemany(
        "UPDATE hours SET waiting = waiting - ? WHERE hour = ?", [(calls, hour) for hour, calls in hours.items()]
    )
    return True


async def forget_lost(tx: Tx) -> None:
    """Where nothing waits, no hour has calls that do: whatever was done to the file, such an hour is made anew."""
    await tx.execute("UPDATE hours SET waiting = 0 WHERE waiting <> 0 AND NOT EXISTS (SELECT 1 FROM unsummed_calls)")


async def kept(tx: Tx) -> Kept:
    async with tx.execute(
        """
        WITH found AS (SELECT hour, hour / 86400000 * 86400000 AS of, calls, summed, waiting FROM hours)
        SELECT hour, summed = calls - waiting, summed = 0, of,
               coalesce((SELECT summed FROM days WHERE day = of), 0) =
                 (SELECT sum(calls - waiting) FROM hours WHERE hour >= of AND hour < of + 86400000)
        FROM found WHERE waiting > 0
        """
    ) as rows:
        found = list(await rows.fetchall())
    return Kept(
        hours=frozenset(hour for hour, is_kept, *_ in found if is_kept),
        days=frozenset(day for *_, day, is_kept in found if is_kept),
        new=frozenset(hour for hour, is_kept, is_new, *_ in found if is_kept and is_new),
    )
