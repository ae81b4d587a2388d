"""What calls come to, by each dimension and each pair of them: those of an hour or a day, or those that wait."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from operator import add
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import asdict

from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTES, PAIRS, SINGLES, TOTAL
from gateway.store.database import Tx

Row = tuple[object, ...]
"""dimensions, first, second, then the columns of a sum and of both histograms."""
Name = tuple[str, str, str]
"""Dimension, subject and what it was called. A model's subject is its name."""
Kind = tuple[str, str]
"""One dimension and an empty one, or two dimensions."""
EACH: tuple[Kind, ...] = tuple((dimension, "") for dimension in SINGLES)
_OUT_OF: Mapping[str, Sequence[tuple[str, int]]] = MappingProxyType(
    {
        "user+api_key": ((TOTAL, 0), ("user", 1), ("api_key", 2)),
        "model+provider": (("model", 1), ("provider", 2)),
        "provider+provider_key": (("provider_key", 2),),
    }
)
"""The pairs that each dimension is summed from, and which of the two it is."""
NONE_WAIT, ALL_WAIT = 0, 2**62
_FIGURES = 38
_NAMED = frozenset({"user", "api_key", "provider", "provider_key"})


class Calls(msgspec.Struct, frozen=True):
    """Those that began from `since` (inclusive) to `until` (exclusive), but none that wait up to `upto`.

    Where `are_waiting` those that wait up to there, and no others. `upto` is a number in `unsummed_calls`.
    """

    since: int = 0
    until: int = 0
    upto: int = NONE_WAIT
    are_waiting: bool = False
    call_id: str | None = None


class AttemptMinute(msgspec.Struct, frozen=True):
    """Attempts at a provider that began in one minute, of calls that began in one hour; Unix ms."""

    hour: int
    minute: int
    provider: str
    ok: int
    failed: int
    limited: int


class Made(msgspec.Struct, frozen=True):
    """Sums by the hour in which calls began, and the last call of each subject: dimension and id."""

    hours: dict[int, tuple[Row, ...]]
    last: tuple[tuple[str, str], ...]


async def by_hour(tx: Tx, calls: Calls, *, with_pairs: bool = False, with_minutes: bool = False) -> Made:
    """Their sums by each dimension, from the calls themselves.

    By each pair of dimensions and of minutes too, where that is wanted.
    """
    minutes = (MINUTES,) if with_minutes else ()
    made = await _made(tx, calls, (*(PAIRS if with_pairs else EACH), *minutes), HOUR_MS)
    made += _singles(made) if with_pairs else []
    found: dict[int, list[Row]] = {}
    for hour, *row, _ in made:
        found.setdefault(hour, []).append(tuple(row))
    last = tuple((row[1], row[-1]) for row in made if row[1] in _NAMED and row[2])
    return Made({hour: tuple(rows) for hour, rows in found.items()}, last)


async def of_day(tx: Tx, calls: Calls) -> tuple[Row, ...]:
    """Their sums by each dimension and each pair of them, all being of one day, from the calls themselves."""
    made = await _made(tx, calls, PAIRS, DAY_MS)
    return tuple(tuple(row[1:-1]) for row in made + _singles(made))


