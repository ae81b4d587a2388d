"""`/api/admin/audit`: who changed what, who signed in, what was refused."""

from __future__ import annotations

import msgspec

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import audit_log
from gateway.control.audit_log import FieldChange
from gateway.control.fields import Field, Kind, read
from gateway.model.audit import Row

_PAGING = (
    Field("before", Kind.INT, "Only rows older than the one with this number.", nullable=True, least=1),
    Field("limit", Kind.INT, "At most so many.", default=100, least=1, most=audit_log.MOST_PER_PAGE),
)


class AuditShown(msgspec.Struct, frozen=True):
    """One row. `changes` are the fields that differ, as JSON; `hash` covers the row and the hash before it."""

    seq: int
    at: int
    actor_kind: str
    actor_id: str
    actor_name: str
    ip: str
    action: str
    object_kind: str
    object_id: str
    object_name: str
    changes: tuple[FieldChange, ...]
    config_version: int
    hash: str | None


class AuditItems(msgspec.Struct, frozen=True):
    """`next_before` as `before` gives the page after; null at the end."""

    items: tuple[AuditShown, ...]
    next_before: int | None


@policy("token")
async def _list(visit: Visit) -> object:
    names = [field.name for field in _PAGING]
    paging = read(_PAGING, {name: visit.query[name] for name in names if name in visit.query}, partial=False, text=True)
    wanted = audit_log.parse_filter({name: value for name, value in visit.query.items() if name not in names})
    page = await audit_log.listing(visit.desk, wanted, paging["before"], paging["limit"])
    return AuditItems(tuple(audit_shown(row) for row in page.items), page.next_before)


def audit_shown(row: Row) -> AuditShown:
    entry = row.entry
    return AuditShown(
        seq=row.seq,
        at=entry.at,
        actor_kind=entry.actor.kind,
        actor_id=entry.actor.id,
        actor_name=entry.actor.name,
        ip=entry.actor.ip,
        action=entry.action,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        object_name=audit_log.name_of(row),
        changes=audit_log.changes(row),
        config_version=entry.config_version,
        hash=row.hash.hex() if row.hash else None,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PREFIX}/audit",
        name="list_audit",
        summary="The audit log, newest first.",
        handler=_list,
        answer=AuditItems,
        query=(*audit_log.FILTERS, *_PAGING),
    ),
)
