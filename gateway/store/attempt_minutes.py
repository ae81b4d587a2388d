"""How attempts at providers went, minute by minute: of the latest hours from what is kept of them."""

from __future__ import annotations

import msgspec

from gateway.store.database import Tx


class ProviderMinute(msgspec.Struct, frozen=True):
    """Attempts at one provider in one minute, counted from the start of the span."""

    provider: str
    minute: int
    ok: int
    failed: int
    limited: int


async def by_provider(tx: Tx, since: int, until: int) -> tuple[ProviderMinute, ...]:
    """Attempts that began between, of calls that began in these hours. `since` is the beginning of a minute.

    The client's own faults and clients that left say nothing about a provider and are not counted.
    """
    async with tx.execute(
        """
        WITH waiting AS MATERIALIZED (
          SELECT key AS id, value AS started_at FROM unsummed_calls CROSS JOIN json_each(began)),
        minute_hours AS MATERIALIZED (
          SELECT hour FROM hours LEFT JOIN days ON day = hour / 86400000 * 86400000
          WHERE hour > :since - 3600000 AND hour < :until AND coalesce(is_closed, 0) = 0
            AND hours.summed = calls - waiting
            AND hour IN (SELECT hour FROM hourly_sums WHERE dimension = 'minutes')),
        spans AS MATERIALIZED (
          SELECT hour FROM hours
          WHERE hour > :since - 3600000 AND hour < :until AND hour NOT IN (SELECT hour FROM minute_hours)),
        singly AS (
          SELECT calls.id AS id FROM spans CROSS JOIN calls ON started_at >= hour AND started_at < hour + 3600000
          UNION ALL
          SELECT id FROM waiting WHERE started_at / 3600000 * 3600000 IN (SELECT hour FROM minute_hours)),
        parts AS (
          SELECT provider, minute AS at, ok, failed, limited
          FROM attempt_minutes WHERE hour IN (SELECT hour FROM minute_hours)
          UNION ALL
          SELECT substr(attempts.backend, 1, instr(attempts.backend, '/') - 1),
                 calls.started_at + attempts.started_ms,
                 attempts.outcome = 'ok', attempts.outcome NOT IN ('ok', 'rate_limited'),
                 attempts.outcome = 'rate_limited'
          FROM singly CROSS JOIN calls ON calls.id = singly.id CROSS JOIN attempts ON attempts.call_id = calls.id
          WHERE attempts.outcome NOT IN ('client_fault', 'not_served', 'abandoned'))
        SELECT provider, (at - :since) / 60000 AS minute, sum(ok), sum(failed), sum(limited)
        FROM parts WHERE at >= :since AND at < (:until + 59999) / 60000 * 60000
        GROUP BY provider, minute ORDER BY provider, minute
        """,
        {"since": since, "until": until},
    ) as rows:
        return tuple(ProviderMinute(*row) for row in await rows.fetchall())
