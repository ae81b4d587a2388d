"""What is kept of the ledger and for how long, and what the next look would delete."""

from __future__ import annotations

import msgspec

from gateway.control.desk import Desk
from gateway.model.sums import DAY_MS
from gateway.model.system_settings import SystemSettings
from gateway.store import retention
from gateway.store.database import Tx


class Retention(msgspec.Struct, frozen=True):
    """`due_captures` and `due_requests` are too old; `more_requests` is about how many more must go to make room.

    `oldest_at` is when the oldest request came, Unix milliseconds. Null days or bytes set no limit.
    """

    retention_days: int | None
    retention_bytes: int | None
    capture_days: int
    used_bytes: int
    requests: int
    captures: int
    oldest_at: int | None
    due_captures: int
    due_requests: int
    more_requests: int


async def look(desk: Desk) -> Retention:
    async with desk.db.read() as tx:
        return await of(tx, desk.snapshot().settings, desk.clock.wall_ms())


async def of(tx: Tx, settings: SystemSettings, now: int) -> Retention:
    there = await retention.holdings(tx)
    due = 0
    if settings.retention_days is not None:
        due = await retention.calls_before(tx, now - settings.retention_days * DAY_MS)
    # Today is kept whatever room it takes, and captured bodies make room before any request does.
    before_today = there.calls - await retention.calls_since(tx, now // DAY_MS * DAY_MS)
    over = max(0, there.used_bytes - settings.retention_bytes) if settings.retention_bytes is not None else 0
    for_room = -(-over * there.calls // max(1, there.used_bytes))
    return Retention(
        retention_days=settings.retention_days,
        retention_bytes=settings.retention_bytes,
        capture_days=settings.capture_days,
        used_bytes=there.used_bytes,
        requests=there.calls,
        captures=there.captures,
        oldest_at=there.oldest_at,
        due_captures=await retention.captures_before(tx, now - settings.capture_days * DAY_MS),
        due_requests=due,
        more_requests=max(0, min(for_room, before_today) - due),
    )
