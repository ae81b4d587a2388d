"""Credentials for the JSON admin API, found by their keyed hash."""

from __future__ import annotations

import sqlite3

from gateway.model.people import ManagementToken
from gateway.store.columns import optional_json, optional_tuple
from gateway.store.database import Tx


async def by_hash(tx: Tx, token_hash: bytes) -> ManagementToken | None:
    async with tx.execute(
        """
        SELECT id, user_id, name, token_hash, tail, is_active, expires_at, created_at, last_used_at, scopes,
               allowed_ips, last_used_ip
        FROM management_tokens WHERE token_hash = :token_hash
        """,
        {"token_hash": token_hash},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _management_token(row)


async def get(tx: Tx, token_id: str) -> ManagementToken | None:
    async with tx.execute(
        """
        SELECT id, user_id, name, token_hash, tail, is_active, expires_at, created_at, last_used_at, scopes,
               allowed_ips, last_used_ip
        FROM management_tokens WHERE id = :id
        """,
        {"id": token_id},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _management_token(row)


async def every(tx: Tx) -> tuple[ManagementToken, ...]:
    """Newest first."""
    async with tx.execute(
        """
        SELECT id, user_id, name, token_hash, tail, is_active, expires_at, created_at, last_used_at, scopes,
               allowed_ips, last_used_ip
        FROM management_tokens ORDER BY created_at DESC, id
        """
    ) as rows:
        return tuple([_management_token(row) async for row in rows])


async def is_good(tx: Tx, token_id: str, now: int) -> bool:
    """Whether it is active, not expired, and its user may still sign in."""
    async with tx.execute(
        """
        SELECT 1 FROM management_tokens LEFT JOIN users ON users.id = management_tokens.user_id
        WHERE management_tokens.id = :id AND management_tokens.is_active
          AND (management_tokens.expires_at IS NULL OR management_tokens.expires_at > :now)
          AND (management_tokens.user_id IS NULL
               OR (users.is_active AND users.deleted_at IS NULL AND users.role = 'admin'))
        """,
        {"id": token_id, "now": now},
    ) as rows:
        return await rows.fetchone() is not None


async def insert(tx: Tx, token: ManagementToken) -> None:
    await tx.execute(
        """
        INSERT INTO management_tokens (id, user_id, name, token_hash, tail, is_active, expires_at, created_at,
                                       last_used_at, scopes, allowed_ips, last_used_ip)
        VALUES (:id, :user_id, :name, :token_hash, :tail, :is_active, :expires_at, :created_at, :last_used_at,
                :scopes, :allowed_ips, :last_used_ip)
        """,
        {
            "id": token.id,
            "user_id": token.user_id,
            "name": token.name,
            "token_hash": token.token_hash,
            "tail": token.tail,
            "is_active": token.is_active,
            "expires_at": token.expires_at,
            "created_at": token.created_at,
            "last_used_at": token.last_used_at,
            "scopes": optional_json(token.scopes),
            "allowed_ips": optional_json(token.allowed_ips),
            "last_used_ip": token.last_used_ip,
        },
    )


async def touch(tx: Tx, token_id: str, at: int, ip: str) -> None:
    await tx.execute(
        "UPDATE management_tokens SET last_used_at = :at, last_used_ip = :ip WHERE id = :id",
        {"id": token_id, "at": at, "ip": ip},
    )


async def set_active(tx: Tx, token_id: str, *, active: bool) -> None:
    await tx.execute(
        "UPDATE management_tokens SET is_active = :active WHERE id = :id", {"id": token_id, "active": active}
    )


async def delete(tx: Tx, token_id: str) -> None:
    await tx.execute("DELETE FROM management_tokens WHERE id = :id", {"id": token_id})


def _management_token(row: sqlite3.Row) -> ManagementToken:
    return ManagementToken(
        id=row[0],
        user_id=row[1],
        name=row[2],
        token_hash=row[3],
        tail=row[4],
        is_active=bool(row[5]),
        expires_at=row[6],
        created_at=row[7],
        last_used_at=row[8],
        scopes=optional_tuple(row[9]),
        allowed_ips=optional_tuple(row[10]),
        last_used_ip=row[11],
    )
