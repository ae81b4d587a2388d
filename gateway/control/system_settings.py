"""What an administrator sets for the whole gateway."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.versions import editable, require_current
from gateway.model.people import Actor
from gateway.model.system_settings import Capture, CrashCharge, SystemSettings
from gateway.store import system_settings

_DEFAULT = SystemSettings()

FIELDS: Table = (
    Field(
        "capture",
        Kind.CHOICE,
        "Whose headers and bodies are kept: of no call, of those that fail, or of all. They are sealed.",
        default=_DEFAULT.capture.value,
        choices=tuple(Capture),
    ),
    Field(
        "capture_bytes",
        Kind.INT,
        "Bytes of each body that are kept at most; the rest is cut off.",
        default=_DEFAULT.capture_bytes,
        least=0,
        most=1_048_576,
    ),
    Field(
        "capture_days",
        Kind.INT,
        "Days after which kept headers and bodies are deleted.",
        default=_DEFAULT.capture_days,
        least=0,
        most=3650,
    ),
    Field(
        "retention_days",
        Kind.INT,
        "Days after which requests are deleted; their sums stay. Null keeps them.",
        nullable=True,
        default=_DEFAULT.retention_days,
        least=1,
        most=36_500,
    ),
    Field(
        "retention_bytes",
        Kind.INT,
        "Bytes that the database may have before the oldest requests are deleted. Null: any number.",
        nullable=True,
        default=_DEFAULT.retention_bytes,
        least=16 * 1024**2,
        most=1024**5,
    ),
    Field(
        "crash_charge",
        Kind.CHOICE,
        "What a call costs that a crash cut off: its input, or in full all that was reserved for it.",
        default=_DEFAULT.crash_charge.value,
        choices=tuple(CrashCharge),
    ),
    Field(
        "default_output_tokens",
        Kind.INT,
        "Tokens reserved for the answer to a call that does not bound it.",
        default=_DEFAULT.default_output_tokens,
        least=1,
        most=10_000_000,
    ),
)


async def get(desk: Desk) -> SystemSettings:
    async with desk.db.read() as tx:
        return await system_settings.get(tx)


async def update(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> SystemSettings:
    """Change what is sent; it holds for calls from now on. Raises InvalidFields and Stale."""
    values = _typed(read(editable(FIELDS), raw, partial=True, text=text))
    async with desk.change(actor) as change:
        before = await system_settings.get(change.tx)
        require_current(before, values, "page of settings")
        after = replace(before, **values, version=before.version + 1)
        for name in (*values, "version"):
            await system_settings.put(change.tx, name, getattr(after, name), change.at, actor.name)
        change.note("update", "settings", "settings", before, after)
        return after


def _typed(values: Values) -> Values:
    found = dict(values)
    if "capture" in found:
        found["capture"] = Capture(found["capture"])
    if "crash_charge" in found:
        found["crash_charge"] = CrashCharge(found["crash_charge"])
    return found
