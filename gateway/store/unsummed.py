"""Calls that were written and wait to be added to the sums of their hour and day, the first written first.

An hour or a day is kept whose sums have all its calls but those that wait; the sums of others are made anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

import msgspec

from gateway.model.sums import DAY_MS
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


async def put(tx: Tx, call_ids: Sequence[str]) -> None:
    """They wait from now on."""
    await tx.execute(
        "INSERT INTO unsummed_calls (calls, ids) VALUES (:calls, :ids)",
        {"calls": len(call_ids), "ids": json.dumps(call_ids)},
    )


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


async def take(tx: Tx, few: Next) -> bool:
    """They wait no longer. False where some of them did not any more, and nothing is done."""
    there = {"first": few.first, "upto": few.upto}
    async with tx.execute("SELECT count(*), min(number) FROM unsummed_calls WHERE number <= :upto", there) as rows:
        row = await rows.fetchone()
    if row is None or (row[0], row[1]) != (few.rows, few.first):
        return False
    await tx.execute("DELETE FROM unsummed_calls WHERE number <= :upto", there)
    return True


async def kept(tx: Tx) -> Kept:
    async with tx.execute(
        """
        WITH waiting AS (
          SELECT started_at / 3600000 * 3600000 AS hour, count(*) AS calls
          FROM unsummed_calls CROSS JOIN json_each(ids) CROSS JOIN calls ON calls.id = value GROUP BY 1)
        SELECT hour, waiting.calls, hours.summed + waiting.calls = hours.calls, hours.summed = 0
        FROM waiting JOIN hours USING (hour)
        """
    ) as rows:
        hours = [tuple(row) for row in await rows.fetchall()]
    waiting: Counter[int] = Counter()
    for hour, calls, *_ in hours:
        waiting[hour // DAY_MS * DAY_MS] += calls
    async with tx.execute(
        """
        SELECT value AS of, coalesce((SELECT summed FROM days WHERE day = value), 0),
               (SELECT sum(calls) FROM hours WHERE hour >= value AND hour < value + 86400000)
        FROM json_each(:days)
        """,
        {"days": json.dumps(list(waiting))},
    ) as rows:
        days = [row[0] for row in await rows.fetchall() if row[1] + waiting[row[0]] == row[2]]
    return Kept(
        hours=frozenset(hour for hour, _, is_kept, _ in hours if is_kept),
        days=frozenset(days),
        new=frozenset(hour for hour, _, is_kept, is_new in hours if is_kept and is_new),
    )
