"""People: who signs in, and who owns API keys."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping

from gateway.model.people import Period, User
from gateway.store.columns import optional_json, optional_tuple
from gateway.store.database import Tx


async def has_administrator(tx: Tx) -> bool:
    async with tx.execute("SELECT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND deleted_at IS NULL)") as rows:
        row = await rows.fetchone()
    assert row is not None
    return bool(row[0])


async def every(tx: Tx) -> tuple[User, ...]:
    """All of them, deleted ones too, by name."""
    return await _select(tx, None, None)


async def by_id(tx: Tx, user_id: str) -> User | None:
    found = await _select(tx, user_id, None)
    return found[0] if found else None


async def by_username(tx: Tx, username: str) -> User | None:
    """`username` in lower case, as it is stored."""
    found = await _select(tx, None, username)
    return found[0] if found else None


async def insert(tx: Tx, user: User) -> None:
    await tx.execute(
        """
        INSERT INTO users (
          id, username, password_hash, role, is_active, theme, created_at, last_login_at, email,
          allowed_providers, allowed_formats, allowed_models, capabilities, rpm_limit, tpm_limit,
          max_concurrent, updated_at, deleted_at, version, quota_nano, quota_period, time_zone)
        VALUES (
          :id, :username, :password_hash, :role, :is_active, :theme, :created_at, :last_login_at, :email,
          :allowed_providers, :allowed_formats, :allowed_models, :capabilities, :rpm_limit, :tpm_limit,
          :max_concurrent, :updated_at, :deleted_at, :version, :quota_nano, :quota_period, :time_zone)
        """,
        _columns(user),
    )


async def insert_first(tx: Tx, user: User) -> bool:
    """Add `user` where there is no administrator yet; False where there is one."""
    async with tx.execute(
        """
        INSERT INTO users (
          id, username, password_hash, role, is_active, theme, created_at, last_login_at, email,
          allowed_providers, allowed_formats, allowed_models, capabilities, rpm_limit, tpm_limit,
          max_concurrent, updated_at, deleted_at, version, quota_nano, quota_period, time_zone)
        SELECT
          :id, :username, :password_hash, :role, :is_active, :theme, :created_at, :last_login_at, :email,
          :allowed_providers, :allowed_formats, :allowed_models, :capabilities, :rpm_limit, :tpm_limit,
          :max_concurrent, :updated_at, :deleted_at, :version, :quota_nano, :quota_period, :time_zone
        WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND deleted_at IS NULL)
        RETURNING id
        """,
        _columns(user),
    ) as rows:
        return await rows.fetchone() is not None


async def update(tx: Tx, user: User) -> None:
    """Everything but password, theme and last sign-in, which have statements of their own."""
    await tx.execute(
        """
        UPDATE users SET
          username = :username, role = :role, is_active = :is_active, email = :email,
          allowed_providers = :allowed_providers, allowed_formats = :allowed_formats,
          allowed_models = :allowed_models, capabilities = :capabilities, rpm_limit = :rpm_limit,
          tpm_limit = :tpm_limit, max_concurrent = :max_concurrent, updated_at = :updated_at,
          deleted_at = :deleted_at, version = :version, quota_nano = :quota_nano,
          quota_period = :quota_period, time_zone = :time_zone
        WHERE id = :id
        """,
        _columns(user),
    )


async def signed_in(tx: Tx, user_id: str, at: int) -> None:
    await tx.execute("UPDATE users SET last_login_at = :at WHERE id = :id", {"id": user_id, "at": at})


async def set_password(tx: Tx, user_id: str, password_hash: str) -> None:
    await tx.execute(
        "UPDATE users SET password_hash = :password_hash WHERE id = :id",
        {"id": user_id, "password_hash": password_hash},
    )


async def set_theme(tx: Tx, user_id: str, theme: str) -> None:
    await tx.execute("UPDATE users SET theme = :theme WHERE id = :id", {"id": user_id, "theme": theme})


async def _select(tx: Tx, user_id: str | None, username: str | None) -> tuple[User, ...]:
    async with tx.execute(
        """
        SELECT
          id, username, password_hash, role, is_active, theme, created_at, last_login_at, email,
          allowed_providers, allowed_formats, allowed_models, capabilities, rpm_limit, tpm_limit,
          max_concurrent, updated_at, deleted_at, version, quota_nano, quota_period, time_zone
        FROM users
        WHERE (:id IS NULL OR id = :id) AND (:username IS NULL OR username = :username)
        ORDER BY username
        """,
        {"id": user_id, "username": username},
    ) as rows:
        return tuple(_user(row) for row in await rows.fetchall())


def _user(row: sqlite3.Row) -> User:
    return User(
        id=row[0],
        username=row[1],
        password_hash=row[2],
        role=row[3],
        is_active=bool(row[4]),
        theme=row[5],
        created_at=row[6],
        last_login_at=row[7],
        email=row[8],
        allowed_providers=optional_tuple(row[9]),
        allowed_formats=optional_tuple(row[10]),
        allowed_models=optional_tuple(row[11]),
        capabilities=_capabilities(row[12]),
        rpm_limit=row[13],
        tpm_limit=row[14],
        max_concurrent=row[15],
        updated_at=row[16],
        deleted_at=row[17],
        version=row[18],
        quota_nano=row[19],
        quota_period=Period(row[20]),
        time_zone=row[21],
    )


def _capabilities(column: str) -> Mapping[str, tuple[str, ...]]:
    return {model: tuple(found) for model, found in json.loads(column).items()}


def _columns(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "username": user.username,
        "password_hash": user.password_hash,
        "role": user.role,
        "is_active": user.is_active,
        "theme": user.theme,
        "created_at": user.created_at,
        "last_login_at": user.last_login_at,
        "email": user.email,
        "allowed_providers": optional_json(user.allowed_providers),
        "allowed_formats": optional_json(user.allowed_formats),
        "allowed_models": optional_json(user.allowed_models),
        "capabilities": json.dumps(dict(user.capabilities)),
        "rpm_limit": user.rpm_limit,
        "tpm_limit": user.tpm_limit,
        "max_concurrent": user.max_concurrent,
        "updated_at": user.updated_at,
        "deleted_at": user.deleted_at,
        "version": user.version,
        "quota_nano": user.quota_nano,
        "quota_period": user.quota_period.value,
        "time_zone": user.time_zone,
    }
