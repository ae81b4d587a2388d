"""Keeps the sums of hours and days, in the background and in small steps.

Calls that were written are added to the sums of their hour and day soon after; a page adds the few that wait. Where
sums lack calls that do not wait, they are made anew.

Calls are summed on a connection that reads; what comes of it is written in transactions of few rows, between which
the ledger has its turn. An hour or a day whose sums are half written counts as not summed, and is read from its calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.model.sums import DAY_MS, HAS_MINUTES, HAS_PAIRS, HOUR_MS, TOTAL
from gateway.store import call_sums, rollups, unsummed
from gateway.store.call_sums import ALL_WAIT, AttemptMinute, Calls, Name, Row
from gateway.store.database import Database, Tx
from gateway.store.rollups import Stale
from gateway.store.unsummed import Kept, Next

log = logging.getLogger("gateway.rollups")

Done = TypeVar("Done")

LOOK_SECONDS = 2.0
_MOST_WAITING = 250
"""So many are added by each of a page's questions in a millisecond; fewer are left to wait until their hour ends."""
_CALLS_AT_ONCE = 1000
"""Four times as many take a tenth less time each, and to sort them three megabytes more, every time."""
_ROWS_AT_ONCE = 4000
"""Written within some tens of milliseconds: what calls add is written in one transaction, or not at all."""
_VARIED_CALLS = 500
"""Where as few calls change so many sums, adding them costs more than summing them once their hour or day has ended."""
_ROWS_A_WRITE = 500
_LATE_A_WRITE = 20
_STALE_AT_ONCE = 200
_DAY_RIPENS_MS = 10 * 60 * 1000  # most calls of a day are written by then, and a day is costly to sum again
_EVER = 2**62
_PAIR_HOURS = 50
"""So far back sums of hours are asked for by two dimensions: today, and the last twenty-four hours."""
_PAIR_CALLS = 500
"""In an hour with fewer the calls themselves are summed soon enough."""
_MINUTE_HOURS = 4
"""So far back sums of minutes are asked for: the last sixty of them, and those before."""
_SHORTEST_PAUSE = 0.01
_READ_SECONDS = 120.0  # nobody waits for it, and a day of a million calls takes some


class Added(msgspec.Struct, frozen=True):
    """What calls add to the sums of their hours and days; `is_varied` where it is not worth while, and left out."""

    hours: Mapping[int, tuple[Row, ...]]
    names: tuple[Name, ...]
    attempts: tuple[AttemptMinute, ...]
    is_varied: bool


async def catch_up(db: Database, clock: Clock, pair_calls: int = _PAIR_CALLS, *, with_running: bool = True) -> int:
    """Add all calls that wait now, then make anew whatever is stale, the newest first; how many calls, hours and days.

    The latest hours that have `pair_calls` or more are summed by two dimensions, too. What comes meanwhile waits. The
    hour and the day that run are made anew where `with_running`; else once they have ended.
    """
    async with db.read() as tx:
        waiting = await unsummed.count(tx)
    steps = 0
    most = _CALLS_AT_ONCE
    while steps < waiting:
        done = await _paced(add_waiting(db, clock.wall_ms(), most))
        if not done and most == _VARIED_CALLS:
            break
        steps += done
        most = most if done else _VARIED_CALLS
    while done := await _some(db, clock.wall_ms(), pair_calls, with_running=with_running):
        steps += done
    return steps


@contextlib.asynccontextmanager
async def keeping_sums(db: Database, clock: Clock) -> AsyncIterator[None]:
    """Looks every LOOK_SECONDS for what is stale or waits, while open."""
    looking = asyncio.create_task(_look(db, clock), name="rollups")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait({looking})


async def _look(db: Database, clock: Clock) -> None:
    is_failing, looked_at = False, 0
    while True:
        try:
            hour = clock.wall_ms() // HOUR_MS
            if hour != looked_at or await _many_wait(db):
                await catch_up(db, clock, with_running=looked_at == 0)
            looked_at = hour
            is_failing = False
        except GatewayError as error:
            # What is stale stays so and is read from the calls; it is tried again.
            if not is_failing:
                log.warning("sums cannot be brought up to date: %s", error)
            is_failing = True
        await asyncio.sleep(LOOK_SECONDS)


async def _many_wait(db: Database) -> bool:
    async with db.read() as tx:
        return await unsummed.count(tx) >= _MOST_WAITING or bool(await rollups.late_calls(tx, 1))


async def add_waiting(db: Database, now: int, most: int = _CALLS_AT_ONCE) -> int:
    """Add at most so many of the calls that wait, those that were written first; how many wait no longer.

    None where nothing waits, or they change too many sums to be added at once and fewer may do.
    """
    async with db.read(_READ_SECONDS) as tx:
        few = await unsummed.next_few(tx, most)
        if few is None:
            return 0
        hours, kept = await unsummed.by_hour(tx, few), await unsummed.kept(tx)
        added = await _added(tx, few) if kept.hours or kept.days else None
    if added is not None and added.is_varied and most > _VARIED_CALLS:
        return 0

    async def write(tx: Any) -> None:
        if await unsummed.take(tx, few, hours) and added is not None and not added.is_varied:
            for hour in kept.new:
                await _mark(tx, hour, now)
            await _add(tx, added, kept)

    await db.write_at_once(write)
    return few.calls


