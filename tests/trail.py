"""The audit log as tests read it."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.control.desk import Desk


@dataclass(frozen=True)
class AuditRow:
    action: str
    object_kind: str
    object_id: str
    actor_name: str
    ip: str
    before: str | None
    after: str | None
    config_version: int


async def audit_rows(desk: Desk) -> list[AuditRow]:
    """Oldest first."""
    async with (
        desk.db.read() as tx,
        tx.execute(
            """
        SELECT action, object_kind, object_id, actor_name, ip, before, after, config_version
        FROM audit ORDER BY seq
        """
        ) as rows,
    ):
        return [AuditRow(*row) for row in await rows.fetchall()]
