"""Deletes what is older than an operator wants to keep, or takes more room: in small steps, in the background.

First captured bodies go, then headers, then calls. Sums of hours and days stay, and so does today.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.model.sums import DAY_MS
from gateway.model.system_settings import SystemSettings
from gateway.store import retention, stored_responses
from gateway.store.database import Database, Tx

log = logging.getLogger("gateway.retention")

LOOK_SECONDS = 300.0
KEPT_DAYS = 35
"""OpenAI keeps a Responses answer for 30 days."""
_MOST_ROWS = 400
_MOST_CAPTURES = 50
_LEAST_PAUSE = 0.02


class Deleted(msgspec.Struct, frozen=True):
    """How many captured parts and calls."""

    captures: int = 0
    calls: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(self.captures + other.captures, self.calls + other.calls)


async def tidy(db: Database, settings: SystemSettings, now: int) -> Deleted:
    """Delete all that is due. Whose a kept answer is is known as long as its provider keeps it."""
    await _repeat(db, _stored(now - KEPT_DAYS * DAY_MS))
    deleted = Deleted(captures=await _repeat(db, _captures(now - settings.capture_days * DAY_MS)))
    if settings.retention_days is not None:
        deleted += Deleted(calls=await _repeat(db, _calls(now - settings.retention_days * DAY_MS)))
    if settings.retention_bytes is not None:
        deleted += await _shrink(db, settings.retention_bytes, now)
    return deleted


@contextlib.asynccontextmanager
async def tidying(db: Database, settings: Callable[[], SystemSettings], clock: Clock) -> AsyncIterator[None]:
    """Looks every LOOK_SECONDS for what is due, by the settings as they are then, while open."""
    looking = asyncio.create_task(_look(db, settings, clock), name="retention")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _look(db: Database, settings: Callable[[], SystemSettings], clock: Clock) -> None:
    while True:
        try:
            deleted = await tidy(db, settings(), clock.wall_ms())
            if deleted != Deleted():
                log.info("deleted %d requests and %d captured parts", deleted.calls, deleted.captures)
        except GatewayError as error:
            log.warning("what is too old cannot be deleted: %s", error)
        await asyncio.sleep(LOOK_SECONDS)


Step = Callable[[Tx], Awaitable[int]]


async def _repeat(db: Database, step: Step, most_bytes: int | None = None) -> int:
    """Do a step again and again until it has nothing to do, or no more than `most_bytes` are used."""
    total = 0
    while most_bytes is None or await _used(db) > most_bytes:
        began = time.perf_counter()
        async with db.write() as tx:
            done = await step(tx)
        if not done:
            break
        total += done
        await db.checkpoint_if_large()
        # The ledger has its turn, and twice as much time as this.
        await asyncio.sleep(max(_LEAST_PAUSE, 2 * (time.perf_counter() - began)))
    return total


async def _shrink(db: Database, most_bytes: int, now: int) -> Deleted:
    bodies = await _repeat(db, _captures(now, is_bodies_only=True), most_bytes)
    headers = await _repeat(db, _captures(now), most_bytes)
    return Deleted(bodies + headers, await _repeat(db, _calls(now), most_bytes))


async def _used(db: Database) -> int:
    async with db.read() as tx:
        return await retention.used_bytes(tx)


def _captures(until: int, *, is_bodies_only: bool = False) -> Step:
    async def step(tx: Tx) -> int:
        return await retention.delete_captures(tx, until, _MOST_CAPTURES, is_bodies_only=is_bodies_only)

    return step


def _stored(until: int) -> Step:
    async def step(tx: Tx) -> int:
        return await stored_responses.delete_before(tx, until, _MOST_ROWS)

    return step


def _calls(until: int) -> Step:
    async def step(tx: Tx) -> int:
        return await retention.delete_calls(tx, until, _MOST_ROWS)

    return step
