"""Rows of `providers`."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.registry import BillingType, Provider
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
        INSERT INTO providers (
          id, name, display_name, preset, priority, is_active, metadata, created_at, updated_at,
          description, website, billing_type, monthly_quota, quota_reset_days, quota_expires_at, rpm_limit,
          concurrent_limit, max_retries, version)
        VALUES (
          :id, :name, :display_name, :preset, :priority, :is_active, :metadata, :created_at, :updated_at,
          :description, :website, :billing_type, :monthly_quota, :quota_reset_days, :quota_expires_at,
          :rpm_limit, :concurrent_limit, :max_retries, :version)
        """,
        _columns(provider),
    )


async def update(tx: Tx, provider: Provider) -> None:
    await tx.execute(
        """
        UPDATE providers SET
          name = :name, display_name = :display_name, preset = :preset, priority = :priority,
          is_active = :is_active, metadata = :metadata, updated_at = :updated_at,
          description = :description, website = :website, billing_type = :billing_type,
          monthly_quota = :monthly_quota, quota_reset_days = :quota_reset_days,
          quota_expires_at = :quota_expires_at, rpm_limit = :rpm_limit,
          concurrent_limit = :concurrent_limit, max_retries = :max_retries, version = :version
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
        SELECT
          id, name, display_name, preset, priority, is_active, metadata, created_at, updated_at,
          description, website, billing_type, monthly_quota, quota_reset_days, quota_expires_at, rpm_limit,
          concurrent_limit, max_retries, version
        FROM providers
        WHERE (:id IS NULL OR id = :id)
        ORDER BY priority, name
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
        description=row[9],
        website=row[10],
        billing_type=BillingType(row[11]),
        monthly_quota=row[12],
        quota_reset_days=row[13],
        quota_expires_at=row[14],
        rpm_limit=row[15],
        concurrent_limit=row[16],
        max_retries=row[17],
        version=row[18],
    )


def _columns(provider: Provider) -> dict[str, object]:
    return {
        "id": provider.id,
        "name": provider.name,
        "display_name": provider.display_name,
        "preset": provider.preset,
        "priority": provider.priority,
        "is_active": provider.is_active,
        "metadata": json.dumps(dict(provider.metadata)),
        "created_at": provider.created_at,
        "updated_at": provider.updated_at,
        "description": provider.description,
        "website": provider.website,
        "billing_type": provider.billing_type.value,
        "monthly_quota": provider.monthly_quota,
        "quota_reset_days": provider.quota_reset_days,
        "quota_expires_at": provider.quota_expires_at,
        "rpm_limit": provider.rpm_limit,
        "concurrent_limit": provider.concurrent_limit,
        "max_retries": provider.max_retries,
        "version": provider.version,
    }
