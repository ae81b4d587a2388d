"""Rows of `usage_reports`, and sums of a model's use over them and the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from gateway.model.checks import UsageReport
from gateway.store.database import Tx


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Use of one model from one source: `API` and `TEST` are our ledger's, others were reported to us.

    `model` is its code. `unpriced` requests used tokens whose cost is not known; `cost_nano` is of the others.
    """

    model: str
    source: str
    is_reported: bool
    requests: int
    successes: int
    input_tokens: int
    output_tokens: int
    cost_nano: int
    unpriced: int


async def insert_many(tx: Tx, reports: Sequence[UsageReport]) -> None:
    await tx.executemany(
        """
        INSERT INTO usage_reports (
          id, model_id, at, source, request_count, success_count, input_tokens, output_tokens, cost_nano,
          reported_at, actor)
        VALUES (
          :id, :model_id, :at, :source, :request_count, :success_count, :input_tokens, :output_tokens,
          :cost_nano, :reported_at, :actor)
        """,
        [asdict(report) for report in reports],
    )


async def sums(tx: Tx, since: int, until: int) -> tuple[UsageSum, ...]:
    """Per model and source, from `since` (inclusive) to `until` (exclusive); the ledger's before reported ones."""
    async with tx.execute(
        """
        SELECT served_model AS model, source, 0 AS is_reported, count(*), sum(status = 'completed'),
               sum(input_tokens + cache_read_tokens + cache_creation_tokens), sum(output_tokens),
               coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL AND usage_source <> 'none')
        FROM calls WHERE started_at >= :since AND started_at < :until AND served_model <> ''
        GROUP BY served_model, source
        UNION ALL
        SELECT models.code, usage_reports.source, 1, sum(request_count), sum(success_count),
               sum(input_tokens), sum(output_tokens), coalesce(sum(cost_nano), 0),
               coalesce(sum(request_count) FILTER (WHERE cost_nano IS NULL), 0)
        FROM usage_reports JOIN models ON models.id = usage_reports.model_id
        WHERE at >= :since AND at < :until
        GROUP BY models.code, usage_reports.source
        ORDER BY model, is_reported, source
        """,
        {"since": since, "until": until},
    ) as rows:
        return tuple(UsageSum(row[0], row[1], bool(row[2]), *row[3:]) for row in await rows.fetchall())
