"""Figures of a span of time, for pages. Times are Unix milliseconds.

Whole days and hours come out of their sums where these are up to date, everything else out of the calls themselves, so
that what is told is always exact.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from operator import add
from typing import Any

import msgspec

from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS, TOTAL, Dimension, Sums
from gateway.store.database import Tx

OTHER = "*"
"""Stands for all subjects that are not told apart; no id and no model is called so."""


class Question(msgspec.Struct, frozen=True):
    """Of calls that began from `since` (inclusive) to `until` (exclusive), told apart by `first` and `second`.

    `first` is a dimension or TOTAL, `second` a later dimension or empty. `only_first` and `only_second` leave other
    subjects out. Time is cut into pieces of `bucket_ms` from `since` on; None is one piece. Subjects of `own_of`, first
    or second, that are not among `own` are one, OTHER.
    """

    since: int
    until: int
    first: str = TOTAL
    second: str = ""
    bucket_ms: int | None = None
    only_first: str | None = None
    only_second: str | None = None
    own: tuple[str, ...] = ()
    own_of: str = ""

    @property
    def uses_days(self) -> bool:
        """Days in UTC have sums by one and by two dimensions."""
        return self.bucket_ms is None or self.bucket_ms % DAY_MS == self.since % DAY_MS == 0

    @property
    def uses_hours(self) -> bool:
        """Hours have sums by one dimension, the latest by two as well where they have many calls."""
        return self.bucket_ms is None or self.bucket_ms % HOUR_MS == self.since % HOUR_MS == 0

    @property
    def uses_minutes(self) -> bool:
        """Minutes of the latest hours have sums by model."""
        fits = self.bucket_ms is None or self.bucket_ms % MINUTE_MS == 0
        return fits and self.since % MINUTE_MS == 0 and self.first in (TOTAL, Dimension.MODEL) and not self.second


class Group(msgspec.Struct, frozen=True, gc=False):
    """What the calls of one piece of time and one subject, or two, come to. A subject is '' where a call had none."""

    bucket: int
    first: str
    second: str
    sums: Sums


class Times(msgspec.Struct, frozen=True, gc=False):
    """A histogram of `gateway.model.histograms`, of one piece of time and one subject, or two."""

    bucket: int
    first: str
    second: str
    counts: tuple[int, ...]


async def sums(tx: Tx, asked: Question) -> tuple[Group, ...]:
    """By bucket, then subjects; what had no calls is left out."""
    async with tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT key AS id, value AS started_at FROM unsummed_calls CROSS JOIN json_each(began)),
        whole_days AS MATERIALIZED (
          SELECT day FROM days
          WHERE :uses_days AND day >= :since AND day < :until
            AND (day + 86400000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < day + 86400000)))
            AND (is_closed OR summed = (SELECT sum(calls - waiting) FROM hours
                                        WHERE hour >= day AND hour < day + 86400000))),
        known_hours AS MATERIALIZED (
          SELECT hour, coalesce(is_closed, 0) AS is_closed
          FROM hours LEFT JOIN days ON day = hour / 86400000 * 86400000
          WHERE hour > :since - 3600000 AND hour < :until
            AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM whole_days)
            AND (coalesce(is_closed, 0) OR hours.summed = calls - waiting)),
        whole_hours AS MATERIALIZED (
          SELECT hour FROM known_hours
          WHERE :uses_hours AND hour >= :since
            AND (hour + 3600000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < hour + 3600000)))
            AND (:second = '' OR hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'pairs'))),
        minute_hours AS MATERIALIZED (
          SELECT hour FROM known_hours
          WHERE :uses_minutes AND NOT is_closed AND hour NOT IN (SELECT hour FROM whole_hours)
            AND hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'minutes')),
        minutes_end AS MATERIALIZED (
          SELECT CASE WHEN EXISTS (SELECT 1 FROM calls WHERE started_at >= :until
                                   AND started_at < (:until + 59999) / 60000 * 60000)
                      THEN :until / 60000 * 60000 ELSE :until END AS at),
        spans AS MATERIALIZED (
          SELECT max(hour, :since) AS since, min(hour + 3600000, :until) AS until FROM hours
          WHERE hour > :since - 3600000 AND hour < :until AND hour NOT IN (SELECT hour FROM whole_hours)
            AND hour NOT IN (SELECT hour FROM minute_hours)
            AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM whole_days)
          UNION ALL
          SELECT max(at, :since), :until FROM minutes_end JOIN minute_hours ON hour = at / 3600000 * 3600000
          WHERE at < :until),
        singly AS (
          SELECT calls.id AS id FROM spans CROSS JOIN calls ON started_at >= spans.since AND started_at < spans.until
          UNION ALL
          SELECT id FROM waiting
          WHERE started_at >= :since AND started_at < :until
            AND (started_at / 3600000 * 3600000 IN (SELECT hour FROM whole_hours)
                 OR started_at / 86400000 * 86400000 IN (SELECT day FROM whole_days)
                 OR (started_at / 3600000 * 3600000 IN (SELECT hour FROM minute_hours)
                     AND started_at < (SELECT at FROM minutes_end))))
        SELECT (day - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced), sum(input_tokens),
               sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens), sum(reasoning_tokens),
               sum(cost_nano), sum(actual_nano)
        FROM daily_sums
        WHERE dimensions = :dimensions AND day IN (SELECT day FROM whole_days)
          AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
          AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT (at - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               sum(requests), sum(failed), sum(cancelled), sum(denied), sum(unpriced), sum(input_tokens),
               sum(output_tokens), sum(cache_read_tokens), sum(cache_creation_tokens), sum(reasoning_tokens),
               sum(cost_nano), sum(actual_nano)
        FROM (
          SELECT hour AS at,
                 CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                 CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                 requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                 cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
          FROM hourly_sums WHERE dimension = :dimensions AND hour IN (SELECT hour FROM whole_hours)
          UNION ALL
          SELECT hour + 60000 * substr(subject, 1, 2), CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                 requests, failed, cancelled, denied, unpriced, input_tokens, output_tokens, cache_read_tokens,
                 cache_creation_tokens, reasoning_tokens, cost_nano, actual_nano
          FROM hourly_sums
          WHERE dimension = 'minute+model' AND hour IN (SELECT hour FROM minute_hours)
            AND hour + 60000 * substr(subject, 1, 2) >= :since
            AND hour + 60000 * substr(subject, 1, 2) < (SELECT at FROM minutes_end))
        WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT (started_at - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               count(*), sum(status IN ('failed', 'crashed')), sum(status = 'cancelled'),
               sum(status = 'failed' AND attempt_count = 0 AND code BETWEEN 400 AND 499),
               sum(cost_nano IS NULL AND usage_source <> 'none'), sum(input_tokens), sum(output_tokens),
               sum(cache_read_tokens), sum(cache_creation_tokens + cache_creation_1h_tokens), sum(reasoning_tokens),
               coalesce(sum(cost_nano), 0), coalesce(sum(actual_nano), 0)
        FROM (
          SELECT CASE :first WHEN 'user' THEN coalesce(user_id, '') WHEN 'api_key' THEN coalesce(api_key_id, '')
                   WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                   WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                 AS first,
                 CASE :second WHEN 'api_key' THEN coalesce(api_key_id, '')
                   WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                   WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                 AS second, calls.*
          FROM singly CROSS JOIN calls ON calls.id = singly.id)
        WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        """,
        _parameters(asked),
    ) as rows:
        found = _merged(await rows.fetchall())
    return tuple(Group(*place, Sums(*figures)) for place, figures in found)


