"""Rows of `pools`. Columns hold milliseconds, the struct seconds."""

from __future__ import annotations

import sqlite3

from gateway.model.registry import Pool, Strategy, Translated
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[Pool, ...]:
    """All of them, first tier first."""
    return await _select(tx, None)


async def get(tx: Tx, pool_id: str) -> Pool | None:
    found = await _select(tx, pool_id)
    return found[0] if found else None


async def insert(tx: Tx, pool: Pool) -> None:
    await tx.execute(
        """
        INSERT INTO pools (
          id, name, tier, cooldown_base_ms, cooldown_factor, cooldown_cap_ms, cooldown_jitter, max_attempts,
          wait_ms, created_at, updated_at, strategy, version, translated)
        VALUES (
          :id, :name, :tier, :cooldown_base_ms, :cooldown_factor, :cooldown_cap_ms, :cooldown_jitter,
          :max_attempts, :wait_ms, :created_at, :updated_at, :strategy, :version, :translated)
        """,
        _columns(pool),
    )


async def update(tx: Tx, pool: Pool) -> None:
    await tx.execute(
        """
        UPDATE pools SET
          name = :name, tier = :tier, cooldown_base_ms = :cooldown_base_ms,
          cooldown_factor = :cooldown_factor, cooldown_cap_ms = :cooldown_cap_ms,
          cooldown_jitter = :cooldown_jitter, max_attempts = :max_attempts, wait_ms = :wait_ms,
          updated_at = :updated_at, strategy = :strategy, version = :version,
          translated = :translated
        WHERE id = :id
        """,
        _columns(pool),
    )


async def delete(tx: Tx, pool_id: str) -> None:
    await tx.execute("DELETE FROM pools WHERE id = :id", {"id": pool_id})


async def _select(tx: Tx, pool_id: str | None) -> tuple[Pool, ...]:
    async with tx.execute(
        """
        SELECT
          id, name, tier, cooldown_base_ms, cooldown_factor, cooldown_cap_ms, cooldown_jitter,
          max_attempts, wait_ms, created_at, updated_at, strategy, version, translated
        FROM pools
        WHERE (:id IS NULL OR id = :id)
        ORDER BY tier, name
        """,
        {"id": pool_id},
    ) as rows:
        return tuple(_pool(row) for row in await rows.fetchall())


def _pool(row: sqlite3.Row) -> Pool:
    return Pool(
        id=row[0],
        name=row[1],
        tier=row[2],
        cooldown_base_seconds=row[3] / 1000,
        cooldown_factor=row[4],
        cooldown_cap_seconds=row[5] / 1000,
        cooldown_jitter=row[6],
        max_attempts=row[7],
        wait_seconds=row[8] / 1000,
        created_at=row[9],
        updated_at=row[10],
        strategy=Strategy(row[11]),
        version=row[12],
        translated=Translated(row[13]),
    )


def _columns(pool: Pool) -> dict[str, object]:
    return {
        "id": pool.id,
        "name": pool.name,
        "tier": pool.tier,
        "cooldown_base_ms": round(pool.cooldown_base_seconds * 1000),
        "cooldown_factor": pool.cooldown_factor,
        "cooldown_cap_ms": round(pool.cooldown_cap_seconds * 1000),
        "cooldown_jitter": pool.cooldown_jitter,
        "max_attempts": pool.max_attempts,
        "wait_ms": round(pool.wait_seconds * 1000),
        "created_at": pool.created_at,
        "updated_at": pool.updated_at,
        "strategy": pool.strategy.value,
        "version": pool.version,
        "translated": pool.translated.value,
    }
