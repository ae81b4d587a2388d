"""Rows of `endpoints`. Columns hold milliseconds, the struct seconds."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.registry import ApiFormat, Auth, Endpoint
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[Endpoint, ...]:
    return await _select(tx, None, None)


async def get(tx: Tx, endpoint_id: str) -> Endpoint | None:
    found = await _select(tx, endpoint_id, None)
    return found[0] if found else None


async def of_provider(tx: Tx, provider_id: str) -> tuple[Endpoint, ...]:
    return await _select(tx, None, provider_id)


async def insert(tx: Tx, endpoint: Endpoint) -> None:
    await tx.execute(
        """
        INSERT INTO endpoints (
          id, provider_id, api_format, base_url, headers, timeout_ms, first_byte_ms, idle_ms,
          local_upstream, injects_usage, is_active, created_at, updated_at, custom_path, max_retries,
          max_concurrent, rpm_limit, proxy_sealed, proxy_shown, version, auth)
        VALUES (
          :id, :provider_id, :api_format, :base_url, :headers, :timeout_ms, :first_byte_ms, :idle_ms,
          :local_upstream, :injects_usage, :is_active, :created_at, :updated_at, :custom_path,
          :max_retries, :max_concurrent, :rpm_limit, :proxy_sealed, :proxy_shown, :version, :auth)
        """,
        _columns(endpoint),
    )


async def update(tx: Tx, endpoint: Endpoint) -> None:
    await tx.execute(
        """
        UPDATE endpoints SET
          api_format = :api_format, base_url = :base_url, headers = :headers, timeout_ms = :timeout_ms,
          first_byte_ms = :first_byte_ms, idle_ms = :idle_ms, local_upstream = :local_upstream,
          injects_usage = :injects_usage, is_active = :is_active, updated_at = :updated_at,
          custom_path = :custom_path, max_retries = :max_retries, max_concurrent = :max_concurrent,
          rpm_limit = :rpm_limit, proxy_sealed = :proxy_sealed, proxy_shown = :proxy_shown,
          version = :version, auth = :auth
        WHERE id = :id
        """,
        _columns(endpoint),
    )


async def delete(tx: Tx, endpoint_id: str) -> None:
    await tx.execute("DELETE FROM endpoints WHERE id = :id", {"id": endpoint_id})


async def _select(tx: Tx, endpoint_id: str | None, provider_id: str | None) -> tuple[Endpoint, ...]:
    async with tx.execute(
        """
        SELECT
          id, provider_id, api_format, base_url, headers, timeout_ms, first_byte_ms, idle_ms,
          local_upstream, injects_usage, is_active, created_at, updated_at, custom_path, max_retries,
          max_concurrent, rpm_limit, proxy_sealed, proxy_shown, version, auth
        FROM endpoints
        WHERE (:id IS NULL OR id = :id) AND (:provider_id IS NULL OR provider_id = :provider_id)
        ORDER BY created_at, id
        """,
        {"id": endpoint_id, "provider_id": provider_id},
    ) as rows:
        return tuple(_endpoint(row) for row in await rows.fetchall())


def _endpoint(row: sqlite3.Row) -> Endpoint:
    return Endpoint(
        id=row[0],
        provider_id=row[1],
        api_format=ApiFormat(row[2]),
        base_url=row[3],
        headers=json.loads(row[4]),
        timeout_seconds=row[5] / 1000,
        first_byte_seconds=row[6] / 1000,
        idle_seconds=row[7] / 1000,
        local_upstream=row[8],
        injects_usage=bool(row[9]),
        is_active=bool(row[10]),
        created_at=row[11],
        updated_at=row[12],
        custom_path=row[13],
        max_retries=row[14],
        max_concurrent=row[15],
        rpm_limit=row[16],
        proxy_sealed=row[17],
        proxy_shown=row[18],
        version=row[19],
        auth=Auth(row[20]) if row[20] else None,
    )


def _columns(endpoint: Endpoint) -> dict[str, object]:
    return {
        "id": endpoint.id,
        "provider_id": endpoint.provider_id,
        "api_format": endpoint.api_format.value,
        "base_url": endpoint.base_url,
        "headers": json.dumps(dict(endpoint.headers)),
        "timeout_ms": round(endpoint.timeout_seconds * 1000),
        "first_byte_ms": round(endpoint.first_byte_seconds * 1000),
        "idle_ms": round(endpoint.idle_seconds * 1000),
        "local_upstream": endpoint.local_upstream,
        "injects_usage": endpoint.injects_usage,
        "is_active": endpoint.is_active,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
        "custom_path": endpoint.custom_path,
        "max_retries": endpoint.max_retries,
        "max_concurrent": endpoint.max_concurrent,
        "rpm_limit": endpoint.rpm_limit,
        "proxy_sealed": endpoint.proxy_sealed,
        "proxy_shown": endpoint.proxy_shown,
        "version": endpoint.version,
        "auth": endpoint.auth or "",
    }
