"""One-use links that make the first administrator, found by the keyed hash of their token."""

from __future__ import annotations

from gateway.store.database import Tx


async def insert(tx: Tx, token_hash: bytes, at: int, expires_at: int) -> bool:
    """Add a link while nobody can sign in; False where somebody can."""
    async with tx.execute(
        """
        INSERT INTO setup_links (token_hash, created_at, expires_at)
        SELECT :token_hash, :at, :expires_at
        WHERE NOT EXISTS (SELECT 1 FROM users WHERE role = 'admin' AND deleted_at IS NULL)
        RETURNING expires_at
        """,
        {"token_hash": token_hash, "at": at, "expires_at": expires_at},
    ) as rows:
        return await rows.fetchone() is not None


async def is_open(tx: Tx, token_hash: bytes, now: int) -> bool:
    async with tx.execute(
        "SELECT EXISTS (SELECT 1 FROM setup_links WHERE token_hash = :token_hash AND expires_at > :now)",
        {"token_hash": token_hash, "now": now},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return bool(row[0])


async def consume(tx: Tx, token_hash: bytes, now: int) -> bool:
    """Use the link up; False where it is unknown, used or too old."""
    async with tx.execute(
        "DELETE FROM setup_links WHERE token_hash = :token_hash AND expires_at > :now RETURNING expires_at",
        {"token_hash": token_hash, "now": now},
    ) as rows:
        return await rows.fetchone() is not None


async def delete_expired(tx: Tx, now: int) -> None:
    await tx.execute("DELETE FROM setup_links WHERE expires_at <= :now", {"now": now})


async def delete_every(tx: Tx) -> None:
    await tx.execute("DELETE FROM setup_links")