def _singles(made: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """What the pairs of a dimension come to: they are fewer than what was grouped."""
    found: dict[tuple[int, str, str], tuple[Sequence[int], str]] = {}
    for at, name, first, second, *figures, last in made:
        for dimension, place in _OUT_OF.get(name, ()):
            key = (at, dimension, ("", first, second)[place])
            there, newest = found.get(key, ((0,) * _FIGURES, ""))
            found[key] = tuple(map(add, there, figures)), max(newest, last)
    return [(*key, "", *figures, last) for key, (figures, last) in found.items()]


async def attempts_of(tx: Tx, calls: Calls) -> tuple[AttemptMinute, ...]:
    """Their attempts by hour of the call, minute and provider."""
    async with tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT key AS id FROM unsummed_calls CROSS JOIN json_each(began) WHERE number <= :upto),
        wanted AS (
          SELECT id FROM calls
          WHERE NOT :are_waiting AND started_at >= :since AND started_at < :until
            AND id NOT IN (SELECT id FROM waiting) AND (:call_id IS NULL OR id = :call_id)
          UNION ALL
          SELECT id FROM waiting WHERE :are_waiting)
        SELECT calls.started_at / 3600000 * 3600000 AS hour,
               (calls.started_at + attempts.started_ms) / 60000 * 60000 AS minute,
               substr(attempts.backend, 1, instr(attempts.backend, '/') - 1) AS provider,
               sum(attempts.outcome = 'ok'), sum(attempts.outcome NOT IN ('ok', 'rate_limited')),
               sum(attempts.outcome = 'rate_limited')
        FROM wanted CROSS JOIN calls ON calls.id = wanted.id CROSS JOIN attempts ON attempts.call_id = calls.id
        WHERE attempts.outcome NOT IN ('client_fault', 'not_served', 'abandoned')
        GROUP BY 1, 2, 3
        """,
        asdict(calls),
    ) as rows:
        return tuple(AttemptMinute(*row) for row in await rows.fetchall())


async def names_of(tx: Tx, last: Sequence[tuple[str, str]]) -> tuple[Name, ...]:
    """What subjects were called by these calls, which are their last: dimension and id."""
    async with tx.execute(
        """
        SELECT dimension,
               CASE dimension WHEN 'user' THEN user_id WHEN 'api_key' THEN api_key_id WHEN 'provider' THEN provider_id
                 ELSE substr(backend_id, instr(backend_id, ':') + 1) END,
               CASE dimension WHEN 'user' THEN user_name WHEN 'api_key' THEN api_key_name WHEN 'provider' THEN provider
                 ELSE backend END
        FROM (SELECT value ->> 0 AS dimension, value ->> 1 AS last FROM json_each(:last))
        CROSS JOIN calls ON calls.id = last
        """,
        {"last": json.dumps(last)},
    ) as rows:
        return tuple((row[0], row[1], row[2]) for row in await rows.fetchall())


async def _made(tx: Tx, calls: Calls, kinds: Sequence[Kind], span: int) -> list[Sequence[Any]]:
    """Rows with the beginning of their `span` before them and the id of their last call after them.

    The calls are grouped by everything first, which there is less of than calls; then by each of `kinds`.
    """
    async with tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT key AS id FROM unsummed_calls CROSS JOIN json_each(began) WHERE number <= :upto),
        wanted AS (
          SELECT id FROM calls
          WHERE NOT :are_waiting AND started_at >= :since AND started_at < :until
            AND id NOT IN (SELECT id FROM waiting) AND (:call_id IS NULL OR id = :call_id)
          UNION ALL
          SELECT id FROM waiting WHERE :are_waiting),
        cube AS MATERIALIZED (
          SELECT started_at / :span * :span AS at,
                 CASE WHEN :has_minutes THEN substr('0' || (started_at / 60000 % 60), -2) ELSE '' END AS minute,
                 coalesce(user_id, '') AS user, coalesce(api_key_id, '') AS api_key, served_model AS model,
                 coalesce(provider_id, '') AS provider,
                 coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') AS provider_key,
                 max(calls.id) AS last, count(*) AS requests, sum(status IN ('failed', 'crashed')) AS failed,
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
          FROM wanted CROSS JOIN calls ON calls.id = wanted.id
          GROUP BY 1, 2, 3, 4, 5, 6, 7),
        kinds AS MATERIALIZED (SELECT value ->> 0 AS one, value ->> 1 AS other FROM json_each(:kinds))
        SELECT at, CASE other WHEN '' THEN one ELSE one || '+' || other END,
               CASE one WHEN 'minute' THEN minute WHEN 'user' THEN user WHEN 'api_key' THEN api_key
                        WHEN 'model' THEN model WHEN 'provider' THEN provider
                        WHEN 'provider_key' THEN provider_key ELSE '' END AS first,
               CASE other WHEN 'user' THEN user WHEN 'api_key' THEN api_key WHEN 'model' THEN model
                          WHEN 'provider' THEN provider WHEN 'provider_key' THEN provider_key ELSE '' END AS second,
               sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced), sum(input_tokens),
               sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens), sum(reasoning_tokens),
               sum(cost_nano), sum(actual_nano), sum(t0), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), sum(t6),
               sum(t7), sum(t8), sum(t9), sum(t10), sum(t11), sum(t12), sum(f0),
               sum(f1), sum(f2), sum(f3),
               sum(f4), sum(f5), sum(f6),
               sum(f7), sum(f8), sum(f9),
               sum(f10), sum(f11), sum(f12), max(last)
        FROM kinds CROSS JOIN cube GROUP BY at, one, other, first, second
        """,
        {
            **asdict(calls),
            "span": span,
            "kinds": json.dumps(kinds),
            "has_minutes": MINUTES in kinds,
            "total": TOTAL_LEAST_MS,
            "first": FIRST_BYTE_LEAST_MS,
        },
    ) as rows:
        return list(await rows.fetchall())
