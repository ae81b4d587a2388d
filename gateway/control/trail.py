"""Audit rows for what is not configuration: signing in and out, first set-up, tokens, passwords, refusals."""

from __future__ import annotations

from gateway.model.audit import Entry
from gateway.model.people import Actor
from gateway.store import audit, instance
from gateway.store.database import Tx


async def note(tx: Tx, actor: Actor, action: str, subject: tuple[str, str], at: int, after: str | None = None) -> None:
    """One audit row about `subject` (kind, id), in the caller's transaction; no new config version."""
    kind, object_id = subject
    version = await instance.config_version(tx)
    await audit.insert(tx, Entry(at, actor, action, kind, object_id, None, after, version))
