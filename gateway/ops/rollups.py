"""Keeps the sums of hours and days, in the background and in small steps.

Calls are summed on a connection that reads; what comes of it is written in transactions of few rows, between which
the ledger has its turn. An hour or a day whose sums are half written counts as not summed, and is read from its calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.model.sums import DAY_MS, HOUR_MS
from gateway.store import rollups
from gateway.store.database import Database
from gateway.store.rollups import Stale

log = logging.getLogger("gateway.rollups")

LOOK_SECONDS = 20.0
_ROWS_A_WRITE = 500
_LATE_A_WRITE = 20
_STALE_AT_ONCE = 200
_DAY_RIPENS_MS = 10 * 60 * 1000  # most calls of a day are written by then, and a day is costly to sum again
_PAIR_HOURS = 50
"""So far back sums of hours are asked for by two dimensions: today, and the last twenty-four hours."""
_PAIR_CALLS = 1000
"""In an hour with fewer the calls themselves are summed soon enough."""
_SHORTEST_PAUSE = 0.01
_READ_SECONDS = 120.0  # nobody waits for it, and a day of a million calls takes some


async def catch_up(db: Database, clock: Clock, pair_calls: int = _PAIR_CALLS) -> int:
    """Sum everything that is stale, the newest first; how many hours, days and late calls that were.

    The latest hours that have `pair_calls` or more are summed by two dimensions, too.
    """
    steps = 0
    while done := await _some(db, clock.wall_ms(), pair_calls):
        steps += done
    return steps


@contextlib.asynccontextmanager
async def keeping_sums(db: Database, clock: Clock) -> AsyncIterator[None]:
    """Looks every LOOK_SECONDS for what is stale, while open."""
    looking = asyncio.create_task(_look(db, clock), name="rollups")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _look(db: Database, clock: Clock) -> None:
    is_failing = False
    while True:
        try:
            await catch_up(db, clock)
            is_failing = False
        except GatewayError as error:
            # What is stale stays so and is read from the calls; it is tried again.
            if not is_failing:
                log.warning("sums cannot be brought up to date: %s", error)
            is_failing = True
        await asyncio.sleep(LOOK_SECONDS)


async def _some(db: Database, now: int, pair_calls: int) -> int:
    async with db.read() as tx:
        hours = await rollups.stale_hours(tx, now, _STALE_AT_ONCE)
        days = await rollups.stale_days(tx, now - _DAY_RIPENS_MS, _STALE_AT_ONCE)
        late = await rollups.late_calls(tx, _LATE_A_WRITE)
    with_pairs = now - _PAIR_HOURS * HOUR_MS
    if late:
        async with db.write() as tx:
            for call_id in late:
                await rollups.add_late(tx, call_id)
    for hour in hours:
        has_pairs = hour.since >= with_pairs and hour.calls >= pair_calls
        await _paced(sum_hour(db, hour.since, with_pairs=has_pairs))
    for day in days:
        await _paced(sum_day(db, day.since))
    if hours:
        async with db.write() as tx:
            await rollups.forget_pairs(tx, with_pairs)
    return len(late) + len(hours) + len(days)


async def sum_hour(db: Database, hour: int, *, with_pairs: bool = False) -> None:
    """Make the sums of an hour anew from its calls."""
    async with db.read(_READ_SECONDS) as tx:
        # One view: a call that comes while this is written leaves the hour stale.
        calls = await rollups.calls_between(tx, hour, hour + HOUR_MS)
        rows = await rollups.of_hour(tx, hour, with_pairs=with_pairs)
        names = await rollups.names_of(tx, hour, hour + HOUR_MS)
    async with db.write() as tx:
        await rollups.forget_hour(tx, hour)
        await rollups.name_subjects(tx, names)
    for start in range(0, len(rows), _ROWS_A_WRITE):
        async with db.write() as tx:
            await rollups.add_to_hour(tx, hour, rows[start : start + _ROWS_A_WRITE])
    async with db.write() as tx:
        await rollups.hour_is_summed(tx, Stale(hour, calls))


async def sum_day(db: Database, day: int) -> None:
    """Make the sums of a day anew from its calls."""
    async with db.read(_READ_SECONDS) as tx:
        calls = await rollups.calls_between(tx, day, day + DAY_MS)
        rows = await rollups.of_day(tx, day)
    async with db.write() as tx:
        await rollups.forget_day(tx, day)
    for start in range(0, len(rows), _ROWS_A_WRITE):
        async with db.write() as tx:
            await rollups.add_to_day(tx, day, rows[start : start + _ROWS_A_WRITE])
    async with db.write() as tx:
        await rollups.day_is_summed(tx, Stale(day, calls))


async def _paced(step: Awaitable[None]) -> None:
    """Do it, then rest as long as it took: catching up on months takes half of one processor, not all."""
    began = time.perf_counter()
    await step
    await asyncio.sleep(max(_SHORTEST_PAUSE, time.perf_counter() - began))
