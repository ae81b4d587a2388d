"""Rows of `model_checks`."""

from __future__ import annotations

import json
import sqlite3

from msgspec.structs import asdict

from gateway.model.checks import CheckStatus, ModelCheck, Probe, ProbeResult
from gateway.store.database import Tx


async def insert(tx: Tx, check: ModelCheck, keep: int) -> None:
    """Write it down and forget all but the newest `keep` of its model."""
    await tx.execute(
        """
        INSERT INTO model_checks (id, model_id, at, probe, status, reason, latency_ms, results, actor)
        VALUES (:id, :model_id, :at, :probe, :status, :reason, :latency_ms, :results, :actor)
        """,
        {**asdict(check), "results": json.dumps([asdict(result) for result in check.results])},
    )
    await tx.execute(
        """
        DELETE FROM model_checks WHERE model_id = :model_id AND id NOT IN (
          SELECT id FROM model_checks WHERE model_id = :model_id ORDER BY at DESC, rowid DESC LIMIT :keep)
        """,
        {"model_id": check.model_id, "keep": keep},
    )


async def of_model(tx: Tx, model_id: str, limit: int) -> tuple[ModelCheck, ...]:
    """Newest first."""
    async with tx.execute(
        """
        SELECT id, model_id, at, probe, status, reason, latency_ms, results, actor
        FROM model_checks WHERE model_id = :model_id ORDER BY at DESC, rowid DESC LIMIT :limit
        """,
        {"model_id": model_id, "limit": limit},
    ) as rows:
        return tuple(_check(row) for row in await rows.fetchall())


async def latest(tx: Tx) -> dict[str, ModelCheck]:
    """The newest check of each model that has one, by model id."""
    async with tx.execute(
        """
        SELECT id, model_id, at, probe, status, reason, latency_ms, results, actor
        FROM model_checks AS one
        WHERE rowid = (
          SELECT rowid FROM model_checks WHERE model_id = one.model_id ORDER BY at DESC, rowid DESC LIMIT 1)
        """
    ) as rows:
        return {row[1]: _check(row) for row in await rows.fetchall()}


def _check(row: sqlite3.Row) -> ModelCheck:
    return ModelCheck(
        id=row[0],
        model_id=row[1],
        at=row[2],
        probe=Probe(row[3]),
        status=CheckStatus(row[4]),
        reason=row[5],
        latency_ms=row[6],
        results=tuple(ProbeResult(**result) for result in json.loads(row[7])),
        actor=row[8],
    )
