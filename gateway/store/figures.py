"""Figures of a span of time, for pages. Times are Unix milliseconds.

Which sums and which calls a span is put together of is told by figure_pieces.py. Rows of days, the most by far where
there are two dimensions, are added up before those of hours and calls: all at once take a third longer.
"""

from __future__ import annotations

import json
from collections.abc import Collection

import msgspec

from gateway.model.sums import Sums
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question, terms

OTHER = "*"
"""Stands for all subjects that are not told apart; no id and no model is called so."""


class Group(msgspec.Struct, frozen=True, gc=False):
    """What the calls of one piece of time and one subject, or two, come to. A subject is '' where a call had none."""

    bucket: int
    first: str
    second: str
    sums: Sums

    @property
    def pair(self) -> tuple[str, str]:
        return self.first, self.second


class Amount(msgspec.Struct, frozen=True, gc=False):
    """One figure of one piece of time and one subject, or two, and of how many requests."""

    bucket: int
    first: str
    second: str
    amount: int
    requests: int

    @property
    def pair(self) -> tuple[str, str]:
        return self.first, self.second


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
            FROM hourly_sums
            WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
              AND subject >= coalesce(:only_subject, '') AND subject <= coalesce(:only_subject, x'')
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

    It is picked in each part: picked once of them all, it takes a quarter longer.
    """
    rows = await tx.execute_fetchall(
        """
        SELECT bucket, one, other, sum(figure), sum(requests)
        FROM (
          SELECT 0 AS bucket, first AS one, second AS other, sum(requests) AS figure, sum(requests) AS requests
          FROM daily_sums
          WHERE dimensions = :dimensions
            AND day IN (SELECT value FROM json_each(iif(:is_whole AND :figure = 'requests', :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT 0, first, second, sum(cost_nano), sum(requests)
          FROM daily_sums
          WHERE dimensions = :dimensions
            AND day IN (SELECT value FROM json_each(iif(:is_whole AND :figure = 'cost', :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT 0, first, second,
                 sum(input_tokens + cache_read_tokens + cache_creation_tokens + output_tokens), sum(requests)
          FROM daily_sums
          WHERE dimensions = :dimensions
            AND day IN (SELECT value FROM json_each(iif(:is_whole AND :figure = 'tokens', :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT (day - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 CASE :figure WHEN 'requests' THEN requests WHEN 'failed' THEN failed WHEN 'denied' THEN denied
                   WHEN 'cancelled' THEN cancelled WHEN 'unpriced' THEN unpriced WHEN 'cost' THEN cost_nano
                   WHEN 'actual' THEN actual_nano WHEN 'output' THEN output_tokens
                   WHEN 'input' THEN input_tokens + cache_read_tokens + cache_creation_tokens
                   ELSE input_tokens + cache_read_tokens + cache_creation_tokens + output_tokens END, requests
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (
              SELECT value FROM json_each(iif(:is_whole AND :figure IN ('requests', 'cost', 'tokens'), NULL, :days)))
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
                   CASE :figure WHEN 'requests' THEN requests WHEN 'failed' THEN failed WHEN 'denied' THEN denied
                     WHEN 'cancelled' THEN cancelled WHEN 'unpriced' THEN unpriced WHEN 'cost' THEN cost_nano
                     WHEN 'actual' THEN actual_nano WHEN 'output' THEN output_tokens
                     WHEN 'input' THEN input_tokens + cache_read_tokens + cache_creation_tokens
                     ELSE input_tokens + cache_read_tokens + cache_creation_tokens + output_tokens END AS figure,
                   requests
            FROM hourly_sums
            WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
              AND subject >= coalesce(:only_subject, '') AND subject <= coalesce(:only_subject, x'')
            UNION ALL
            SELECT hour + 60000 * substr(subject, 1, 2),
                   CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                   CASE :figure WHEN 'requests' THEN requests WHEN 'failed' THEN failed WHEN 'denied' THEN denied
                     WHEN 'cancelled' THEN cancelled WHEN 'unpriced' THEN unpriced WHEN 'cost' THEN cost_nano
                     WHEN 'actual' THEN actual_nano WHEN 'output' THEN output_tokens
                     WHEN 'input' THEN input_tokens + cache_read_tokens + cache_creation_tokens
                     ELSE input_tokens + cache_read_tokens + cache_creation_tokens + output_tokens END AS figure,
                   requests
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
                 CASE :figure WHEN 'requests' THEN requests WHEN 'failed' THEN failed WHEN 'denied' THEN denied
                   WHEN 'cancelled' THEN cancelled WHEN 'unpriced' THEN unpriced WHEN 'cost' THEN cost_nano
                   WHEN 'actual' THEN actual_nano WHEN 'output' THEN output_tokens
                   WHEN 'input' THEN input_tokens + cache_read_tokens + cache_creation_tokens
                   ELSE input_tokens + cache_read_tokens + cache_creation_tokens + output_tokens END, requests
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
        """,
        {**await terms(tx, asked), "figure": figure},
    )
    return tuple(Amount(*row) for row in rows)