async def _added(tx: Tx, few: Next) -> Added:
    waiting = Calls(upto=few.upto, are_waiting=True)
    made = await call_sums.by_hour(tx, waiting, with_pairs=True, with_minutes=True)
    if sum(map(len, made.hours.values())) > _ROWS_AT_ONCE and few.calls >= _VARIED_CALLS // 2:
        return Added({}, (), (), is_varied=True)
    names = await call_sums.names_of(tx, made.last)
    return Added(made.hours, names, await call_sums.attempts_of(tx, waiting), is_varied=False)


async def _mark(tx: Any, hour: int, now: int) -> None:
    """From its first call on."""
    if hour >= now - _PAIR_HOURS * HOUR_MS:
        await rollups.mark_hour(tx, hour, HAS_PAIRS)
    if hour >= now - _MINUTE_HOURS * HOUR_MS:
        await rollups.mark_hour(tx, hour, HAS_MINUTES)


async def _add(tx: Any, added: Added, kept: Kept) -> None:
    await rollups.name_subjects(tx, added.names)
    for hour, rows in added.hours.items():
        day, calls = hour // DAY_MS * DAY_MS, _requests(rows)
        if hour in kept.hours:
            await rollups.add_to_hour(tx, hour, await rollups.fitting(tx, hour, rows))
            await rollups.hour_has_more(tx, Stale(hour, calls))
        if day in kept.days:
            await rollups.add_to_day(tx, day, rollups.of_days(rows))
            await rollups.day_has_more(tx, Stale(day, calls))
    with_minutes = kept.hours & await rollups.hours_with(tx, HAS_MINUTES)
    await rollups.add_attempts(tx, [one for one in added.attempts if one.hour in with_minutes])


def _requests(rows: Sequence[Row]) -> int:
    return next(int(str(row[3])) for row in rows if row[0] == TOTAL)


async def _some(db: Database, now: int, pair_calls: int, *, with_running: bool) -> int:
    async with db.write() as tx:
        await unsummed.forget_lost(tx)
        await rollups.forget_pairs(tx, now - _PAIR_HOURS * HOUR_MS)
        await rollups.forget_minutes(tx, now - _MINUTE_HOURS * HOUR_MS)
    async with db.read() as tx:
        hours = await rollups.stale_hours(tx, _EVER if with_running else now, _STALE_AT_ONCE)
        days = await rollups.stale_days(tx, _EVER if with_running else now - _DAY_RIPENS_MS, _STALE_AT_ONCE)
        late = await rollups.late_calls(tx, _LATE_A_WRITE)
    if late:
        async with db.write() as tx:
            for call_id in late:
                await rollups.add_late(tx, call_id)
    for hour in hours:
        await _paced(sum_stale(db, hour, now, pair_calls))
    for day in days:
        await _paced(sum_day(db, day.since))
    return len(late) + len(hours) + len(days)


async def sum_stale(db: Database, hour: Stale, now: int, pair_calls: int = _PAIR_CALLS) -> None:
    """Make the sums of an hour anew, by two dimensions and of minutes where they are asked for."""
    has_pairs = hour.since >= now - _PAIR_HOURS * HOUR_MS and hour.calls >= pair_calls
    has_minutes = hour.since >= now - _MINUTE_HOURS * HOUR_MS
    await sum_hour(db, hour.since, with_pairs=has_pairs, with_minutes=has_minutes)


async def sum_hour(db: Database, hour: int, *, with_pairs: bool = False, with_minutes: bool = False) -> None:
    """Make the sums of an hour anew from its calls that do not wait."""
    markers = [name for name, has in ((HAS_PAIRS, with_pairs), (HAS_MINUTES, with_minutes)) if has]
    of_it = Calls(hour, hour + HOUR_MS, ALL_WAIT)
    async with db.read(_READ_SECONDS) as tx:
        # One view: a call that comes while this is written waits.
        calls = await rollups.calls_between(tx, hour, hour + HOUR_MS)
        made = await call_sums.by_hour(tx, of_it, with_pairs=with_pairs, with_minutes=with_minutes)
        names = await call_sums.names_of(tx, made.last)
        attempts = await call_sums.attempts_of(tx, of_it) if with_minutes else ()
    async with db.write() as tx:
        await rollups.forget_hour(tx, hour)
        await rollups.name_subjects(tx, names)
    rows = made.hours.get(hour, ())
    for start in range(0, len(rows), _ROWS_A_WRITE):
        async with db.write() as tx:
            await rollups.add_to_hour(tx, hour, rows[start : start + _ROWS_A_WRITE])
    async with db.write() as tx:
        await rollups.add_attempts(tx, attempts)
        for marker in markers:
            await rollups.mark_hour(tx, hour, marker)
        await rollups.hour_is_summed(tx, Stale(hour, calls))


async def sum_day(db: Database, day: int) -> None:
    """Make the sums of a day anew from its calls that do not wait."""
    async with db.read(_READ_SECONDS) as tx:
        calls = await rollups.calls_between(tx, day, day + DAY_MS)
        rows = await call_sums.of_day(tx, Calls(day, day + DAY_MS, ALL_WAIT))
    async with db.write() as tx:
        await rollups.forget_day(tx, day)
    for start in range(0, len(rows), _ROWS_A_WRITE):
        async with db.write() as tx:
            await rollups.add_to_day(tx, day, rows[start : start + _ROWS_A_WRITE])
    async with db.write() as tx:
        await rollups.day_is_summed(tx, Stale(day, calls))


async def _paced(step: Awaitable[Done]) -> Done:
    """Do it, then rest as long as it took: catching up on months takes half of one processor, not all."""
    began = time.perf_counter()
    done = await step
    await asyncio.sleep(max(_SHORTEST_PAUSE, time.perf_counter() - began))
    return done
