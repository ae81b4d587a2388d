"""Sums of the ledger by hour and day: made from calls, added to as calls come, kept when calls are deleted.

Every call that is written is counted in its hour and waits to be summed. An hour or a day is stale whenever it has more
calls than were summed and wait: then its sums are made anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import astuple

from gateway.model.sums import DAY_MS, HAS_MINUTES, HAS_PAIRS, HOUR_MS, MINUTES, PAIRS, SINGLES
from gateway.store import unsummed
from gateway.store.call_sums import AttemptMinute, Calls, Name, Row, attempts_of, by_hour
from gateway.store.database import Tx

_FIGURES = 38
_BY_PAIRS = tuple(f"{first}+{second}" for first, second in PAIRS)
_BY_MINUTES = f"{MINUTES[0]}+{MINUTES[1]}"
_OF_DAYS = (*SINGLES, *_BY_PAIRS)
_OF_HOURS = (*_OF_DAYS, HAS_PAIRS, _BY_MINUTES, HAS_MINUTES)


class Stale(msgspec.Struct, frozen=True):
    """An hour or a day (its beginning, Unix ms) of which `calls` are there and fewer are in the sums."""

    since: int
    calls: int


async def count_new(tx: Tx, calls: dict[str, int]) -> None:
    """Calls that are about to be written, by id, with when they began; those that are there already count no more."""
    began = _json(calls)
    async with tx.execute(
        "SELECT id FROM calls WHERE id IN (SELECT key FROM json_each(:began))", {"began": began}
    ) as rows:
        there = {row[0] for row in await rows.fetchall()}
    new = {call_id: at for call_id, at in calls.items() if call_id not in there} if there else calls
    hours = _by_hour(new)
    days = json.dumps(list({hour // DAY_MS * DAY_MS for hour in hours}))
    async with tx.execute(
        "SELECT day FROM days WHERE is_closed AND day IN (SELECT value FROM json_each(:days))", {"days": days}
    ) as rows:
        closed = {row[0] for row in await rows.fetchall()}
    late = {call_id for call_id, at in new.items() if at // DAY_MS * DAY_MS in closed} if closed else set()
    if late:
        late_rows = [(call_id,) for call_id in late]
        await tx.executemany("INSERT INTO late_calls (call_id) VALUES (?) ON CONFLICT DO NOTHING", late_rows)
    waiting = {call_id: at for call_id, at in new.items() if call_id not in late} if late else new
    wait = _by_hour(waiting) if late else hours
    await tx.executemany(
        """
        INSERT INTO hours (hour, calls, waiting) VALUES (?, ?, ?)
        ON CONFLICT (hour) DO UPDATE SET calls = calls + excluded.calls, waiting = waiting + excluded.waiting
        """,
        [(hour, number, wait[hour]) for hour, number in hours.items()],
    )
    if waiting:
        await unsummed.put(tx, len(waiting), began if waiting is calls else _json(waiting))


def _json(calls: dict[str, int]) -> str:
    return msgspec.json.encode(calls).decode()


def _by_hour(calls: Mapping[str, int]) -> Counter[int]:
    first = min(calls.values(), default=0) // HOUR_MS
    if first == max(calls.values(), default=0) // HOUR_MS:
        return Counter({first * HOUR_MS: len(calls)}) if calls else Counter()
    return Counter(at // HOUR_MS * HOUR_MS for at in calls.values())


async def stale_hours(tx: Tx, until: int, limit: int) -> tuple[Stale, ...]:
    """Of the hours that ended by then, the newest first."""
    async with tx.execute(
        """
        SELECT hour, calls - waiting FROM hours
        WHERE summed <> calls - waiting AND hour + 3600000 <= :until
          AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM days WHERE is_closed)
        ORDER BY hour DESC LIMIT :limit
        """,
        {"until": until, "limit": limit},
    ) as rows:
        return tuple(Stale(*row) for row in await rows.fetchall())


async def stale_days(tx: Tx, until: int, limit: int) -> tuple[Stale, ...]:
    """Of the days that ended by then, the newest first."""
    async with tx.execute(
        """
        SELECT hour / 86400000 * 86400000 AS of, sum(calls - waiting) AS there FROM hours
        WHERE hour < :until / 86400000 * 86400000
        GROUP BY of
        HAVING there <> coalesce((SELECT summed FROM days WHERE days.day = of), 0)
           AND of NOT IN (SELECT day FROM days WHERE is_closed)
        ORDER BY of DESC LIMIT :limit
        """,
        {"until": until, "limit": limit},
    ) as rows:
        return tuple(Stale(*row) for row in await rows.fetchall())


async def calls_between(tx: Tx, since: int, until: int) -> int:
    """How many calls were ever written of the hours between these two, but those that wait."""
    async with tx.execute(
        "SELECT coalesce(sum(calls - waiting), 0) FROM hours WHERE hour >= :since AND hour < :until",
        {"since": since, "until": until},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def late_calls(tx: Tx, limit: int) -> tuple[str, ...]:
    """Ids of calls that came to a closed day and are not in its sums."""
    async with tx.execute("SELECT call_id FROM late_calls ORDER BY call_id LIMIT :limit", {"limit": limit}) as rows:
        return tuple(row[0] for row in await rows.fetchall())


async def provable_days(tx: Tx) -> tuple[int, ...]:
    """Days of which all calls are there, and in all sums, newest first."""
    async with tx.execute(
        """
        SELECT day FROM days JOIN hours ON hour >= day AND hour < day + 86400000
        WHERE NOT is_closed GROUP BY day
        HAVING days.summed = sum(calls) AND sum(hours.summed <> calls) = 0 ORDER BY day DESC
        """
    ) as rows:
        return tuple(row[0] for row in await rows.fetchall())


async def kept_by_day(tx: Tx, day: int) -> tuple[Row, ...]:
    """The sums of a day, as they are kept."""
    async with tx.execute(
        """
        SELECT dimensions, first, second, requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens,
               cache_read_tokens, cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano,
               t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12,
               f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12
        FROM daily_sums WHERE day = :day AND dimensions IN (SELECT value FROM json_each(:names))
        """,
        {"day": day, "names": json.dumps(_OF_DAYS)},
    ) as rows:
        return tuple(tuple(row) for row in await rows.fetchall())


async def kept_by_hours(tx: Tx, day: int) -> tuple[Row, ...]:
    """The sums of a day's hours, as they are kept, added up."""
    async with tx.execute(
        """
        SELECT dimension, subject, '', sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced),
               sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens),
               sum(reasoning_tokens), sum(cost_nano), sum(actual_nano),
               sum(t0), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), sum(t6), sum(t7), sum(t8), sum(t9), sum(t10),
               sum(t11), sum(t12), sum(f0), sum(f1), sum(f2), sum(f3), sum(f4), sum(f5), sum(f6), sum(f7), sum(f8),
               sum(f9), sum(f10), sum(f11), sum(f12)
        FROM hourly_sums
        WHERE hour >= :day AND hour < :day + 86400000 AND dimension IN (SELECT value FROM json_each(:dimensions))
        GROUP BY dimension, subject
        """,
        {"day": day, "dimensions": json.dumps(SINGLES)},
    ) as rows:
        return tuple(tuple(row) for row in await rows.fetchall())


