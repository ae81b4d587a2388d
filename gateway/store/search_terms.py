"""What the words of a search stand for in the ledger: which ids a name has, and which calls are of a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from gateway.store import segments
from gateway.store.database import Tx

AFTER_EVERY_ID = "~"


async def known_ids(tx: Tx, names: Mapping[str, object]) -> dict[str, str]:
    """What `api_key`, `user`, `provider` and `backend` are an id of, or the name of one id alone."""
    rows = await tx.execute_fetchall(
        """
        SELECT dimension, subject FROM subject_names
        WHERE (dimension = 'api_key' AND :api_key IN (subject, name))
           OR (dimension = 'user' AND :user IN (subject, name))
           OR (dimension = 'provider' AND :provider IN (subject, name))
        UNION SELECT 'backend', :backend
        WHERE instr(:backend, ':')
          AND EXISTS (SELECT 1 FROM segments CROSS JOIN calls ON segment = number AND backend_id = :backend)
        UNION SELECT 'api_key', id FROM api_keys WHERE id = :api_key OR name = :api_key
        UNION SELECT 'user', id FROM users WHERE id = :user OR username = :user
        UNION SELECT 'provider', id FROM providers WHERE id = :provider OR name = :provider
        """,
        names,
    )
    found = [(row[0], row[1]) for row in rows]
    return {name: subject for name, subject in found if sum(name == other for other, _ in found) == 1}


async def bounds(tx: Tx, since: int | None, until: int | None, before: str) -> dict[str, object]:
    """Ids that bound the time (Unix ms), and the segments that those are in.

    Ids are made as calls come, so those of a minute around a time may be out of order.
    """
    floor = ""
    if since is not None:
        floor = await _first_since(tx, since) or AFTER_EVERY_ID
    if until is not None:
        before = min(before, (await _last_until(tx, until) or "") + AFTER_EVERY_ID)
    newest, oldest = await segments.before(tx, before), await segments.before(tx, floor)
    return {"floor": floor, "before": before, "newest": newest, "oldest": oldest}


async def _first_since(tx: Tx, since: int) -> str | None:
    """Not above the id of any call that began then or later."""
    rows = await tx.execute_fetchall(
        """
        SELECT min(id) FROM (SELECT id FROM calls WHERE started_at >= :since - 60000 ORDER BY started_at LIMIT 1000)
        """,
        {"since": since},
    )
    return value(rows)


async def _last_until(tx: Tx, until: int) -> str | None:
    """Not below the id of any call that began before then."""
    rows = await tx.execute_fetchall(
        """
        SELECT max(id) FROM (SELECT id FROM calls WHERE started_at < :until + 60000 ORDER BY started_at DESC LIMIT 1000)
        """,
        {"until": until},
    )
    return value(rows)


def value(rows: Iterable[sqlite3.Row]) -> str | None:
    return next((row[0] for row in rows), None)
