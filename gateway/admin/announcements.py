"""Announcements: writing them, and reading them at home and on the overview."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from gateway.admin import markdown
from gateway.admin.field_forms import FormPlan
from gateway.admin.markdown import CleanHtml
from gateway.admin.site import Site, for_anybody, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit, safe_next
from gateway.control import announcements
from gateway.errors import InvalidFields, Stale
from gateway.model.announcements import Announcement, AnnouncementKind

PLAN = FormPlan(
    announcements.FIELDS,
    MappingProxyType(
        {
            "What it says": ("title", "kind"),
            "In Markdown": ("body",),
            "When and where": ("starts_at", "ends_at", "priority", "is_pinned", "is_active"),
        }
    ),
    MappingProxyType(
        {
            "body": "Text",
            "starts_at": "Shown from",
            "ends_at": "Shown until",
            "is_pinned": "Pinned",
            "is_active": "Active",
        }
    ),
    MappingProxyType(
        {
            "title": "In a line.",
            "body": "Markdown: **bold**, `code`, [links](https://example.com), lists.",
            "starts_at": "Such as 2026-12-01T08:00Z. Empty: at once.",
            "ends_at": "Empty: for good.",
            "is_pinned": "Before all others.",
            "is_active": "Off: nobody sees it.",
        }
    ),
)
_KINDS = MappingProxyType({"kind": (("info", "Note"), ("warning", "Warning"), ("maintenance", "Maintenance"))})
_NEW = {"kind": "info", "priority": "50", "is_active": "on"}
_SHADES = {AnnouncementKind.INFO: "", AnnouncementKind.WARNING: "warn", AnnouncementKind.MAINTENANCE: "warn"}
_ICONS = {
    AnnouncementKind.INFO: "info",
    AnnouncementKind.WARNING: "triangle-alert",
    AnnouncementKind.MAINTENANCE: "timer",
}


class Card(msgspec.Struct, frozen=True):
    """An announcement as people see it."""

    of: Announcement
    body: CleanHtml
    shade: str
    symbol: str


def cards(found: Iterable[Announcement]) -> list[Card]:
    return [Card(one, markdown.render(one.body), _SHADES[one.kind], _ICONS[one.kind]) for one in found]


async def unread_cards(site: Site, visit: Visit) -> list[Card]:
    """What the person has not read yet."""
    return cards(await announcements.unread(site.desk, visit.signed_in[0]))


@signed_in("settings")
async def show_list(site: Site, visit: Visit) -> Response:
    now = site.desk.clock.wall_ms()
    rows = [(one, _state(one, now)) for one in await announcements.listing(site.desk)]
    return site.page(visit, "announcements/list.html", rows=rows)


@signed_in("settings")
async def show_new(site: Site, visit: Visit) -> Response:
    return _page(site, visit, None, FormView(_NEW, shown=PLAN.shown))


@signed_in("settings")
async def create(site: Site, visit: Visit) -> Response:
    typed = {name: value for name, value in visit.form.items() if name in PLAN.shown}
    try:
        made = await announcements.create(site.desk, visit.actor, typed, text=True)
    except InvalidFields as error:
        return _page(site, visit, None, FormView(typed, error.fields, PLAN.shown), 422)
    return site.go(f"/admin/announcements/{made.id}", "announcement_saved")


@signed_in("settings")
async def show(site: Site, visit: Visit) -> Response:
    one = await announcements.get(site.desk, _id(visit))
    return _page(site, visit, one, FormView(PLAN.values(one), shown=PLAN.shown))


@signed_in("settings")
async def save(site: Site, visit: Visit) -> Response:
    one = await announcements.get(site.desk, _id(visit))
    typed = PLAN.given(visit.form)
    try:
        await announcements.update(site.desk, visit.actor, one.id, typed, text=True)
    except InvalidFields as error:
        there = {**PLAN.values(one), **{name: str(value) for name, value in typed.items()}}
        return _page(site, visit, one, FormView(there, error.fields, PLAN.shown), 422)
    except Stale as error:
        assert isinstance(error.current, Announcement)
        form = beside({name: str(value) for name, value in typed.items()}, PLAN.values(error.current), PLAN.shown)
        return _page(site, visit, error.current, form, 409)
    return site.go(f"/admin/announcements/{one.id}", "announcement_saved")


@signed_in("settings")
async def ask_delete(site: Site, visit: Visit) -> Response:
    one = await announcements.get(site.desk, _id(visit))
    return site.page(
        visit,
        "confirm.html",
        title=f"Delete “{one.title}”?",
        words="Nobody sees it any more. It stays in the audit log.",
        action=f"/admin/announcements/{one.id}/delete",
        back="/admin/announcements",
        button="Delete",
        typed="",
        form=FormView(),
    )


@signed_in("settings")
async def delete(site: Site, visit: Visit) -> Response:
    await announcements.delete(site.desk, visit.actor, _id(visit))
    return site.go("/admin/announcements", "announcement_deleted")


@for_anybody("home")
async def read(site: Site, visit: Visit) -> Response:
    await announcements.mark_read(site.desk, visit.signed_in[0], _id(visit))
    return site.go(safe_next(visit.form.get("next", "")))


@for_anybody("home-news")
async def show_all(site: Site, visit: Visit) -> Response:
    """Those that hold, read or not."""
    return site.page(visit, "home/announcements.html", cards=cards(await announcements.shown(site.desk)))


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _state(one: Announcement, now: int) -> str:
    if not one.is_active:
        return "off"
    if one.is_shown(now):
        return "shown"
    return "to come" if one.starts_at is not None and now < one.starts_at else "over"


def _page(site: Site, visit: Visit, one: Announcement | None, form: FormView, status: int = 200) -> Response:
    preview = cards([one])[0] if one else None
    return site.page(
        visit, "announcements/one.html", status, one=one, form=form, groups=PLAN.looks(_KINDS), preview=preview
    )