async def forget_hour(tx: Tx, hour: int) -> None:
    """Its sums go, and it is stale until `hour_is_summed`."""
    await tx.execute("UPDATE hours SET summed = -1 WHERE hour = :hour", {"hour": hour})
    await tx.execute(
        "DELETE FROM hourly_sums WHERE dimension IN (SELECT value FROM json_each(:names)) AND hour = :hour",
        {"hour": hour, "names": json.dumps(_OF_HOURS)},
    )
    await tx.execute("DELETE FROM attempt_minutes WHERE hour = :hour", {"hour": hour})


async def forget_pairs(tx: Tx, until: int) -> None:
    """Sums by two dimensions of hours before then go; days have them for good."""
    await _forget(tx, (*_BY_PAIRS, HAS_PAIRS), until)


async def forget_minutes(tx: Tx, until: int) -> None:
    """Sums of minutes of hours before then go."""
    await _forget(tx, (_BY_MINUTES, HAS_MINUTES), until)
    await tx.execute("DELETE FROM attempt_minutes WHERE hour < :until", {"until": until})


async def _forget(tx: Tx, names: Sequence[str], until: int) -> None:
    await tx.execute(
        "DELETE FROM hourly_sums WHERE dimension IN (SELECT value FROM json_each(:names)) AND hour < :until",
        {"until": until, "names": json.dumps(names)},
    )


