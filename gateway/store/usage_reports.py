"""Rows of `usage_reports`, and sums of a model's use over them and the ledger."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import asdict

from gateway.model.calls import CallSource
from gateway.model.checks import UsageReport
from gateway.model.sums import Dimension, Sums
from gateway.store import figures
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question


class UsageSum(msgspec.Struct, frozen=True):
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
    tests = await _of_tests(tx, since, until)
    found = [*tests.values(), *await _reported(tx, since, until)]
    for group in await figures.sums(tx, Question(since, until, Dimension.MODEL)):
        own = _without(group.first, group.sums, tests.get(group.first))
        if group.first and own.requests:
            found.append(own)
    return tuple(sorted(found, key=lambda one: (one.model, one.is_reported, one.source)))


def _without(model: str, every: Sums, tests: UsageSum | None) -> UsageSum:
    """What clients used of a model: all of it but the tests."""
    less = tests or UsageSum(model, CallSource.TEST, False, 0, 0, 0, 0, 0, 0)  # noqa: FBT003
    return UsageSum(
        model=model,
        source=CallSource.API,
        is_reported=False,
        requests=every.requests - less.requests,
        successes=every.requests - every.failed - every.cancelled - less.successes,
        input_tokens=every.read_tokens - less.input_tokens,
        output_tokens=every.output_tokens - less.output_tokens,
        cost_nano=every.cost_nano - less.cost_nano,
        unpriced=every.unpriced - less.unpriced,
    )


async def _of_tests(tx: Tx, since: int, until: int) -> dict[str, UsageSum]:
    """By model. There are few, and an index of their own."""
    async with tx.execute(
        """
        SELECT served_model, source, count(*), sum(status = 'completed'),
               sum(input_tokens + cache_read_tokens + cache_creation_tokens + cache_creation_1h_tokens),
               sum(output_tokens), coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL AND usage_source <> 'none')
        FROM calls WHERE source = 'TEST' AND started_at >= :since AND started_at < :until AND served_model <> ''
        GROUP BY served_model
        """,
        {"since": since, "until": until},
    ) as rows:
        return {row[0]: UsageSum(row[0], row[1], False, *row[2:]) for row in await rows.fetchall()}  # noqa: FBT003


async def _reported(tx: Tx, since: int, until: int) -> tuple[UsageSum, ...]:
    async with tx.execute(
        """
        SELECT models.code, usage_reports.source, sum(request_count), sum(success_count),
               sum(input_tokens), sum(output_tokens), coalesce(sum(cost_nano), 0),
               coalesce(sum(request_count) FILTER (WHERE cost_nano IS NULL), 0)
        FROM usage_reports JOIN models ON models.id = usage_reports.model_id
        WHERE at >= :since AND at < :until
        GROUP BY models.code, usage_reports.source
        """,
        {"since": since, "until": until},
    ) as rows:
        return tuple(UsageSum(row[0], row[1], True, *row[2:]) for row in await rows.fetchall())  # noqa: FBT003
