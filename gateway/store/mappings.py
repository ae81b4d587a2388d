"""Rows of `mappings`."""

from __future__ import annotations

import sqlite3

from gateway.model.registry import ModelMapping
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[ModelMapping, ...]:
    return await _select(tx, None, None)


async def of_provider(tx: Tx, provider_id: str) -> tuple[ModelMapping, ...]:
    return await _select(tx, None, provider_id)


async def get(tx: Tx, mapping_id: str) -> ModelMapping | None:
    found = await _select(tx, mapping_id, None)
    return found[0] if found else None


async def insert(tx: Tx, mapping: ModelMapping) -> None:
    await tx.execute(
        """
        INSERT INTO mappings (id, provider_id, model_id, upstream_name, is_active, created_at, updated_at)
        VALUES (:id, :provider_id, :model_id, :upstream_name, :is_active, :created_at, :updated_at)
        """,
        _columns(mapping),
    )


async def update(tx: Tx, mapping: ModelMapping) -> None:
    await tx.execute(
        """
        UPDATE mappings SET upstream_name = :upstream_name, is_active = :is_active, updated_at = :updated_at
        WHERE id = :id
        """,
        _columns(mapping),
    )


async def delete(tx: Tx, mapping_id: str) -> None:
    await tx.execute("DELETE FROM mappings WHERE id = :id", {"id": mapping_id})


async def _select(tx: Tx, mapping_id: str | None, provider_id: str | None) -> tuple[ModelMapping, ...]:
    async with tx.execute(
        """
        SELECT id, provider_id, model_id, upstream_name, is_active, created_at, updated_at
        FROM mappings
        WHERE (:id IS NULL OR id = :id) AND (:provider_id IS NULL OR provider_id = :provider_id)
        ORDER BY created_at, id
        """,
        {"id": mapping_id, "provider_id": provider_id},
    ) as rows:
        return tuple(_mapping(row) for row in await rows.fetchall())


def _mapping(row: sqlite3.Row) -> ModelMapping:
    return ModelMapping(
        id=row[0],
        provider_id=row[1],
        model_id=row[2],
        upstream_name=row[3],
        is_active=bool(row[4]),
        created_at=row[5],
        updated_at=row[6],
    )


def _columns(mapping: ModelMapping) -> dict[str, object]:
    return {
        "id": mapping.id,
        "provider_id": mapping.provider_id,
        "model_id": mapping.model_id,
        "upstream_name": mapping.upstream_name,
        "is_active": mapping.is_active,
        "created_at": mapping.created_at,
        "updated_at": mapping.updated_at,
    }