async def forget_day(tx: Tx, day: int) -> None:
    """Its sums go, and it is stale until `day_is_summed`."""
    await tx.execute(
        "INSERT INTO days (day, summed) VALUES (:day, -1) ON CONFLICT (day) DO UPDATE SET summed = -1", {"day": day}
    )
    await tx.execute(
        "DELETE FROM daily_sums WHERE dimensions IN (SELECT value FROM json_each(:names)) AND day = :day",
        {"day": day, "names": json.dumps(_OF_DAYS)},
    )


async def hours_with(tx: Tx, marker: str) -> frozenset[int]:
    """Those that have HAS_PAIRS, or HAS_MINUTES."""
    async with tx.execute("SELECT hour FROM hourly_sums WHERE dimension = :marker", {"marker": marker}) as rows:
        return frozenset(row[0] for row in await rows.fetchall())


async def mark_hour(tx: Tx, hour: int, marker: str) -> None:
    """It has sums by pairs from now on, or by minutes."""
    await add_to_hour(tx, hour, [(marker, "", "", *(0,) * _FIGURES)])


async def hour_has_more(tx: Tx, hour: Stale) -> None:
    await tx.execute(
        "UPDATE hours SET summed = summed + :calls WHERE hour = :since", {"calls": hour.calls, "since": hour.since}
    )


async def day_has_more(tx: Tx, day: Stale) -> None:
    await tx.execute(
        """
        INSERT INTO days (day, summed) VALUES (:since, :calls)
        ON CONFLICT (day) DO UPDATE SET summed = summed + :calls
        """,
        {"calls": day.calls, "since": day.since},
    )


async def hour_is_summed(tx: Tx, hour: Stale) -> None:
    await tx.execute("UPDATE hours SET summed = :calls WHERE hour = :since", {"calls": hour.calls, "since": hour.since})


async def day_is_summed(tx: Tx, day: Stale) -> None:
    await tx.execute("UPDATE days SET summed = :calls WHERE day = :since", {"calls": day.calls, "since": day.since})


async def add_to_hour(tx: Tx, hour: int, rows: Iterable[Row]) -> None:
    """Each row is added to what is there. The subjects of a pair are one, with a unit separator between them."""
    await tx.executemany(
        """
        INSERT INTO hourly_sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
          ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (dimension, hour, subject) DO UPDATE SET
          requests = requests + excluded.requests, failed = failed + excluded.failed,
          cancelled = cancelled + excluded.cancelled, denied = denied + excluded.denied,
          unpriced = unpriced + excluded.unpriced, input_tokens = input_tokens + excluded.input_tokens,
          output_tokens = output_tokens + excluded.output_tokens,
          cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
          cache_creation_tokens = cache_creation_tokens + excluded.cache_creation_tokens,
          reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
          cost_nano = cost_nano + excluded.cost_nano, actual_nano = actual_nano + excluded.actual_nano,
          t0 = t0 + excluded.t0, t1 = t1 + excluded.t1, t2 = t2 + excluded.t2, t3 = t3 + excluded.t3,
          t4 = t4 + excluded.t4, t5 = t5 + excluded.t5, t6 = t6 + excluded.t6, t7 = t7 + excluded.t7,
          t8 = t8 + excluded.t8, t9 = t9 + excluded.t9, t10 = t10 + excluded.t10, t11 = t11 + excluded.t11,
          t12 = t12 + excluded.t12, f0 = f0 + excluded.f0, f1 = f1 + excluded.f1, f2 = f2 + excluded.f2,
          f3 = f3 + excluded.f3, f4 = f4 + excluded.f4, f5 = f5 + excluded.f5, f6 = f6 + excluded.f6,
          f7 = f7 + excluded.f7, f8 = f8 + excluded.f8, f9 = f9 + excluded.f9, f10 = f10 + excluded.f10,
          f11 = f11 + excluded.f11, f12 = f12 + excluded.f12
        """,
        [(row[0], hour, f"{row[1]}\x1f{row[2]}" if "+" in str(row[0]) else row[1], *row[3:]) for row in rows],
    )


