"""Rows of `api_keys`. Only keyed hashes are stored; the key itself was shown once."""

from __future__ import annotations

import json
import sqlite3

from gateway.model.people import ApiKey, Period
from gateway.store import pending_sums
from gateway.store.columns import optional_json, optional_tuple
from gateway.store.database import Tx


async def every(tx: Tx) -> tuple[ApiKey, ...]:
    """All of them, newest first."""
    return await _select(tx, None)


async def get(tx: Tx, key_id: str) -> ApiKey | None:
    found = await _select(tx, key_id)
    return found[0] if found else None


async def insert(tx: Tx, key: ApiKey) -> None:
    await tx.execute(
        """
        INSERT INTO api_keys (
          id, name, key_hash, prefix, tail, allowed_models, rpm_limit, is_active, expires_at, created_at,
          updated_at, allowed_providers, allowed_formats, tpm_limit, max_concurrent, capabilities,
          default_agent, default_business, default_capability, version, user_id, budget_nano, budget_period,
          credited_nano, note, is_locked, deletes_itself, old_hash, old_until)
        VALUES (
          :id, :name, :key_hash, :prefix, :tail, :allowed_models, :rpm_limit, :is_active, :expires_at,
          :created_at, :updated_at, :allowed_providers, :allowed_formats, :tpm_limit, :max_concurrent,
          :capabilities, :default_agent, :default_business, :default_capability, :version,
          :user_id, :budget_nano, :budget_period, :credited_nano, :note, :is_locked, :deletes_itself, :old_hash,
          :old_until)
        """,
        _columns(key),
    )


async def update(tx: Tx, key: ApiKey) -> None:
    """Everything but the key itself (see `rotate`) and what was paid in (see `credit`)."""
    await tx.execute(
        """
        UPDATE api_keys SET
          name = :name, allowed_models = :allowed_models, rpm_limit = :rpm_limit, is_active = :is_active,
          expires_at = :expires_at, updated_at = :updated_at, allowed_providers = :allowed_providers,
          allowed_formats = :allowed_formats, tpm_limit = :tpm_limit, max_concurrent = :max_concurrent,
          capabilities = :capabilities, default_agent = :default_agent,
          default_business = :default_business, default_capability = :default_capability,
          version = :version, user_id = :user_id, budget_nano = :budget_nano, budget_period = :budget_period,
          note = :note, is_locked = :is_locked, deletes_itself = :deletes_itself
        WHERE id = :id
        """,
        _columns(key),
    )


async def credit(tx: Tx, key_id: str, credited_nano: int | None, at: int) -> None:
    """Set what was ever paid into its balance; None takes the balance away."""
    await tx.execute(
        "UPDATE api_keys SET credited_nano = :nano, updated_at = :at, version = version + 1 WHERE id = :id",
        {"id": key_id, "nano": credited_nano, "at": at},
    )


async def rotate(tx: Tx, key: ApiKey) -> None:
    """Write the new secret's hash, prefix and tail, and until when the old one works."""
    await tx.execute(
        """
        UPDATE api_keys SET
          key_hash = :key_hash, prefix = :prefix, tail = :tail, old_hash = :old_hash, old_until = :old_until,
          updated_at = :updated_at, version = :version
        WHERE id = :id
        """,
        _columns(key),
    )


async def delete(tx: Tx, key_id: str) -> None:
    await pending_sums.settle(tx)
    await tx.execute("DELETE FROM last_uses WHERE api_key_id = :id", {"id": key_id})
    await tx.execute("DELETE FROM api_keys WHERE id = :id", {"id": key_id})


async def _select(tx: Tx, key_id: str | None) -> tuple[ApiKey, ...]:
    async with tx.execute(
        """
        SELECT
          id, name, key_hash, prefix, tail, allowed_models, rpm_limit, is_active, expires_at, created_at,
          updated_at, allowed_providers, allowed_formats, tpm_limit, max_concurrent, capabilities,
          default_agent, default_business, default_capability, version, user_id, budget_nano, budget_period,
          credited_nano, note, is_locked, deletes_itself, old_hash, old_until
        FROM api_keys
        WHERE (:id IS NULL OR id = :id)
        ORDER BY created_at DESC, id
        """,
        {"id": key_id},
    ) as rows:
        return tuple(_api_key(row) for row in await rows.fetchall())


def _api_key(row: sqlite3.Row) -> ApiKey:
    return ApiKey(
        id=row[0],
        name=row[1],
        key_hash=row[2],
        prefix=row[3],
        tail=row[4],
        allowed_models=optional_tuple(row[5]),
        rpm_limit=row[6],
        is_active=bool(row[7]),
        expires_at=row[8],
        created_at=row[9],
        updated_at=row[10],
        allowed_providers=optional_tuple(row[11]),
        allowed_formats=optional_tuple(row[12]),
        tpm_limit=row[13],
        max_concurrent=row[14],
        capabilities=tuple(json.loads(row[15])),
        default_agent=row[16],
        default_business=row[17],
        default_capability=row[18],
        version=row[19],
        user_id=row[20],
        budget_nano=row[21],
        budget_period=Period(row[22]),
        credited_nano=row[23],
        note=row[24],
        is_locked=bool(row[25]),
        deletes_itself=bool(row[26]),
        old_hash=row[27],
        old_until=row[28],
    )


def _columns(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "key_hash": key.key_hash,
        "prefix": key.prefix,
        "tail": key.tail,
        "allowed_models": optional_json(key.allowed_models),
        "rpm_limit": key.rpm_limit,
        "is_active": key.is_active,
        "expires_at": key.expires_at,
        "created_at": key.created_at,
        "updated_at": key.updated_at,
        "allowed_providers": optional_json(key.allowed_providers),
        "allowed_formats": optional_json(key.allowed_formats),
        "tpm_limit": key.tpm_limit,
        "max_concurrent": key.max_concurrent,
        "capabilities": json.dumps(key.capabilities),
        "default_agent": key.default_agent,
        "default_business": key.default_business,
        "default_capability": key.default_capability,
        "version": key.version,
        "user_id": key.user_id,
        "budget_nano": key.budget_nano,
        "budget_period": key.budget_period.value,
        "credited_nano": key.credited_nano,
        "note": key.note,
        "is_locked": key.is_locked,
        "deletes_itself": key.deletes_itself,
        "old_hash": key.old_hash,
        "old_until": key.old_until,
    }
