"""The one row that says which configuration is in force and which master key opens it."""

from __future__ import annotations

from gateway.store.database import Tx


async def config_version(tx: Tx) -> int:
    async with tx.execute("SELECT config_version FROM instance") as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def next_config_version(tx: Tx) -> int:
    async with tx.execute("UPDATE instance SET config_version = config_version + 1 RETURNING config_version") as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0])


async def key_verifier(tx: Tx) -> bytes | None:
    """What the master key must open; None in a database that is still empty."""
    async with tx.execute("SELECT key_verifier FROM instance") as rows:
        row = await rows.fetchone()
    return None if row is None else bytes(row[0])


async def begin(tx: Tx, verifier: bytes, at: int) -> None:
    await tx.execute(
        "INSERT INTO instance (only, config_version, key_verifier, created_at) VALUES (1, 1, :verifier, :at)",
        {"verifier": verifier, "at": at},
    )
