"""Figures of a span of time, for pages. Times are Unix milliseconds.

Which sums and which calls a span is put together of is told by figure_pieces.py. Rows of days, the most by far where
there are two dimensions, are added up before those of hours and calls: all at once take a third longer.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec

from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.model.sums import Sums
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question, terms

OTHER = "*"
"""Stands for all subjects that are not told apart; no id and no model is called so."""
_READ = "input_tokens + cache_read_tokens + cache_creation_tokens"
_FIGURES: Mapping[str, str] = MappingProxyType(
    {
        **{name: name for name in ("requests", "failed", "denied", "cancelled", "unpriced")},
        **{"cost": "cost_nano", "actual": "actual_nano", "output": "output_tokens"},
        **{"input": _READ, "tokens": f"{_READ} + output_tokens"},
    }
)
"""What `{figure}` in a statement stands for. A CASE of all columns would have SQLite read and sort all of them."""


class Group(msgspec.Struct, frozen=True, gc=False):
    """What the calls of one piece of time and one subject, or two, come to. A subject is '' where a call had none."""

    bucket: int
    first: str
    second: str
    sums: Sums


class Amount(msgspec.Struct, frozen=True, gc=False):
    """One figure of one piece of time and one subject, or two, and of how many requests."""

    bucket: int
    first: str
    second: str
    amount: int
    requests: int


class Times(msgspec.Struct, frozen=True, gc=False):
    """A histogram of `gateway.model.histograms`, of one piece of time and one subject, or two."""

    bucket: int
    first: str
    second: str
    counts: tuple[int, ...]


async def sums(tx: Tx, asked: Question, pairs: Collection[tuple[str, str]] | None = None) -> tuple[Group, ...]:
    """By bucket, then subjects; what had no calls is left out.

    Of `pairs`, first and second, alone where they are given; a few of many take a fraction of the time. Not with `own`.
    """
    rows = await tx.execute_fetchall(
        """
        SELECT bucket, one, other, sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced),
               sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens),
               sum(reasoning_tokens), sum(cost_nano), sum(actual_nano)
        FROM (
          SELECT (day - :since) / :bucket_ms AS bucket,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
                 AS one,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
                 AS other,
                 sum(requests) AS requests, sum(failed) AS failed, sum(cancelled) AS cancelled,
                 sum(denied) AS denied, sum(unpriced) AS unpriced,
                 sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
                 sum(cache_read_tokens) AS cache_read_tokens, sum(cache_creation_tokens) AS cache_creation_tokens,
                 sum(reasoning_tokens) AS reasoning_tokens, sum(cost_nano) AS cost_nano,
                 sum(actual_nano) AS actual_nano
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:pairs IS NULL, :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY 1, 2, 3
          UNION ALL
          SELECT (day - :since) / :bucket_ms, first, second,
                 requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                 cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
          FROM json_each(:pairs) AS pair CROSS JOIN json_each(:days) AS whole_day CROSS JOIN daily_sums
          ON dimensions = :dimensions AND day = whole_day.value
            AND first = json_extract(pair.value, '$[0]') AND second = json_extract(pair.value, '$[1]')
          WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                 cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
          FROM (
            SELECT hour AS at,
                   CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                   CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                   requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                   cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
            FROM hourly_sums WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
            UNION ALL
            SELECT hour + 60000 * substr(subject, 1, 2),
                   CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                   requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                   cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
            FROM hourly_sums
            WHERE dimension = 'minute+model' AND hour IN (SELECT value FROM json_each(:minute_hours))
              AND hour + 60000 * substr(subject, 1, 2) >= :since
              AND hour + 60000 * substr(subject, 1, 2) < :minutes_end)
          WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
            AND (:pairs IS NULL OR first || char(31) || second IN (
              SELECT json_extract(value, '$[0]') || char(31) || json_extract(value, '$[1]') FROM json_each(:pairs)))
          UNION ALL
          SELECT (started_at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                 cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
          FROM (
            SELECT started_at,
                   CASE :first WHEN 'user' THEN coalesce(user_id, '') WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS first,
                   CASE :second WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS second,
                   1 AS requests, status IN ('failed', 'crashed') AS failed, status = 'cancelled' AS cancelled,
                   status = 'failed' AND attempt_count = 0 AND code BETWEEN 400 AND 499 AS denied,
                   cost_nano IS NULL AND usage_source <> 'none' AS unpriced, input_tokens, output_tokens,
                   cache_read_tokens, cache_creation_tokens + cache_creation_1h_tokens AS cache_creation_tokens,
                   reasoning_tokens, coalesce(cost_nano, 0) AS cost_nano, coalesce(actual_nano, 0) AS actual_nano
            FROM (
              SELECT calls.id AS id FROM json_each(:spans) AS span CROSS JOIN calls
              ON started_at >= json_extract(span.value, '$[0]') AND started_at < json_extract(span.value, '$[1]')
              UNION ALL
              SELECT value FROM json_each(:waiting)) AS singly
            CROSS JOIN calls ON calls.id = singly.id)
          WHERE (:only_first IS NULL OR first = :only_first)
            AND (:only_second IS NULL OR second = :only_second)
            AND (:pairs IS NULL OR first || char(31) || second IN (
              SELECT json_extract(value, '$[0]') || char(31) || json_extract(value, '$[1]') FROM json_each(:pairs))))
        GROUP BY bucket, one, other ORDER BY bucket, one, other
        """,
        {**await terms(tx, asked), "pairs": None if pairs is None else json.dumps(list(pairs))},
    )
    return tuple(Group(row[0], row[1], row[2], Sums(*row[3:])) for row in rows)


async def amounts(tx: Tx, asked: Question, figure: str) -> tuple[Amount, ...]:
    """One figure alone, which takes a fraction of the time of all: requests, failed, denied, cancelled, unpriced, cost,
    actual, output, input (with those of a cache) or tokens.
    """
    rows = await tx.execute_fetchall(
        """
        SELECT bucket, one, other, sum(figure), sum(requests)
        FROM (
          SELECT 0 AS bucket, first AS one, second AS other, sum({figure}) AS figure, sum(requests) AS requests
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:is_whole, :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT (day - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 {figure}, requests
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:is_whole, NULL, :days)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 figure, requests
          FROM (
            SELECT hour AS at,
                   CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                   CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                   {figure} AS figure, requests
            FROM hourly_sums WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
            UNION ALL
            SELECT hour + 60000 * substr(subject, 1, 2),
                   CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                   {figure} AS figure, requests
            FROM hourly_sums
            WHERE dimension = 'minute+model' AND hour IN (SELECT value FROM json_each(:minute_hours))
              AND hour + 60000 * substr(subject, 1, 2) >= :since
              AND hour + 60000 * substr(subject, 1, 2) < :minutes_end)
          WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (started_at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 {figure}, requests
          FROM (
            SELECT started_at,
                   CASE :first WHEN 'user' THEN coalesce(user_id, '') WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS first,
                   CASE :second WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS second,
                   1 AS requests, status IN ('failed', 'crashed') AS failed, status = 'cancelled' AS cancelled,
                   status = 'failed' AND attempt_count = 0 AND code BETWEEN 400 AND 499 AS denied,
                   cost_nano IS NULL AND usage_source <> 'none' AS unpriced, input_tokens, output_tokens,
                   cache_read_tokens, cache_creation_tokens + cache_creation_1h_tokens AS cache_creation_tokens,
                   reasoning_tokens, coalesce(cost_nano, 0) AS cost_nano, coalesce(actual_nano, 0) AS actual_nano
            FROM (
              SELECT calls.id AS id FROM json_each(:spans) AS span CROSS JOIN calls
              ON started_at >= json_extract(span.value, '$[0]') AND started_at < json_extract(span.value, '$[1]')
              UNION ALL
              SELECT value FROM json_each(:waiting)) AS singly
            CROSS JOIN calls ON calls.id = singly.id)
          WHERE (:only_first IS NULL OR first = :only_first)
            AND (:only_second IS NULL OR second = :only_second))
        GROUP BY bucket, one, other ORDER BY bucket, one, other
        """.replace("{figure}", _FIGURES[figure]),
        await terms(tx, asked),
    )
    return tuple(Amount(*row) for row in rows)


async def first_byte_times(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls waited for their first byte, by bucket, then subjects."""
    return await _times(tx, asked, FIRST_BYTE_LEAST_MS)


async def total_times(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls took in all, by bucket, then subjects."""
    return await _times(tx, asked, TOTAL_LEAST_MS)


async def _times(tx: Tx, asked: Question, least: int) -> tuple[Times, ...]:
    rows = await tx.execute_fetchall(
        """
        SELECT bucket, one, other, sum(c0), sum(c1), sum(c2), sum(c3), sum(c4), sum(c5), sum(c6), sum(c7), sum(c8),
               sum(c9), sum(c10), sum(c11), sum(c12)
        FROM (
          SELECT 0 AS bucket, first AS one, second AS other,
                 sum({x}0) AS c0, sum({x}1) AS c1, sum({x}2) AS c2, sum({x}3) AS c3, sum({x}4) AS c4,
                 sum({x}5) AS c5, sum({x}6) AS c6, sum({x}7) AS c7, sum({x}8) AS c8, sum({x}9) AS c9,
                 sum({x}10) AS c10, sum({x}11) AS c11, sum({x}12) AS c12
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:is_whole, :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT (day - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 {x}0, {x}1, {x}2, {x}3, {x}4, {x}5, {x}6, {x}7, {x}8, {x}9, {x}10, {x}11, {x}12
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:is_whole, NULL, :days)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12
          FROM (
            SELECT hour AS at,
                   CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                   CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                   {x}0 AS c0, {x}1 AS c1, {x}2 AS c2, {x}3 AS c3, {x}4 AS c4, {x}5 AS c5, {x}6 AS c6, {x}7 AS c7,
                   {x}8 AS c8, {x}9 AS c9, {x}10 AS c10, {x}11 AS c11, {x}12 AS c12
            FROM hourly_sums WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
            UNION ALL
            SELECT hour + 60000 * substr(subject, 1, 2),
                   CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                   {x}0 AS c0, {x}1 AS c1, {x}2 AS c2, {x}3 AS c3, {x}4 AS c4, {x}5 AS c5, {x}6 AS c6, {x}7 AS c7,
                   {x}8 AS c8, {x}9 AS c9, {x}10 AS c10, {x}11 AS c11, {x}12 AS c12
            FROM hourly_sums
            WHERE dimension = 'minute+model' AND hour IN (SELECT value FROM json_each(:minute_hours))
              AND hour + 60000 * substr(subject, 1, 2) >= :since
              AND hour + 60000 * substr(subject, 1, 2) < :minutes_end)
          WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (started_at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 ms < :least AS c0, ms >= :least << 0 AND ms < :least << 1 AS c1,
                 ms >= :least << 1 AND ms < :least << 2 AS c2, ms >= :least << 2 AND ms < :least << 3 AS c3,
                 ms >= :least << 3 AND ms < :least << 4 AS c4, ms >= :least << 4 AND ms < :least << 5 AS c5,
                 ms >= :least << 5 AND ms < :least << 6 AS c6, ms >= :least << 6 AND ms < :least << 7 AS c7,
                 ms >= :least << 7 AND ms < :least << 8 AS c8, ms >= :least << 8 AND ms < :least << 9 AS c9,
                 ms >= :least << 9 AND ms < :least << 10 AS c10, ms >= :least << 10 AND ms < :least << 11 AS c11,
                 ms >= :least << 11 AS c12
          FROM (
            SELECT started_at,
                   CASE :first WHEN 'user' THEN coalesce(user_id, '') WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS first,
                   CASE :second WHEN 'api_key' THEN coalesce(api_key_id, '')
                     WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                     WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                   AS second,
                   CASE :least WHEN 16 THEN first_byte_ms ELSE total_ms END AS ms
            FROM (
              SELECT calls.id AS id FROM json_each(:spans) AS span CROSS JOIN calls
              ON started_at >= json_extract(span.value, '$[0]') AND started_at < json_extract(span.value, '$[1]')
              UNION ALL
              SELECT value FROM json_each(:waiting)) AS singly
            CROSS JOIN calls ON calls.id = singly.id)
          WHERE ms IS NOT NULL AND (:only_first IS NULL OR first = :only_first)
            AND (:only_second IS NULL OR second = :only_second))
        GROUP BY bucket, one, other ORDER BY bucket, one, other
        """.replace("{x}", "f" if least == FIRST_BYTE_LEAST_MS else "t"),
        {**await terms(tx, asked), "least": least},
    )
    return tuple(Times(row[0], row[1], row[2], row[3:]) for row in rows)
