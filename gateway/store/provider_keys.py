"""Rows of `provider_keys`. Secrets pass through here only as ciphertext."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.registry import ProviderKey
from gateway.store.columns import optional_json, optional_tuple
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[ProviderKey, ...]:
    return await _select(tx, None, None)


async def get(tx: Tx, key_id: str) -> ProviderKey | None:
    found = await _select(tx, key_id, None)
    return found[0] if found else None


async def of_provider(tx: Tx, provider_id: str) -> tuple[ProviderKey, ...]:
    return await _select(tx, None, provider_id)


async def insert(tx: Tx, key: ProviderKey) -> None:
    await tx.execute(
        """
        INSERT INTO provider_keys (
          id, provider_id, pool_id, name, api_formats, sealed, env_name, bound_origin, masked, fingerprint,
          internal_priority, weight, rpm_limit, is_active, created_at, updated_at, note, rate_multiplier,
          rate_multipliers, global_priority, tpm_limit, max_concurrent, daily_limit, monthly_limit,
          allowed_models, capabilities, cache_ttl_minutes, max_probe_interval_minutes, expires_at, version)
        VALUES (
          :id, :provider_id, :pool_id, :name, :api_formats, :sealed, :env_name, :bound_origin, :masked,
          :fingerprint, :internal_priority, :weight, :rpm_limit, :is_active, :created_at, :updated_at,
          :note, :rate_multiplier, :rate_multipliers, :global_priority, :tpm_limit, :max_concurrent,
          :daily_limit, :monthly_limit, :allowed_models, :capabilities, :cache_ttl_minutes,
          :max_probe_interval_minutes, :expires_at, :version)
        """,
        _columns(key),
    )


async def update(tx: Tx, key: ProviderKey) -> None:
    await tx.execute(
        """
        UPDATE provider_keys SET
          pool_id = :pool_id, name = :name, api_formats = :api_formats, sealed = :sealed,
          env_name = :env_name, bound_origin = :bound_origin, masked = :masked, fingerprint = :fingerprint,
          internal_priority = :internal_priority, weight = :weight, rpm_limit = :rpm_limit,
          is_active = :is_active, updated_at = :updated_at, note = :note,
          rate_multiplier = :rate_multiplier, rate_multipliers = :rate_multipliers,
          global_priority = :global_priority, tpm_limit = :tpm_limit, max_concurrent = :max_concurrent,
          daily_limit = :daily_limit, monthly_limit = :monthly_limit, allowed_models = :allowed_models,
          capabilities = :capabilities, cache_ttl_minutes = :cache_ttl_minutes,
          max_probe_interval_minutes = :max_probe_interval_minutes, expires_at = :expires_at,
          version = :version
        WHERE id = :id
        """,
        _columns(key),
    )


async def delete(tx: Tx, key_id: str) -> None:
    await tx.execute("DELETE FROM provider_keys WHERE id = :id", {"id": key_id})


async def _select(tx: Tx, key_id: str | None, provider_id: str | None) -> tuple[ProviderKey, ...]:
    async with tx.execute(
        """
        SELECT
          id, provider_id, pool_id, name, api_formats, sealed, env_name, bound_origin, masked, fingerprint,
          internal_priority, weight, rpm_limit, is_active, created_at, updated_at, note, rate_multiplier,
          rate_multipliers, global_priority, tpm_limit, max_concurrent, daily_limit, monthly_limit,
          allowed_models, capabilities, cache_ttl_minutes, max_probe_interval_minutes, expires_at, version
        FROM provider_keys
        WHERE (:id IS NULL OR id = :id) AND (:provider_id IS NULL OR provider_id = :provider_id)
        ORDER BY internal_priority, created_at, id
        """,
        {"id": key_id, "provider_id": provider_id},
    ) as rows:
        return tuple(_provider_key(row) for row in await rows.fetchall())


def _provider_key(row: sqlite3.Row) -> ProviderKey:
    return ProviderKey(
        id=row[0],
        provider_id=row[1],
        pool_id=row[2],
        name=row[3],
        api_formats=tuple(json.loads(row[4])),
        sealed=row[5],
        env_name=row[6],
        bound_origin=row[7],
        masked=row[8],
        fingerprint=row[9],
        internal_priority=row[10],
        weight=row[11],
        rpm_limit=row[12],
        is_active=bool(row[13]),
        created_at=row[14],
        updated_at=row[15],
        note=row[16],
        rate_multiplier=row[17],
        rate_multipliers=json.loads(row[18]),
        global_priority=json.loads(row[19]),
        tpm_limit=row[20],
        max_concurrent=row[21],
        daily_limit=row[22],
        monthly_limit=row[23],
        allowed_models=optional_tuple(row[24]),
        capabilities=tuple(json.loads(row[25])),
        cache_ttl_minutes=row[26],
        max_probe_interval_minutes=row[27],
        expires_at=row[28],
        version=row[29],
    )


def _columns(key: ProviderKey) -> dict[str, object]:
    return {
        "id": key.id,
        "provider_id": key.provider_id,
        "pool_id": key.pool_id,
        "name": key.name,
        "api_formats": json.dumps(key.api_formats),
        "sealed": key.sealed,
        "env_name": key.env_name,
        "bound_origin": key.bound_origin,
        "masked": key.masked,
        "fingerprint": key.fingerprint,
        "internal_priority": key.internal_priority,
        "weight": key.weight,
        "rpm_limit": key.rpm_limit,
        "is_active": key.is_active,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "note": key.note,
        "rate_multiplier": key.rate_multiplier,
        "rate_multipliers": json.dumps(dict(key.rate_multipliers)),
        "global_priority": json.dumps(dict(key.global_priority)),
        "tpm_limit": key.tpm_limit,
        "max_concurrent": key.max_concurrent,
        "daily_limit": key.daily_limit,
        "monthly_limit": key.monthly_limit,
        "allowed_models": optional_json(key.allowed_models),
        "capabilities": json.dumps(key.capabilities),
        "cache_ttl_minutes": key.cache_ttl_minutes,
        "max_probe_interval_minutes": key.max_probe_interval_minutes,
        "expires_at": key.expires_at,
        "version": key.version,
    }
