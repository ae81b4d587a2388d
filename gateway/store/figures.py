"""Sums over the ledger for a span of time, for pages that show figures. Times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.database import Tx

FIRST_BYTE_BOUNDS_MS = tuple(16 << step for step in range(12))
"""Upper ends of the first twelve of thirteen buckets: below 16 ms, below 32 ms, … and 32 768 ms or more."""


@dataclass(frozen=True, slots=True)
class Totals:
    """`errors` are failed calls, not those whose client left. `unpriced` used tokens that have no price."""

    requests: int
    errors: int
    cancelled: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_creation_tokens: int
    cost_nano: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class Slice:
    """One model in one bucket of time. `model` is empty for calls that were refused before one was found."""

    bucket: int
    model: str
    requests: int
    errors: int
    tokens: int
    cost_nano: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class ProviderMinute:
    """Attempts at one provider in one minute, counted from the start of the span."""

    provider: str
    minute: int
    ok: int
    failed: int
    limited: int


async def totals(tx: Tx, since: int, until: int) -> Totals:
    """Of the calls started in `since` (inclusive) to `until` (exclusive)."""
    async with tx.execute(
        """
        SELECT count(*), coalesce(sum(status = 'failed'), 0), coalesce(sum(status = 'cancelled'), 0),
               coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
               coalesce(sum(cache_read_tokens), 0), coalesce(sum(cache_creation_tokens), 0),
               coalesce(sum(cost_nano), 0), coalesce(sum(cost_nano IS NULL AND usage_source <> 'none'), 0)
        FROM calls WHERE started_at >= :since AND started_at < :until
        """,
        {"since": since, "until": until},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return Totals(*row)


async def series(tx: Tx, since: int, until: int, bucket_ms: int) -> tuple[Slice, ...]:
    """Per bucket of `bucket_ms`, counted from `since`, and per served model; empty slices are left out."""
    async with tx.execute(
        """
        SELECT (started_at - :since) / :bucket_ms AS bucket, served_model, count(*), sum(status = 'failed'),
               sum(input_tokens + output_tokens + cache_read_tokens + cache_creation_tokens),
               coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL AND usage_source <> 'none')
        FROM calls WHERE started_at >= :since AND started_at < :until
        GROUP BY bucket, served_model ORDER BY bucket, served_model
        """,
        {"since": since, "until": until, "bucket_ms": bucket_ms},
    ) as rows:
        return tuple(Slice(*row) for row in await rows.fetchall())


async def provider_minutes(tx: Tx, since: int, until: int) -> tuple[ProviderMinute, ...]:
    """Attempts of the calls started in the span.

    The client's own faults and clients that left say nothing about a provider and are not counted.
    """
    async with tx.execute(
        """
        SELECT substr(attempts.backend, 1, instr(attempts.backend, '/') - 1) AS provider,
               (calls.started_at + attempts.started_ms - :since) / 60000 AS minute,
               sum(attempts.outcome = 'ok'),
               sum(attempts.outcome NOT IN ('ok', 'rate_limited')),
               sum(attempts.outcome = 'rate_limited')
        FROM calls JOIN attempts ON attempts.call_id = calls.id
        WHERE calls.started_at >= :since AND calls.started_at < :until
          AND attempts.outcome NOT IN ('client_fault', 'not_served', 'abandoned')
        GROUP BY provider, minute ORDER BY provider, minute
        """,
        {"since": since, "until": until},
    ) as rows:
        return tuple(ProviderMinute(*row) for row in await rows.fetchall())


async def first_byte_histogram(tx: Tx, since: int, until: int) -> tuple[int, ...]:
    """How many calls had their first byte in each of the thirteen buckets of FIRST_BYTE_BOUNDS_MS."""
    async with tx.execute(
        """
        SELECT coalesce(sum(first_byte_ms < 16), 0),
               coalesce(sum(first_byte_ms >= 16 AND first_byte_ms < 32), 0),
               coalesce(sum(first_byte_ms >= 32 AND first_byte_ms < 64), 0),
               coalesce(sum(first_byte_ms >= 64 AND first_byte_ms < 128), 0),
               coalesce(sum(first_byte_ms >= 128 AND first_byte_ms < 256), 0),
               coalesce(sum(first_byte_ms >= 256 AND first_byte_ms < 512), 0),
               coalesce(sum(first_byte_ms >= 512 AND first_byte_ms < 1024), 0),
               coalesce(sum(first_byte_ms >= 1024 AND first_byte_ms < 2048), 0),
               coalesce(sum(first_byte_ms >= 2048 AND first_byte_ms < 4096), 0),
               coalesce(sum(first_byte_ms >= 4096 AND first_byte_ms < 8192), 0),
               coalesce(sum(first_byte_ms >= 8192 AND first_byte_ms < 16384), 0),
               coalesce(sum(first_byte_ms >= 16384 AND first_byte_ms < 32768), 0),
               coalesce(sum(first_byte_ms >= 32768), 0)
        FROM calls WHERE started_at >= :since AND started_at < :until AND first_byte_ms IS NOT NULL
        """,
        {"since": since, "until": until},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return tuple(row)
