"""What is old, how much room it takes, and deleting it in steps. Times are Unix milliseconds."""

from __future__ import annotations

import json

import msgspec

from gateway.model.sums import DAY_MS
from gateway.store import segments
from gateway.store.database import Tx


class Holdings(msgspec.Struct, frozen=True):
    """`used_bytes` are those of the database that hold something; what deleting freed is used again first.

    `oldest_at` is when the oldest call began, None where there is none.
    """

    used_bytes: int
    calls: int
    captures: int
    oldest_at: int | None


async def used_bytes(tx: Tx) -> int:
    async with tx.execute(
        """
        SELECT (page_count - freelist_count) * page_size
        FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()
        """
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def oldest_at(tx: Tx) -> int | None:
    async with tx.execute("SELECT min(started_at) FROM calls") as rows:
        row = await rows.fetchone()
    return None if row is None else row[0]


async def holdings(tx: Tx) -> Holdings:
    """Calls are those ever written without those deleted since: to count them one by one takes long."""
    async with tx.execute(
        """
        SELECT (SELECT coalesce(sum(calls), 0) FROM hours) - (SELECT coalesce(sum(calls), 0) FROM carried_spends),
               (SELECT count(*) FROM captures)
        """
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return Holdings(await used_bytes(tx), row[0], row[1], await oldest_at(tx))


async def calls_before(tx: Tx, until: int) -> int:
    async with tx.execute("SELECT count(*) FROM calls WHERE started_at < :until", {"until": until}) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def calls_since(tx: Tx, hour: int) -> int:
    """How many were ever written of this hour and later ones."""
    async with tx.execute("SELECT coalesce(sum(calls), 0) FROM hours WHERE hour >= :hour", {"hour": hour}) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def captures_before(tx: Tx, until: int) -> int:
    async with tx.execute("SELECT count(*) FROM captures WHERE at < :until", {"until": until}) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def delete_captures(tx: Tx, until: int, limit: int, *, is_bodies_only: bool = False) -> int:
    """The oldest captured parts from before then, at most `limit`; how many there were."""
    deleted = await tx.execute(
        """
        DELETE FROM captures WHERE rowid IN (
          SELECT rowid FROM captures
          WHERE at < :until AND (NOT :is_bodies_only OR part IN ('request_body', 'response_body'))
          ORDER BY at LIMIT :limit)
        """,
        {"until": until, "limit": limit, "is_bodies_only": is_bodies_only},
    )
    return deleted.rowcount


async def delete_calls(tx: Tx, until: int, most_rows: int) -> int:
    """The oldest calls from before then, all of one day, at most `most_rows` with their attempts; how many there were.

    What they cost is carried over, and their day is closed: its sums stay as they are. Of a day that is not wholly in
    the sums nothing is deleted.
    """
    oldest = await oldest_at(tx)
    if oldest is None or oldest >= until:
        return 0
    day = oldest // DAY_MS * DAY_MS
    if not await _may_close(tx, day):
        return 0
    ids = await _oldest(tx, day, min(until, day + DAY_MS), most_rows)
    await tx.execute("UPDATE days SET is_closed = 1 WHERE day = :day", {"day": day})
    await tx.execute(
        """
        INSERT INTO carried_spends (day, api_key_id, user_id, provider_id, calls, cost_nano, actual_nano)
        SELECT charged_at / 86400000 AS charged_day, coalesce(api_key_id, ''), coalesce(user_id, ''),
               coalesce(provider_id, ''), count(*), coalesce(sum(cost_nano), 0), coalesce(sum(actual_nano), 0)
        FROM calls WHERE id IN (SELECT value FROM json_each(:ids)) GROUP BY 1, 2, 3, 4
        ON CONFLICT (day, api_key_id, user_id, provider_id) DO UPDATE SET
          calls = calls + excluded.calls, cost_nano = cost_nano + excluded.cost_nano,
          actual_nano = actual_nano + excluded.actual_nano
        """,
        {"ids": ids},
    )
    await tx.execute("DELETE FROM captures WHERE call_id IN (SELECT value FROM json_each(:ids))", {"ids": ids})
    await tx.execute("DELETE FROM attempts WHERE call_id IN (SELECT value FROM json_each(:ids))", {"ids": ids})
    deleted = await tx.execute("DELETE FROM calls WHERE id IN (SELECT value FROM json_each(:ids))", {"ids": ids})
    await segments.forget_empty(tx)
    return deleted.rowcount


async def _may_close(tx: Tx, day: int) -> bool:
    """Whether all calls of the day are in its sums and its hours', also those that came late."""
    async with tx.execute(
        """
        SELECT (is_closed OR (days.summed = (SELECT sum(calls) FROM hours WHERE hour >= :day AND hour < :next)
                              AND NOT EXISTS (SELECT 1 FROM hours
                                              WHERE hour >= :day AND hour < :next AND summed <> calls)))
               AND NOT EXISTS (SELECT 1 FROM late_calls)
        FROM days WHERE day = :day
        """,
        {"day": day, "next": day + DAY_MS},
    ) as rows:
        row = await rows.fetchone()
    return row is not None and bool(row[0])


async def _oldest(tx: Tx, since: int, until: int, most_rows: int) -> str:
    """Ids as JSON."""
    async with tx.execute(
        """
        SELECT id, attempt_count FROM calls WHERE started_at >= :since AND started_at < :until
        ORDER BY started_at LIMIT :limit
        """,
        {"since": since, "until": until, "limit": most_rows},
    ) as rows:
        found: list[str] = []
        left = most_rows
        for call_id, attempts in await rows.fetchall():
            left -= 1 + attempts
            if left < 0 and found:
                break
            found.append(call_id)
    return json.dumps(found)
