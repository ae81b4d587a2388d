"""Rows of `model_tests`."""

from __future__ import annotations

import sqlite3

from msgspec.structs import asdict

from gateway.model.checks import ModelTest, TrialStatus
from gateway.store.database import Tx


async def insert(tx: Tx, test: ModelTest, keep: int) -> None:
    """Write it down and forget all but the newest `keep` of its model."""
    await tx.execute(
        """
        INSERT INTO model_tests (
          id, model_id, call_id, at, status, backend, reply, error, input_tokens, output_tokens, is_estimated,
          latency_ms, actor)
        VALUES (
          :id, :model_id, :call_id, :at, :status, :backend, :reply, :error, :input_tokens, :output_tokens,
          :is_estimated, :latency_ms, :actor)
        """,
        asdict(test),
    )
    await tx.execute(
        """
        DELETE FROM model_tests WHERE model_id = :model_id AND id NOT IN (
          SELECT id FROM model_tests WHERE model_id = :model_id ORDER BY at DESC, rowid DESC LIMIT :keep)
        """,
        {"model_id": test.model_id, "keep": keep},
    )


async def of_model(tx: Tx, model_id: str, limit: int) -> tuple[ModelTest, ...]:
    """Newest first."""
    async with tx.execute(
        """
        SELECT id, model_id, call_id, at, status, backend, reply, error, input_tokens, output_tokens,
               is_estimated, latency_ms, actor
        FROM model_tests WHERE model_id = :model_id ORDER BY at DESC, rowid DESC LIMIT :limit
        """,
        {"model_id": model_id, "limit": limit},
    ) as rows:
        return tuple(_test(row) for row in await rows.fetchall())


async def counts(tx: Tx, since: int) -> dict[str, tuple[int, int]]:
    """How many tests passed and failed since then, by model id; models without one are left out."""
    async with tx.execute(
        """
        SELECT model_id, sum(status = 'PASSED'), sum(status = 'FAILED')
        FROM model_tests WHERE at >= :since GROUP BY model_id
        """,
        {"since": since},
    ) as rows:
        return {row[0]: (row[1], row[2]) for row in await rows.fetchall()}


def _test(row: sqlite3.Row) -> ModelTest:
    return ModelTest(
        id=row[0],
        model_id=row[1],
        call_id=row[2],
        at=row[3],
        status=TrialStatus(row[4]),
        backend=row[5],
        reply=row[6],
        error=row[7],
        input_tokens=row[8],
        output_tokens=row[9],
        is_estimated=bool(row[10]),
        latency_ms=row[11],
        actor=row[12],
    )
