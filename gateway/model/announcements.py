"""What an administrator tells everybody who signs in."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class AnnouncementKind(StrEnum):
    INFO = "info"
    WARNING = "warning"
    MAINTENANCE = "maintenance"


class Announcement(msgspec.Struct, frozen=True):
    """`body` is Markdown. It is shown from `starts_at` (inclusive) to `ends_at` (exclusive), Unix ms; None is open.

    Pinned ones come first, then those of lower `priority`, then newer ones.
    """

    id: str
    kind: AnnouncementKind
    title: str
    body: str
    priority: int
    is_pinned: bool
    is_active: bool
    starts_at: int | None
    ends_at: int | None
    author: str
    created_at: int
    updated_at: int
    version: int = 1

    def is_shown(self, now: int) -> bool:
        is_begun = self.starts_at is None or self.starts_at <= now
        return self.is_active and is_begun and (self.ends_at is None or now < self.ends_at)
