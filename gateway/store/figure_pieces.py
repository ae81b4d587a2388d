"""Of which days, hours, minutes and single calls the figures of a span are put together, so that none is missed.

Whole days and hours come out of their sums where these are up to date, everything else out of the calls themselves, so
that what is told is always exact.
"""

from __future__ import annotations

import json

import msgspec

from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS, TOTAL, Dimension
from gateway.store.database import Tx


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
    def is_whole(self) -> bool:
        """One piece of all subjects: rows of days are grouped as they are kept, which takes half the time."""
        return self.bucket_ms is None and not self.own_of

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


async def terms(tx: Tx, asked: Question) -> dict[str, object]:
    """The question as the parameters of a statement that answers it, with its pieces as JSON.

    `days`, `hours` and `minute_hours` (those told by the minute, up to `minutes_end`) are read from their sums; calls
    in `spans` (pairs of moments) and those named in `waiting` one by one. All times are Unix milliseconds.
    """
    told: dict[str, object] = {
        "since": asked.since,
        "until": asked.until,
        "first": asked.first,
        "second": asked.second,
        "dimensions": f"{asked.first}+{asked.second}" if asked.second else asked.first,
        "bucket_ms": asked.bucket_ms or max(1, asked.until - asked.since),
        "only_first": asked.only_first,
        "only_second": asked.only_second,
        "only_subject": None if asked.second else asked.only_first,
        "own": json.dumps(asked.own),
        "own_of": asked.own_of,
        "is_whole": asked.is_whole,
        "uses_days": asked.uses_days,
        "uses_hours": asked.uses_hours,
        "uses_minutes": asked.uses_minutes,
    }
    rows = await tx.execute_fetchall(
        """
        WITH whole_days AS MATERIALIZED (
          SELECT day FROM days
          WHERE :uses_days AND day >= :since AND day < :until
            AND (day + 86400000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < day + 86400000)))
            AND (is_closed OR summed = (SELECT sum(calls - waiting) FROM hours
                                        WHERE hour >= day AND hour < day + 86400000))),
        other_hours AS MATERIALIZED (
          SELECT hour, coalesce(is_closed, 0) AS is_closed,
                 coalesce(is_closed, 0) OR hours.summed = calls - waiting AS is_known
          FROM hours LEFT JOIN days ON day = hour / 86400000 * 86400000
          WHERE hour > :since - 3600000 AND hour < :until
            AND hour / 86400000 * 86400000 NOT IN (SELECT day FROM whole_days)),
        whole_hours AS MATERIALIZED (
          SELECT hour FROM other_hours
          WHERE is_known AND :uses_hours AND hour >= :since
            AND (hour + 3600000 <= :until OR (NOT is_closed AND NOT EXISTS (
                   SELECT 1 FROM calls WHERE started_at >= :until AND started_at < hour + 3600000)))
            AND (:second = '' OR hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'pairs'))),
        minute_hours AS MATERIALIZED (
          SELECT hour FROM other_hours
          WHERE is_known AND :uses_minutes AND NOT is_closed AND hour NOT IN (SELECT hour FROM whole_hours)
            AND hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'minutes')),
        minutes_end AS MATERIALIZED (
          SELECT CASE WHEN EXISTS (SELECT 1 FROM calls WHERE started_at >= :until
                                   AND started_at < (:until + 59999) / 60000 * 60000)
                      THEN :until / 60000 * 60000 ELSE :until END AS at),
        spans AS (
          SELECT max(hour, :since) AS since, min(hour + 3600000, :until) AS until FROM other_hours
          WHERE hour NOT IN (SELECT hour FROM whole_hours) AND hour NOT IN (SELECT hour FROM minute_hours)
          UNION ALL
          SELECT max(at, :since), :until FROM minutes_end JOIN minute_hours ON hour = at / 3600000 * 3600000
          WHERE at < :until),
        waiting AS (
          SELECT key AS id, value AS started_at FROM unsummed_calls CROSS JOIN json_each(began)
          WHERE value >= :since AND value < :until
            AND (value / 3600000 * 3600000 IN (SELECT hour FROM whole_hours)
                 OR value / 86400000 * 86400000 IN (SELECT day FROM whole_days)
                 OR (value / 3600000 * 3600000 IN (SELECT hour FROM minute_hours)
                     AND value < (SELECT at FROM minutes_end))))
        SELECT (SELECT json_group_array(day) FROM whole_days), (SELECT json_group_array(hour) FROM whole_hours),
               (SELECT json_group_array(hour) FROM minute_hours), (SELECT at FROM minutes_end),
               (SELECT json_group_array(json_array(since, until)) FROM spans),
               (SELECT json_group_array(id) FROM waiting)
        """,
        told,
    )
    pieces = ("days", "hours", "minute_hours", "minutes_end", "spans", "waiting")
    return told | dict(zip(pieces, *rows, strict=True))
