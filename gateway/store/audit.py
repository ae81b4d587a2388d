"""Who changed what. Rows are only ever added; triggers refuse the rest."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.model.people import Actor
from gateway.store.database import Tx


@dataclass(frozen=True, slots=True)
class Entry:
    at: int
    actor: Actor
    action: str
    object_kind: str
    object_id: str
    before: str | None
    after: str | None
    config_version: int


async def insert(tx: Tx, entry: Entry) -> None:
    await tx.execute(
        """
        INSERT INTO audit (at, actor_kind, actor_id, actor_name, ip, action, object_kind, object_id,
                           before, after, config_version)
        VALUES (:at, :kind, :id, :name, :ip, :action, :object_kind, :object_id, :before, :after, :version)
        """,
        {
            "at": entry.at,
            "kind": entry.actor.kind,
            "id": entry.actor.id,
            "name": entry.actor.name,
            "ip": entry.actor.ip,
            "action": entry.action,
            "object_kind": entry.object_kind,
            "object_id": entry.object_id,
            "before": entry.before,
            "after": entry.after,
            "version": entry.config_version,
        },
    )
