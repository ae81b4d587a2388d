"""Rows of `route_rules`."""

from __future__ import annotations

import sqlite3

from gateway.model.registry import RouteRule, RouteType
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[RouteRule, ...]:
    """All of them, each chain in its order."""
    return await _select(tx, None, None)


async def get(tx: Tx, rule_id: str) -> RouteRule | None:
    found = await _select(tx, rule_id, None)
    return found[0] if found else None


async def of_model(tx: Tx, model_id: str) -> tuple[RouteRule, ...]:
    return await _select(tx, None, model_id)


async def insert(tx: Tx, rule: RouteRule) -> None:
    await tx.execute(
        """
        INSERT INTO route_rules (
          id, route_type, route_key, model_id, priority, is_enabled, note, created_at, updated_at, version)
        VALUES (
          :id, :route_type, :route_key, :model_id, :priority, :is_enabled, :note, :created_at,
          :updated_at, :version)
        """,
        _columns(rule),
    )


async def update(tx: Tx, rule: RouteRule) -> None:
    await tx.execute(
        """
        UPDATE route_rules SET
          route_type = :route_type, route_key = :route_key, model_id = :model_id, priority = :priority,
          is_enabled = :is_enabled, note = :note, updated_at = :updated_at, version = :version
        WHERE id = :id
        """,
        _columns(rule),
    )


async def delete(tx: Tx, rule_id: str) -> None:
    await tx.execute("DELETE FROM route_rules WHERE id = :id", {"id": rule_id})


async def _select(tx: Tx, rule_id: str | None, model_id: str | None) -> tuple[RouteRule, ...]:
    async with tx.execute(
        """
        SELECT
          id, route_type, route_key, model_id, priority, is_enabled, note, created_at, updated_at, version
        FROM route_rules
        WHERE (:id IS NULL OR id = :id) AND (:model_id IS NULL OR model_id = :model_id)
        ORDER BY route_type, route_key, priority, id
        """,
        {"id": rule_id, "model_id": model_id},
    ) as rows:
        return tuple(_route_rule(row) for row in await rows.fetchall())


def _route_rule(row: sqlite3.Row) -> RouteRule:
    return RouteRule(
        id=row[0],
        route_type=RouteType(row[1]),
        route_key=row[2],
        model_id=row[3],
        priority=row[4],
        is_enabled=bool(row[5]),
        note=row[6],
        created_at=row[7],
        updated_at=row[8],
        version=row[9],
    )


def _columns(rule: RouteRule) -> dict[str, object]:
    return {
        "id": rule.id,
        "route_type": rule.route_type.value,
        "route_key": rule.route_key,
        "model_id": rule.model_id,
        "priority": rule.priority,
        "is_enabled": rule.is_enabled,
        "note": rule.note,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
        "version": rule.version,
    }