async def first_byte_times(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls waited for their first byte, by bucket, then subjects."""
    return await _times(tx, asked, FIRST_BYTE_LEAST_MS)


async def total_times(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls took in all, by bucket, then subjects."""
    return await _times(tx, asked, TOTAL_LEAST_MS)


async def _times(tx: Tx, asked: Question, least: int) -> tuple[Times, ...]:
    async with tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT key AS id, value AS started_at FROM unsummed_calls CROSS JOIN json_each(began)),
        whole_days AS MATERIALIZED (
          SELECT day FROM days
          WHERE :uses_days AND day >= :since AND day < :until
            AND (day + 86400000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < day + 86400000)))
            AND (is_closed OR summed = (SELECT sum(calls - waiting) FROM hours
                                        WHERE hour >= day AND hour < day + 86400000))),
        known_hours AS MATERIALIZED (
          SELECT hour, coalesce(is_closed, 0) AS is_closed
          FROM hours LEFT JOIN days ON day = hour / 86400000 * 86400000
          WHERE hour > :since - 3600000 AND hour < :until
            AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM whole_days)
            AND (coalesce(is_closed, 0) OR hours.summed = calls - waiting)),
        whole_hours AS MATERIALIZED (
          SELECT hour FROM known_hours
          WHERE :uses_hours AND hour >= :since
            AND (hour + 3600000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < hour + 3600000)))
            AND (:second = '' OR hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'pairs'))),
        minute_hours AS MATERIALIZED (
          SELECT hour FROM known_hours
          WHERE :uses_minutes AND NOT is_closed AND hour NOT IN (SELECT hour FROM whole_hours)
            AND hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'minutes')),
        minutes_end AS MATERIALIZED (
          SELECT CASE WHEN EXISTS (SELECT 1 FROM calls WHERE started_at >= :until
                                   AND started_at < (:until + 59999) / 60000 * 60000)
                      THEN :until / 60000 * 60000 ELSE :until END AS at),
        spans AS MATERIALIZED (
          SELECT max(hour, :since) AS since, min(hour + 3600000, :until) AS until FROM hours
          WHERE hour > :since - 3600000 AND hour < :until AND hour NOT IN (SELECT hour FROM whole_hours)
            AND hour NOT IN (SELECT hour FROM minute_hours)
            AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM whole_days)
          UNION ALL
          SELECT max(at, :since), :until FROM minutes_end JOIN minute_hours ON hour = at / 3600000 * 3600000
          WHERE at < :until),
        singly AS (
          SELECT calls.id AS id FROM spans CROSS JOIN calls ON started_at >= spans.since AND started_at < spans.until
          UNION ALL
          SELECT id FROM waiting
          WHERE started_at >= :since AND started_at < :until
            AND (started_at / 3600000 * 3600000 IN (SELECT hour FROM whole_hours)
                 OR started_at / 86400000 * 86400000 IN (SELECT day FROM whole_days)
                 OR (started_at / 3600000 * 3600000 IN (SELECT hour FROM minute_hours)
                     AND started_at < (SELECT at FROM minutes_end))))
        SELECT (day - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               sum(CASE :least WHEN 16 THEN f0 ELSE t0 END), sum(CASE :least WHEN 16 THEN f1 ELSE t1 END),
               sum(CASE :least WHEN 16 THEN f2 ELSE t2 END), sum(CASE :least WHEN 16 THEN f3 ELSE t3 END),
               sum(CASE :least WHEN 16 THEN f4 ELSE t4 END), sum(CASE :least WHEN 16 THEN f5 ELSE t5 END),
               sum(CASE :least WHEN 16 THEN f6 ELSE t6 END), sum(CASE :least WHEN 16 THEN f7 ELSE t7 END),
               sum(CASE :least WHEN 16 THEN f8 ELSE t8 END), sum(CASE :least WHEN 16 THEN f9 ELSE t9 END),
               sum(CASE :least WHEN 16 THEN f10 ELSE t10 END), sum(CASE :least WHEN 16 THEN f11 ELSE t11 END),
               sum(CASE :least WHEN 16 THEN f12 ELSE t12 END)
        FROM daily_sums
        WHERE dimensions = :dimensions AND day IN (SELECT day FROM whole_days)
          AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
          AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT (at - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               sum(CASE :least WHEN 16 THEN f0 ELSE t0 END), sum(CASE :least WHEN 16 THEN f1 ELSE t1 END),
               sum(CASE :least WHEN 16 THEN f2 ELSE t2 END), sum(CASE :least WHEN 16 THEN f3 ELSE t3 END),
               sum(CASE :least WHEN 16 THEN f4 ELSE t4 END), sum(CASE :least WHEN 16 THEN f5 ELSE t5 END),
               sum(CASE :least WHEN 16 THEN f6 ELSE t6 END), sum(CASE :least WHEN 16 THEN f7 ELSE t7 END),
               sum(CASE :least WHEN 16 THEN f8 ELSE t8 END), sum(CASE :least WHEN 16 THEN f9 ELSE t9 END),
               sum(CASE :least WHEN 16 THEN f10 ELSE t10 END), sum(CASE :least WHEN 16 THEN f11 ELSE t11 END),
               sum(CASE :least WHEN 16 THEN f12 ELSE t12 END)
        FROM (
          SELECT hour AS at,
                 CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                 CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                 f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10,
                 t11, t12
          FROM hourly_sums WHERE dimension = :dimensions AND hour IN (SELECT hour FROM whole_hours)
          UNION ALL
          SELECT hour + 60000 * substr(subject, 1, 2), CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                 f0, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10,
                 t11, t12
          FROM hourly_sums
          WHERE dimension = 'minute+model' AND hour IN (SELECT hour FROM minute_hours)
            AND hour + 60000 * substr(subject, 1, 2) >= :since
            AND hour + 60000 * substr(subject, 1, 2) < (SELECT at FROM minutes_end))
        WHERE (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        UNION ALL
        SELECT (started_at - :since) / :bucket_ms AS bucket,
               CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END
               AS one,
               CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own)) THEN second ELSE '*' END
               AS other,
               sum(ms < :least), sum(ms >= :least AND ms < :least << 1), sum(ms >= :least << 1 AND ms < :least << 2),
               sum(ms >= :least << 2 AND ms < :least << 3), sum(ms >= :least << 3 AND ms < :least << 4),
               sum(ms >= :least << 4 AND ms < :least << 5), sum(ms >= :least << 5 AND ms < :least << 6),
               sum(ms >= :least << 6 AND ms < :least << 7), sum(ms >= :least << 7 AND ms < :least << 8),
               sum(ms >= :least << 8 AND ms < :least << 9), sum(ms >= :least << 9 AND ms < :least << 10),
               sum(ms >= :least << 10 AND ms < :least << 11),
               sum(ms >= :least << 11)
        FROM (
          SELECT started_at, CASE :least WHEN 16 THEN first_byte_ms ELSE total_ms END AS ms,
                 CASE :first WHEN 'user' THEN coalesce(user_id, '') WHEN 'api_key' THEN coalesce(api_key_id, '')
                   WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                   WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                 AS first,
                 CASE :second WHEN 'api_key' THEN coalesce(api_key_id, '')
                   WHEN 'model' THEN served_model WHEN 'provider' THEN coalesce(provider_id, '')
                   WHEN 'provider_key' THEN coalesce(substr(backend_id, instr(backend_id, ':') + 1), '') ELSE '' END
                 AS second
          FROM singly CROSS JOIN calls ON calls.id = singly.id)
        WHERE ms IS NOT NULL
          AND (:only_first IS NULL OR first = :only_first) AND (:only_second IS NULL OR second = :only_second)
        GROUP BY 1, 2, 3
        """,
        {**_parameters(asked), "least": least},
    ) as rows:
        found = _merged(await rows.fetchall())
    return tuple(Times(*place, figures) for place, figures in found)


def _merged(rows: Iterable[Sequence[Any]]) -> list[tuple[tuple[int, str, str], tuple[int, ...]]]:
    """One for each bucket and subjects, in their order: days, hours and calls each have a row of their own."""
    found: dict[tuple[int, str, str], tuple[int, ...]] = {}
    for bucket, one, other, *figures in rows:
        place = (bucket, one, other)
        there = found.get(place)
        found[place] = tuple(figures) if there is None else tuple(map(add, there, figures))
    return sorted(found.items())


def _parameters(asked: Question) -> dict[str, object]:
    return {
        "since": asked.since,
        "until": asked.until,
        "first": asked.first,
        "second": asked.second,
        "dimensions": f"{asked.first}+{asked.second}" if asked.second else asked.first,
        "bucket_ms": asked.bucket_ms or max(1, asked.until - asked.since),
        "only_first": asked.only_first,
        "only_second": asked.only_second,
        "own": json.dumps(asked.own),
        "own_of": asked.own_of,
        "uses_days": asked.uses_days,
        "uses_hours": asked.uses_hours,
        "uses_minutes": asked.uses_minutes,
    }