async def add_to_day(tx: Tx, day: int, rows: Iterable[Row]) -> None:
    """Each row is added to what is there."""
    await tx.executemany(
        """
        INSERT INTO daily_sums VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
          ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (dimensions, day, first, second) DO UPDATE SET
          requests = requests + excluded.requests, failed = failed + excluded.failed,
          cancelled = cancelled + excluded.cancelled, denied = denied + excluded.denied,
          unpriced = unpriced + excluded.unpriced, input_tokens = input_tokens + excluded.input_tokens,
          output_tokens = output_tokens + excluded.output_tokens,
          cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
          cache_creation_tokens = cache_creation_tokens + excluded.cache_creation_tokens,
          reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens,
          cost_nano = cost_nano + excluded.cost_nano, actual_nano = actual_nano + excluded.actual_nano,
          t0 = t0 + excluded.t0, t1 = t1 + excluded.t1, t2 = t2 + excluded.t2, t3 = t3 + excluded.t3,
          t4 = t4 + excluded.t4, t5 = t5 + excluded.t5, t6 = t6 + excluded.t6, t7 = t7 + excluded.t7,
          t8 = t8 + excluded.t8, t9 = t9 + excluded.t9, t10 = t10 + excluded.t10, t11 = t11 + excluded.t11,
          t12 = t12 + excluded.t12, f0 = f0 + excluded.f0, f1 = f1 + excluded.f1, f2 = f2 + excluded.f2,
          f3 = f3 + excluded.f3, f4 = f4 + excluded.f4, f5 = f5 + excluded.f5, f6 = f6 + excluded.f6,
          f7 = f7 + excluded.f7, f8 = f8 + excluded.f8, f9 = f9 + excluded.f9, f10 = f10 + excluded.f10,
          f11 = f11 + excluded.f11, f12 = f12 + excluded.f12
        """,
        [(row[0], day, *row[1:]) for row in rows],
    )


async def add_attempts(tx: Tx, minutes: Iterable[AttemptMinute]) -> None:
    """Each is added to what is there."""
    await tx.executemany(
        """
        INSERT INTO attempt_minutes (hour, minute, provider, ok, failed, limited) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (hour, minute, provider) DO UPDATE SET
          ok = ok + excluded.ok, failed = failed + excluded.failed, limited = limited + excluded.limited
        """,
        [astuple(minute) for minute in minutes],
    )


async def name_subjects(tx: Tx, names: Iterable[Name]) -> None:
    await tx.executemany(
        """
        INSERT INTO subject_names (dimension, subject, name) VALUES (?, ?, ?)
        ON CONFLICT (dimension, subject) DO UPDATE SET name = excluded.name WHERE name <> excluded.name
        """,
        names,
    )


async def names(tx: Tx, dimension: str) -> dict[str, str]:
    """What subjects were last called."""
    async with tx.execute(
        "SELECT subject, name FROM subject_names WHERE dimension = :dimension", {"dimension": dimension}
    ) as rows:
        return {row[0]: row[1] for row in await rows.fetchall()}


async def add_late(tx: Tx, call_id: str) -> None:
    """Add one call to the sums of its hour and its closed day."""
    async with tx.execute("SELECT started_at FROM calls WHERE id = :id", {"id": call_id}) as rows:
        found = await rows.fetchone()
    await tx.execute("DELETE FROM late_calls WHERE call_id = :id", {"id": call_id})
    if found is None:
        return
    hour, day = found[0] // HOUR_MS * HOUR_MS, found[0] // DAY_MS * DAY_MS
    one = Calls(found[0], found[0] + 1, call_id=call_id)
    for rows_made in (await by_hour(tx, one, with_pairs=True, with_minutes=True)).hours.values():
        await add_to_day(tx, day, of_days(rows_made))
        await add_to_hour(tx, hour, await fitting(tx, hour, rows_made))
    if hour in await hours_with(tx, HAS_MINUTES):
        await add_attempts(tx, await attempts_of(tx, one))


def of_days(rows: Iterable[Row]) -> list[Row]:
    """Those that days have: all but those of minutes."""
    return [row for row in rows if row[0] != _BY_MINUTES]


async def fitting(tx: Tx, hour: int, rows: Iterable[Row]) -> list[Row]:
    """Those that the hour has: sums by two dimensions and of minutes are for the latest hours."""
    has_pairs, has_minutes = hour in await hours_with(tx, HAS_PAIRS), hour in await hours_with(tx, HAS_MINUTES)
    return [row for row in rows if "+" not in str(row[0]) or (has_minutes if row[0] == _BY_MINUTES else has_pairs)]
