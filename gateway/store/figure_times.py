"""How long calls of a span took, as histograms. Times are Unix milliseconds.

Which sums and which calls a span is put together of is told by figure_pieces.py.
"""

from __future__ import annotations

import msgspec

from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question, terms


class Times(msgspec.Struct, frozen=True, gc=False):
    """A histogram of `gateway.model.histograms`, of one piece of time and one subject, or two.

    `requests` are all of them; some may have no time.
    """

    bucket: int
    first: str
    second: str
    counts: tuple[int, ...]
    requests: int

    @property
    def pair(self) -> tuple[str, str]:
        return self.first, self.second


async def of_first_bytes(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls waited for their first byte, by bucket, then subjects."""
    return await _histograms(tx, asked, FIRST_BYTE_LEAST_MS)


async def of_all(tx: Tx, asked: Question) -> tuple[Times, ...]:
    """How long calls took in all, by bucket, then subjects."""
    return await _histograms(tx, asked, TOTAL_LEAST_MS)


async def _histograms(tx: Tx, asked: Question, least: int) -> tuple[Times, ...]:
    rows = await tx.execute_fetchall(
        """
        SELECT bucket, one, other, sum(requests), sum(c0), sum(c1), sum(c2), sum(c3), sum(c4), sum(c5), sum(c6),
               sum(c7), sum(c8), sum(c9), sum(c10), sum(c11), sum(c12)
        FROM (
          SELECT 0 AS bucket, first AS one, second AS other, sum(requests) AS requests,
                 sum(f0) AS c0, sum(f1) AS c1, sum(f2) AS c2, sum(f3) AS c3, sum(f4) AS c4, sum(f5) AS c5,
                 sum(f6) AS c6, sum(f7) AS c7, sum(f8) AS c8, sum(f9) AS c9, sum(f10) AS c10, sum(f11) AS c11,
                 sum(f12) AS c12
          FROM daily_sums
          WHERE dimensions = :dimensions
            AND day IN (SELECT value FROM json_each(iif(:is_whole AND :least = 16, :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT 0, first, second, sum(requests),
                 sum(t0), sum(t1), sum(t2), sum(t3), sum(t4), sum(t5), sum(t6), sum(t7), sum(t8),
                 sum(t9), sum(t10), sum(t11), sum(t12)
          FROM daily_sums
          WHERE dimensions = :dimensions
            AND day IN (SELECT value FROM json_each(iif(:is_whole AND :least = 64, :days, NULL)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          GROUP BY first, second
          UNION ALL
          SELECT (day - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 requests, CASE :least WHEN 16 THEN f0 ELSE t0 END, CASE :least WHEN 16 THEN f1 ELSE t1 END,
                 CASE :least WHEN 16 THEN f2 ELSE t2 END, CASE :least WHEN 16 THEN f3 ELSE t3 END,
                 CASE :least WHEN 16 THEN f4 ELSE t4 END, CASE :least WHEN 16 THEN f5 ELSE t5 END,
                 CASE :least WHEN 16 THEN f6 ELSE t6 END, CASE :least WHEN 16 THEN f7 ELSE t7 END,
                 CASE :least WHEN 16 THEN f8 ELSE t8 END, CASE :least WHEN 16 THEN f9 ELSE t9 END,
                 CASE :least WHEN 16 THEN f10 ELSE t10 END, CASE :least WHEN 16 THEN f11 ELSE t11 END,
                 CASE :least WHEN 16 THEN f12 ELSE t12 END
          FROM daily_sums
          WHERE dimensions = :dimensions AND day IN (SELECT value FROM json_each(iif(:is_whole, NULL, :days)))
            AND first >= coalesce(:only_first, '') AND first <= coalesce(:only_first, x'')
            AND (:only_second IS NULL OR second = :only_second)
          UNION ALL
          SELECT (at - :since) / :bucket_ms,
                 CASE WHEN :own_of <> 'first' OR first IN (SELECT value FROM json_each(:own)) THEN first ELSE '*' END,
                 CASE WHEN :own_of <> 'second' OR second IN (SELECT value FROM json_each(:own))
                   THEN second ELSE '*' END,
                 requests, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12
          FROM (
            SELECT hour AS at,
                   CASE :second WHEN '' THEN subject ELSE substr(subject, 1, instr(subject, char(31)) - 1) END AS first,
                   CASE :second WHEN '' THEN '' ELSE substr(subject, instr(subject, char(31)) + 1) END AS second,
                   requests, CASE :least WHEN 16 THEN f0 ELSE t0 END AS c0,
                   CASE :least WHEN 16 THEN f1 ELSE t1 END AS c1, CASE :least WHEN 16 THEN f2 ELSE t2 END AS c2,
                   CASE :least WHEN 16 THEN f3 ELSE t3 END AS c3, CASE :least WHEN 16 THEN f4 ELSE t4 END AS c4,
                   CASE :least WHEN 16 THEN f5 ELSE t5 END AS c5, CASE :least WHEN 16 THEN f6 ELSE t6 END AS c6,
                   CASE :least WHEN 16 THEN f7 ELSE t7 END AS c7, CASE :least WHEN 16 THEN f8 ELSE t8 END AS c8,
                   CASE :least WHEN 16 THEN f9 ELSE t9 END AS c9, CASE :least WHEN 16 THEN f10 ELSE t10 END AS c10,
                   CASE :least WHEN 16 THEN f11 ELSE t11 END AS c11, CASE :least WHEN 16 THEN f12 ELSE t12 END AS c12
            FROM hourly_sums
            WHERE dimension = :dimensions AND hour IN (SELECT value FROM json_each(:hours))
              AND subject >= coalesce(:only_subject, '') AND subject <= coalesce(:only_subject, x'')
            UNION ALL
            SELECT hour + 60000 * substr(subject, 1, 2),
                   CASE :first WHEN 'model' THEN substr(subject, 4) ELSE '' END, '',
                   requests, CASE :least WHEN 16 THEN f0 ELSE t0 END AS c0,
                   CASE :least WHEN 16 THEN f1 ELSE t1 END AS c1, CASE :least WHEN 16 THEN f2 ELSE t2 END AS c2,
                   CASE :least WHEN 16 THEN f3 ELSE t3 END AS c3, CASE :least WHEN 16 THEN f4 ELSE t4 END AS c4,
                   CASE :least WHEN 16 THEN f5 ELSE t5 END AS c5, CASE :least WHEN 16 THEN f6 ELSE t6 END AS c6,
                   CASE :least WHEN 16 THEN f7 ELSE t7 END AS c7, CASE :least WHEN 16 THEN f8 ELSE t8 END AS c8,
                   CASE :least WHEN 16 THEN f9 ELSE t9 END AS c9, CASE :least WHEN 16 THEN f10 ELSE t10 END AS c10,
                   CASE :least WHEN 16 THEN f11 ELSE t11 END AS c11, CASE :least WHEN 16 THEN f12 ELSE t12 END AS c12
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
                 1 AS requests, ms >= 0 AND ms < :least AS c0, ms >= :least << 0 AND ms < :least << 1 AS c1,
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
                   coalesce(CASE :least WHEN 16 THEN first_byte_ms ELSE total_ms END, -1) AS ms
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
        {**await terms(tx, asked), "least": least},
    )
    return tuple(Times(row[0], row[1], row[2], row[4:], row[3]) for row in rows)
