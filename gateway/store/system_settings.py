"""What an operator set for the whole gateway: one row for each value that is not as released."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import fields

from gateway.model.system_settings import Capture, CrashCharge, SystemSettings
from gateway.store.database import Tx


async def get(tx: Tx) -> SystemSettings:
    """What has no row is as released; rows of other releases are passed over."""
    known = {field.name for field in fields(SystemSettings)}
    async with tx.execute("SELECT name, value FROM settings") as rows:
        found: dict[str, Any] = {row[0]: json.loads(row[1]) for row in await rows.fetchall() if row[0] in known}
    if "capture" in found:
        found["capture"] = Capture(found["capture"])
    if "crash_charge" in found:
        found["crash_charge"] = CrashCharge(found["crash_charge"])
    return SystemSettings(**found)


async def put(tx: Tx, name: str, value: object, at: int, actor: str) -> None:
    """`name` is a field of SystemSettings; `actor` is who sets it, for people."""
    await tx.execute(
        """
        INSERT INTO settings (name, value, updated_at, actor) VALUES (:name, :value, :at, :actor)
        ON CONFLICT (name) DO UPDATE
        SET value = excluded.value, updated_at = excluded.updated_at, actor = excluded.actor
        """,
        {"name": name, "value": json.dumps(value), "at": at, "actor": actor},
    )
