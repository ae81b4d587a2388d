"""Sums of the ledger by hour and day: made from calls, kept when calls are deleted.

Every call that is written is counted in its hour, so an hour is known to be stale whenever it has more calls than were
summed: first while it runs, later when a call that took minutes comes late.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.model.sums import DAY_MS, HAS_PAIRS, HOUR_MS, PAIRS, SINGLES
from gateway.store.database import Tx

Row = tuple[object, ...]
"""dimensions, first, second, then the columns of a sum and of both histograms."""
_FIGURES = 38


class Stale(msgspec.Struct, frozen=True):
    """An hour or a day (its beginning, Unix ms) of which `calls` are there and fewer are in the sums."""

    since: int
    calls: int


async def count_new(tx: Tx, calls: Mapping[str, int]) -> None:
    """Calls that are about to be written, by id, with when they began; those that are there already count no more."""
    async with tx.execute(
        "SELECT id FROM calls WHERE id IN (SELECT value FROM json_each(:ids))", {"ids": json.dumps(list(calls))}
    ) as rows:
        there = {row[0] for row in await rows.fetchall()}
    new = {call_id: at for call_id, at in calls.items() if call_id not in there}
    await tx.executemany(
        """
        INSERT INTO hours (hour, calls) VALUES (?, ?)
        ON CONFLICT (hour) DO UPDATE SET calls = calls + excluded.calls
        """,
        Counter(at // HOUR_MS * HOUR_MS for at in new.values()).items(),
    )
    days = json.dumps(list({at // DAY_MS * DAY_MS for at in new.values()}))
    async with tx.execute(
        "SELECT day FROM days WHERE is_closed AND day IN (SELECT value FROM json_each(:days))", {"days": days}
    ) as rows:
        closed = {row[0] for row in await rows.fetchall()}
    late = [(call_id,) for call_id, at in new.items() if at // DAY_MS * DAY_MS in closed]
    await tx.executemany("INSERT INTO late_calls (call_id) VALUES (?) ON CONFLICT DO NOTHING", late)


async def stale_hours(tx: Tx, until: int, limit: int) -> tuple[Stale, ...]:
    """Of the hours that ended by then, the newest first."""
    async with tx.execute(
        """
        SELECT hour, calls FROM hours
        WHERE summed <> calls AND hour + 3600000 <= :until
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
        SELECT hour / 86400000 * 86400000 AS day, sum(calls) AS there FROM hours
        WHERE hour < :until / 86400000 * 86400000
        GROUP BY day
        HAVING there <> coalesce((SELECT summed FROM days WHERE days.day = hours.hour / 86400000 * 86400000), 0)
           AND day NOT IN (SELECT day FROM days WHERE is_closed)
        ORDER BY day DESC LIMIT :limit
        """,
        {"until": until, "limit": limit},
    ) as rows:
        return tuple(Stale(*row) for row in await rows.fetchall())


async def calls_between(tx: Tx, since: int, until: int) -> int:
    """How many calls were ever written of the hours between these two."""
    async with tx.execute(
        "SELECT coalesce(sum(calls), 0) FROM hours WHERE hour >= :since AND hour < :until",
        {"since": since, "until": until},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def late_calls(tx: Tx, limit: int) -> tuple[str, ...]:
    """Ids of calls that came to a closed day and are not in its sums."""
    async with tx.execute("SELECT call_id FROM late_calls ORDER BY call_id LIMIT :limit", {"limit": limit}) as rows:
        return tuple(row[0] for row in await rows.fetchall())


async def of_hour(tx: Tx, hour: int, *, with_pairs: bool = False) -> tuple[Row, ...]:
    """Its sums by each dimension, from the calls themselves; by each pair of them too, where that is wanted."""
    if not with_pairs:
        return await _made(tx, _one_each(), since=hour, until=hour + HOUR_MS)
    rows = await _made(tx, (*_one_each(), *PAIRS), since=hour, until=hour + HOUR_MS)
    return (*rows, (HAS_PAIRS, "", "", *(0,) * _FIGURES))


async def of_day(tx: Tx, day: int) -> tuple[Row, ...]:
    """Its sums by each dimension and each pair of them, from the calls themselves."""
    return await _made(tx, (*_one_each(), *PAIRS), since=day, until=day + DAY_MS)


async def names_of(tx: Tx, since: int, until: int) -> tuple[tuple[str, str, str], ...]:
    """Dimension, subject and what it was called last in that time. A model's subject is its name."""
    async with tx.execute(
        """
        WITH seen AS MATERIALIZED (
          SELECT max(id) AS id FROM calls WHERE started_at >= :since AND started_at < :until
          GROUP BY user_id, api_key_id, backend_id)
        SELECT 'user', user_id, user_name, max(calls.id) FROM seen JOIN calls USING (id)
        WHERE user_id IS NOT NULL GROUP BY user_id
        UNION ALL
        SELECT 'api_key', api_key_id, api_key_name, max(calls.id) FROM seen JOIN calls USING (id)
        WHERE api_key_id IS NOT NULL GROUP BY api_key_id
        UNION ALL
        SELECT 'provider', provider_id, provider, max(calls.id) FROM seen JOIN calls USING (id)
        WHERE provider_id IS NOT NULL GROUP BY provider_id
        UNION ALL
        SELECT 'provider_key', substr(backend_id, instr(backend_id, ':') + 1) AS subject, backend, max(calls.id)
        FROM seen JOIN calls USING (id) WHERE backend_id IS NOT NULL GROUP BY subject
        """,
        {"since": since, "until": until},
    ) as rows:
        return tuple((row[0], row[1], row[2]) for row in await rows.fetchall())


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
        {"day": day, "names": json.dumps(_every_name())},
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
        "DELETE FROM hourly_sums WHERE dimension IN (SELECT value FROM json_each(:dimensions)) AND hour = :hour",
        {"hour": hour, "dimensions": json.dumps([*_every_name(), HAS_PAIRS])},
    )


