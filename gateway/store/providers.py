"""Rows of `providers`."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.registry import Provider
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[Provider, ...]:
    """All of them, in the order in which people list them."""
    return await _select(tx, None)


async def get(tx: Tx, provider_id: str) -> Provider | None:
    found = await _select(tx, provider_id)
    return found[0] if found else None


async def insert(tx: Tx, provider: Provider) -> None:
    await tx.execute(
        """
        INSERT INTO providers (id, name, display_name, preset, priority, is_active, metadata, created_at,
                               updated_at)
        VALUES (:id, :name, :display_name, :preset, :priority, :is_active, :metadata, :created_at,
                :updated_at)
        """,
        _columns(provider),
    )


async def update(tx: Tx, provider: Provider) -> None:
    await tx.execute(
        """
        UPDATE providers SET name = :name, display_name = :display_name, preset = :preset,
               priority = :priority, is_active = :is_active, metadata = :metadata, updated_at = :updated_at
        WHERE id = :id
        """,
        _columns(provider),
    )


async def delete(tx: Tx, provider_id: str) -> None:
    """Takes its endpoints, keys and mappings with it."""
    await tx.execute("DELETE FROM providers WHERE id = :id", {"id": provider_id})


async def _select(tx: Tx, provider_id: str | None) -> tuple[Provider, ...]:
    async with tx.execute(
        """
        SELECT id, name, display_name, preset, priority, is_active, metadata, created_at, updated_at
        FROM providers WHERE (:id IS NULL OR id = :id) ORDER BY priority, name
        """,
        {"id": provider_id},
    ) as rows:
        return tuple(_provider(row) for row in await rows.fetchall())


def _provider(row: sqlite3.Row) -> Provider:
    return Provider(
        id=row[0],
        name=row[1],
        display_name=row[2],
        preset=row[3],
        priority=row[4],
        is_active=bool(row[5]),
        metadata=json.loads(row[6]),
        created_at=row[7],
        updated_at=row[8],
    )


def _columns(provider: Provider) -> dict[str, object]:
    return {
        "id": provider.id,
        "name": provider.name,
        "display_name": provider.display_name,
        "preset": provider.preset,
        "priority": provider.priority,
        "is_active": provider.is_active,
        "metadata": json.dumps(provider.metadata),
        "created_at": provider.created_at,
        "updated_at": provider.updated_at,
    }
