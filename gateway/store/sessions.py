"""Signed-in browsers, found by the keyed hash of the token in their cookie."""

from __future__ import annotations

import sqlite3

from gateway.model.people import Session
from gateway.store.database import Tx


async def by_hash(tx: Tx, token_hash: bytes) -> Session | None:
    async with tx.execute(
        """
        SELECT token_hash, user_id, created_at, last_seen_at, password_at, expires_at, ip, user_agent
        FROM sessions WHERE token_hash = :token_hash
        """,
        {"token_hash": token_hash},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _session(row)


async def of_user(tx: Tx, user_id: str) -> tuple[Session, ...]:
    """Last seen first."""
    async with tx.execute(
        """
        SELECT token_hash, user_id, created_at, last_seen_at, password_at, expires_at, ip, user_agent
        FROM sessions WHERE user_id = :user_id ORDER BY last_seen_at DESC, created_at DESC
        """,
        {"user_id": user_id},
    ) as rows:
        return tuple(_session(row) for row in await rows.fetchall())


async def insert(tx: Tx, session: Session) -> None:
    await tx.execute(
        """
        INSERT INTO sessions (token_hash, user_id, created_at, last_seen_at, password_at, expires_at, ip,
                              user_agent)
        VALUES (:token_hash, :user_id, :created_at, :last_seen_at, :password_at, :expires_at, :ip,
                :user_agent)
        """,
        {
            "token_hash": session.token_hash,
            "user_id": session.user_id,
            "created_at": session.created_at,
            "last_seen_at": session.last_seen_at,
            "password_at": session.password_at,
            "expires_at": session.expires_at,
            "ip": session.ip,
            "user_agent": session.user_agent,
        },
    )


async def touch(tx: Tx, token_hash: bytes, at: int) -> None:
    await tx.execute(
        "UPDATE sessions SET last_seen_at = :at WHERE token_hash = :token_hash",
        {"token_hash": token_hash, "at": at},
    )


async def confirm(tx: Tx, token_hash: bytes, at: int) -> None:
    """The password was given at this time."""
    await tx.execute(
        "UPDATE sessions SET password_at = :at WHERE token_hash = :token_hash",
        {"token_hash": token_hash, "at": at},
    )


async def delete(tx: Tx, token_hash: bytes) -> None:
    await tx.execute("DELETE FROM sessions WHERE token_hash = :token_hash", {"token_hash": token_hash})


async def delete_of_user(tx: Tx, user_id: str) -> None:
    await tx.execute("DELETE FROM sessions WHERE user_id = :user_id", {"user_id": user_id})


async def delete_ended(tx: Tx, now: int, idle_since: int) -> None:
    """Forget sessions that are over: past their end, or last seen before `idle_since`."""
    await tx.execute(
        "DELETE FROM sessions WHERE expires_at <= :now OR last_seen_at <= :idle_since",
        {"now": now, "idle_since": idle_since},
    )


def _session(row: sqlite3.Row) -> Session:
    token_hash, user_id, created_at, last_seen_at, password_at, expires_at, ip, user_agent = row
    return Session(
        token_hash=token_hash,
        user_id=user_id,
        created_at=created_at,
        last_seen_at=last_seen_at,
        password_at=password_at,
        expires_at=expires_at,
        ip=ip,
        user_agent=user_agent,
    )
