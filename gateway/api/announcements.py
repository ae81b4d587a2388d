"""`/api/admin/announcements`: what everybody who signs in is told."""

from __future__ import annotations

from gateway.api.collection import Collection, as_is, operations
from gateway.control import announcements
from gateway.model.announcements import Announcement

OPERATIONS = operations(
    Collection(
        noun="announcement",
        path="/announcements",
        table=announcements.FIELDS,
        answer=Announcement,
        listing=announcements.listing,
        get=announcements.get,
        create=announcements.create,
        update=announcements.update,
        delete=announcements.delete,
        shown=as_is,
    )
)
