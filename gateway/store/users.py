"""People who sign in to the admin site."""

from __future__ import annotations

import sqlite3

from gateway.model.people import User
from gateway.store.database import Tx


async def exists(tx: Tx) -> bool:
    async with tx.execute("SELECT EXISTS (SELECT 1 FROM users)") as rows:
        row = await rows.fetchone()
    assert row is not None
    return bool(row[0])


async def by_id(tx: Tx, user_id: str) -> User | None:
    async with tx.execute(
        """
        SELECT id, username, password_hash, role, is_active, theme, created_at, last_login_at
        FROM users WHERE id = :id
        """,
        {"id": user_id},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _user(row)


async def by_username(tx: Tx, username: str) -> User | None:
    """`username` in lower case, as it is stored."""
    async with tx.execute(
        """
        SELECT id, username, password_hash, role, is_active, theme, created_at, last_login_at
        FROM users WHERE username = :username
        """,
        {"username": username},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _user(row)


async def insert_first(tx: Tx, user: User) -> bool:
    """Add `user` where nobody is there yet; False where somebody is."""
    async with tx.execute(
        """
        INSERT INTO users (id, username, password_hash, role, is_active, theme, created_at, last_login_at)
        SELECT :id, :username, :password_hash, :role, :is_active, :theme, :created_at, :last_login_at
        WHERE NOT EXISTS (SELECT 1 FROM users)
        RETURNING id
        """,
        {
            "id": user.id,
            "username": user.username,
            "password_hash": user.password_hash,
            "role": user.role,
            "is_active": user.is_active,
            "theme": user.theme,
            "created_at": user.created_at,
            "last_login_at": user.last_login_at,
        },
    ) as rows:
        return await rows.fetchone() is not None


async def signed_in(tx: Tx, user_id: str, at: int) -> None:
    await tx.execute("UPDATE users SET last_login_at = :at WHERE id = :id", {"id": user_id, "at": at})


async def set_password(tx: Tx, user_id: str, password_hash: str) -> None:
    await tx.execute(
        "UPDATE users SET password_hash = :password_hash WHERE id = :id",
        {"id": user_id, "password_hash": password_hash},
    )


async def set_theme(tx: Tx, user_id: str, theme: str) -> None:
    await tx.execute("UPDATE users SET theme = :theme WHERE id = :id", {"id": user_id, "theme": theme})


def _user(row: sqlite3.Row) -> User:
    user_id, username, password_hash, role, is_active, theme, created_at, last_login_at = row
    return User(
        id=user_id,
        username=username,
        password_hash=password_hash,
        role=role,
        is_active=bool(is_active),
        theme=theme,
        created_at=created_at,
        last_login_at=last_login_at,
    )
