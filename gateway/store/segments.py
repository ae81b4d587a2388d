"""Segments of the ledger: some thousand calls each, one after the other by id, that the ledger's indexes begin with.

An index by API key alone is written in as many places as there are keys: with thousands of them, every call changes
pages of its own. Within a segment all places are near each other. Whoever looks for the calls of one key goes through
the segments, newest first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from gateway.store.database import Tx

FULL = 4096
"""Calls. Smaller ones are written faster and looked through slower: ten million calls are 2 400 segments."""


async def place(tx: Tx, ids: Sequence[str]) -> list[int]:
    """The segment of each of these calls, which are about to be written; they are in order.

    A segment has the ids above its `after_id`, up to the next one's. A full one is followed by a new one, so only ids
    that come late are put into an older one. The ends never go back, whatever was deleted.
    """
    if not ids:
        return []
    await tx.execute(
        """
        INSERT INTO segments (number, after_id, calls)
        SELECT number + 1, max(after_id, (SELECT coalesce(max(id), '') FROM calls)), 0
        FROM (SELECT number, after_id, calls FROM segments ORDER BY number DESC LIMIT 1) WHERE calls >= :full
        """,
        {"full": FULL},
    )
    rows = list(
        await tx.execute_fetchall(
            """
            SELECT number, after_id FROM segments
            WHERE number >= (SELECT number FROM segments WHERE after_id < :first ORDER BY number DESC LIMIT 1)
            ORDER BY number
            """,
            {"first": ids[0]},
        )
    )
    ends = [row[1] for row in rows]
    found = [rows[bisect_left(ends, call_id) - 1][0] for call_id in ids]
    newest = rows[-1][0]
    await tx.execute(
        "UPDATE segments SET calls = calls + :calls WHERE number = :newest",
        {"calls": found.count(newest), "newest": newest},
    )
    return found


async def before(tx: Tx, call_id: str) -> int:
    """The segment of the last id that could be below this one."""
    rows = await tx.execute_fetchall(
        "SELECT number FROM segments WHERE after_id < :id ORDER BY number DESC LIMIT 1", {"id": call_id}
    )
    return next((int(row[0]) for row in rows), 0)


async def forget_empty(tx: Tx) -> None:
    """Segments go whose calls are all gone; what the oldest one left has no lower end."""
    await tx.execute(
        """
        DELETE FROM segments
        WHERE number < coalesce((SELECT segment FROM calls WHERE id = (SELECT min(id) FROM calls)),
                                (SELECT max(number) FROM segments))
        """
    )
    await tx.execute(
        "UPDATE segments SET after_id = '' WHERE after_id <> '' AND number = (SELECT min(number) FROM segments)"
    )
