"""The audit log: who changed what, newest first, with each field before and after."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import audit_log
from gateway.control.audit_log import FieldChange, Page
from gateway.errors import InvalidFields
from gateway.model.audit import Row

PER_PAGE = 50
FILTERS = ("actor", "action", "object_kind", "object_id", "since", "until")
ACTIONS = (
    *("create", "update", "delete", "restore", "enable", "disable", "rotate", "reveal", "top_up"),
    *("sign_in", "sign_in_failed", "sign_out", "sign_out_everywhere", "change_password", "confirm_password"),
    *("refused", "test", "check"),
)
KINDS = (
    *("user", "api_key", "management_token", "session", "settings", "announcement"),
    *("provider", "endpoint", "provider_key", "pool", "model", "mapping", "route_rule", "request"),
)
_PAGES = {
    "user": "users",
    "api_key": "keys",
    "provider": "providers",
    "endpoint": "endpoints",
    "provider_key": "provider-keys",
    "pool": "pools",
    "model": "models",
    "mapping": "mappings",
    "route_rule": "route-rules",
}


class Line(msgspec.Struct, frozen=True):
    """A row with its words. `address` is the page of what it was done to; empty where it has none or is gone."""

    row: Row
    name: str
    address: str
    changes: tuple[FieldChange, ...]


@signed_in("audit")
async def show(site: Site, visit: Visit) -> Response:
    query = visit.request.query_params
    values = {name: query[name].strip()[:200] for name in FILTERS if query.get(name, "").strip()}
    before = _number(query.get("before", ""))
    form, page = await _found(site, values, before)
    older = {**values, "before": str(page.next_before)} if page and page.next_before else None
    return site.page(
        visit,
        "audit/list.html",
        422 if form.faults else 200,
        form=form,
        lines=[line_of(row) for row in page.items] if page else (),
        actions=_with_chosen(ACTIONS, values.get("action")),
        kinds=_with_chosen(KINDS, values.get("object_kind")),
        filtered=bool(values),
        older=f"{site.root}/admin/audit?{urlencode(older)}" if older else None,
        newest=f"{site.root}/admin/audit?{urlencode(values)}" if before else None,
    )


def line_of(row: Row, *, linked: bool = True) -> Line:
    entry = row.entry
    place = _PAGES.get(entry.object_kind, "")
    is_there = linked and bool(place and entry.object_id and entry.action != "delete")
    address = f"/admin/{place}/{entry.object_id}" if is_there else ""
    return Line(row, audit_log.name_of(row), address, audit_log.changes(row))


async def _found(site: Site, values: Mapping[str, str], before: int | None) -> tuple[FormView, Page | None]:
    """The form and the page it asks for; with faults instead of a page where the filter means nothing."""
    try:
        wanted = audit_log.parse_filter(values)
    except InvalidFields as error:
        return FormView(values, error.fields), None
    return FormView(values), await audit_log.listing(site.desk, wanted, before, PER_PAGE)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 16 else None


def _with_chosen(words: tuple[str, ...], chosen: str | None) -> tuple[str, ...]:
    return words if chosen is None or chosen in words else (*words, chosen)