async def forget_pairs(tx: Tx, until: int) -> None:
    """Sums by two dimensions of hours before then go; days have them for good."""
    await tx.execute(
        "DELETE FROM hourly_sums WHERE dimension IN (SELECT value FROM json_each(:dimensions)) AND hour < :until",
        {"until": until, "dimensions": json.dumps([*_every_name()[len(SINGLES) :], HAS_PAIRS])},
    )


async def forget_day(tx: Tx, day: int) -> None:
    """Its sums go, and it is stale until `day_is_summed`."""
    await tx.execute(
        "INSERT INTO days (day, summed) VALUES (:day, -1) ON CONFLICT (day) DO UPDATE SET summed = -1", {"day": day}
    )
    await tx.execute(
        "DELETE FROM daily_sums WHERE dimensions IN (SELECT value FROM json_each(:names)) AND day = :day",
        {"day": day, "names": json.dumps(_every_name())},
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


async def name_subjects(tx: Tx, names: Iterable[tuple[str, str, str]]) -> None:
    """Dimension, subject and name."""
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
    rows_made = await _made(tx, (*_one_each(), *PAIRS), since=found[0], until=found[0] + 1, call_id=call_id)
    hour = found[0] // HOUR_MS * HOUR_MS
    async with tx.execute(
        "SELECT 1 FROM hourly_sums WHERE dimension = :pairs AND hour = :hour", {"pairs": HAS_PAIRS, "hour": hour}
    ) as rows:
        has_pairs = await rows.fetchone() is not None
    await add_to_hour(tx, hour, [row for row in rows_made if has_pairs or "+" not in str(row[0])])
    await add_to_day(tx, found[0] // DAY_MS * DAY_MS, rows_made)


def _every_name() -> list[str]:
    return [*SINGLES, *(f"{first}+{second}" for first, second in PAIRS)]


def _one_each() -> tuple[tuple[str, str], ...]:
    return tuple((dimension, "") for dimension in SINGLES)


async def _made(
    tx: Tx, kinds: Sequence[tuple[str, str]], *, since: int, until: int, call_id: str | None = None
) -> tuple[Row, ...]:
    """The calls are grouped by everything first, which there is less of than calls; then by each of `kinds`."""
    async with tx.execute(
        """
        WITH cube AS MATERIALIZED (
          SELECT coalesce(user_id, '') AS user, coalesce(api_key_id, '') AS api_key, served_model AS model,
                 coalesce(provider_id, '') AS provider,
                 coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') AS provider_key,
                 count(*) AS requests, sum(status IN ('failed', 'crashed')) AS failed,
                 sum(status = 'cancelled') AS cancelled,
                 sum(status = 'failed' AND attempt_count = 0 AND code BETWEEN 400 AND 499) AS denied,
                 sum(cost_nano IS NULL AND usage_source <> 'none') AS unpriced,
                 sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
                 sum(cache_read_tokens) AS cache_read_tokens,
                 sum(cache_creation_tokens + cache_creation_1h_tokens) AS cache_creation_tokens,
                 sum(reasoning_tokens) AS reasoning_tokens, coalesce(sum(cost_nano), 0) AS cost_nano,
                 coalesce(sum(actual_nano), 0) AS actual_nano,
                 sum(total_ms < :total) AS t0,
                 sum(total_ms >= :total AND total_ms < :total << 1) AS t1,
                 sum(total_ms >= :total << 1 AND total_ms < :total << 2) AS t2,
                 sum(total_ms >= :total << 2 AND total_ms < :total << 3) AS t3,
                 sum(total_ms >= :total << 3 AND total_ms < :total << 4) AS t4,
                 sum(total_ms >= :total << 4 AND total_ms < :total << 5) AS t5,
                 sum(total_ms >= :total << 5 AND total_ms < :total << 6) AS t6,
                 sum(total_ms >= :total << 6 AND total_ms < :total << 7) AS t7,
                 sum(total_ms >= :total << 7 AND total_ms < :total << 8) AS t8,
                 sum(total_ms >= :total << 8 AND total_ms < :total << 9) AS t9,
                 sum(total_ms >= :total << 9 AND total_ms < :total << 10) AS t10,
                 sum(total_ms >= :total << 10 AND total_ms < :total << 11) AS t11,
                 sum(total_ms >= :total << 11) AS t12,
                 coalesce(sum(first_byte_ms < :first), 0) AS f0,
                 coalesce(sum(first_byte_ms >= :first AND first_byte_ms < :first << 1), 0) AS f1,
                 coalesce(sum(first_byte_ms >= :first << 1 AND first_byte_ms < :first << 2), 0) AS f2,
                 coalesce(sum(first_byte_ms >= :first << 2 AND first_byte_ms < :first << 3), 0) AS f3,
                 coalesce(sum(first_byte_ms >= :first << 3 AND first_byte_ms < :first << 4), 0) AS f4,
                 coalesce(sum(first_byte_ms >= :first << 4 AND first_byte_ms < :first << 5), 0) AS f5,
                 coalesce(sum(first_byte_ms >= :first << 5 AND first_byte_ms < :first << 6), 0) AS f6,
                 coalesce(sum(first_byte_ms >= :first << 6 AND first_byte_ms < :first << 7), 0) AS f7,
                 coalesce(sum(first_byte_ms >= :first << 7 AND first_byte_ms < :first << 8), 0) AS f8,
                 coalesce(sum(first_byte_ms >= :first << 8 AND first_byte_ms < :first << 9), 0) AS f9,
                 coalesce(sum(first_byte_ms >= :first << 9 AND first_byte_ms < :first << 10), 0) AS f10,
                 coalesce(sum(first_byte_ms >= :first << 10 AND first_byte_ms < :first << 11), 0) AS f11,
                 coalesce(sum(first_byte_ms >= :first << 11), 0) AS f12
          FROM calls
          WHERE started_at >= :since AND started_at < :until AND (:call_id IS NULL OR id = :call_id)
          GROUP BY 1, 2, 3, 4, 5),
        kinds AS MATERIALIZED (SELECT value ->> 0 AS one, value ->> 1 AS other FROM json_each(:kinds))
        SELECT CASE other WHEN '' THEN one ELSE one || '+' || other END,
               CASE one WHEN 'user' THEN user WHEN 'api_key' THEN api_key WHEN 'model' THEN model
                        WHEN 'provider' THEN provider WHEN 'provider_key' THEN provider_key ELSE '' END AS first,
               CASE other WHEN 'user' THEN user WHEN 'api_key' THEN api_key WHEN 'model' THEN model
                          WHEN 'provider' THEN provider WHEN 'provider_key' THEN provider_key ELSE '' END AS second,
               sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced), sum(input_tokens),
               sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens), sum(reasoning_tokens),
               sum(cost_nano), sum(actual_nano), sum(t0), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), sum(t6),
               sum(t7), sum(t8), sum(t9), sum(t10), sum(t11), sum(t12), sum(f0),
               sum(f1), sum(f2), sum(f3),
               sum(f4), sum(f5), sum(f6),
               sum(f7), sum(f8), sum(f9),
               sum(f10), sum(f11), sum(f12)
        FROM kinds CROSS JOIN cube GROUP BY one, other, first, second
        """,
        {
            "since": since,
            "until": until,
            "call_id": call_id,
            "kinds": json.dumps(kinds),
            "total": TOTAL_LEAST_MS,
            "first": FIRST_BYTE_LEAST_MS,
        },
    ) as rows:
        return tuple(tuple(row) for row in await rows.fetchall())
