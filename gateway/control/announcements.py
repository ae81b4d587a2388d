"""What an administrator tells everybody who signs in, and who has read it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.announcements import Announcement, AnnouncementKind
from gateway.model.people import Actor, User
from gateway.store import announcements

FIELDS: Table = (
    Field("title", Kind.TEXT, "In a line.", required=True, least=1, most=120),
    Field("body", Kind.PARAGRAPH, "Markdown; HTML in it is shown as text.", default=""),
    Field("kind", Kind.CHOICE, "How it looks.", default="info", choices=tuple(AnnouncementKind)),
    Field("priority", Kind.INT, "Lower comes first.", default=50, least=0, most=1000),
    Field("is_pinned", Kind.BOOL, "Before all others.", default=False),
    Field("is_active", Kind.BOOL, "Whether it is shown at all.", default=True),
    Field("starts_at", Kind.TIME, "Shown from then on: Unix milliseconds or ISO 8601; null is at once.", nullable=True),
    Field("ends_at", Kind.TIME, "Shown until then; null is for good.", nullable=True),
)
_SAYING = ("kind", "title", "body")


async def listing(desk: Desk) -> tuple[Announcement, ...]:
    """All of them, in the order in which they are shown."""
    async with desk.db.read() as tx:
        return await announcements.every(tx)


async def get(desk: Desk, announcement_id: str) -> Announcement:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await announcements.get(tx, announcement_id), "announcement")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> Announcement:
    values = _typed(read(FIELDS, raw, partial=False, text=text))
    async with desk.change(actor) as change:
        made = Announcement(id=new_id(), author=actor.name, created_at=change.at, updated_at=change.at, **values)
        _require_window(made)
        await announcements.insert(change.tx, made)
        change.note("create", "announcement", made.id, None, made)
        return made


async def update(
    desk: Desk, actor: Actor, announcement_id: str, raw: Mapping[str, object], *, text: bool = False
) -> Announcement:
    """What says something else than before is unread again. Raises NotFound, InvalidFields and Stale."""
    values = _typed(read(editable(FIELDS), raw, partial=True, text=text))
    async with desk.change(actor) as change:
        before = require(await announcements.get(change.tx, announcement_id), "announcement")
        require_current(before, values, "announcement")
        after = replace(before, **values, updated_at=change.at, version=before.version + 1)
        _require_window(after)
        await announcements.update(change.tx, after)
        if any(getattr(before, name) != getattr(after, name) for name in _SAYING):
            await announcements.forget_reads(change.tx, announcement_id)
        change.note("update", "announcement", announcement_id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, announcement_id: str) -> None:
    """Raises NotFound."""
    async with desk.change(actor) as change:
        before = require(await announcements.get(change.tx, announcement_id), "announcement")
        await announcements.delete(change.tx, announcement_id)
        change.note("delete", "announcement", announcement_id, before, None)


async def shown(desk: Desk) -> tuple[Announcement, ...]:
    """Those that hold now."""
    now = desk.clock.wall_ms()
    return tuple(one for one in await listing(desk) if one.is_shown(now))


async def unread(desk: Desk, user: User) -> tuple[Announcement, ...]:
    """Those that hold now and that the person has not read."""
    async with desk.db.read() as tx:
        known = await announcements.read_by(tx, user.id)
    return tuple(one for one in await shown(desk) if one.id not in known)


async def mark_read(desk: Desk, user: User, announcement_id: str) -> None:
    """Raises NotFound for one that is not shown at present."""
    require(next((one for one in await shown(desk) if one.id == announcement_id), None), "announcement")
    async with desk.db.write() as tx:
        await announcements.mark_read(tx, announcement_id, user.id, desk.clock.wall_ms())


def _typed(values: Values) -> Values:
    return {**values, "kind": AnnouncementKind(values["kind"])} if "kind" in values else values


def _require_window(one: Announcement) -> None:
    if one.starts_at is not None and one.ends_at is not None and one.ends_at <= one.starts_at:
        raise InvalidFields({"ends_at": "must be after starts_at"})
