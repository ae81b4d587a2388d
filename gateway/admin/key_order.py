"""All provider keys of each API format in their order, and pasting many at once."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from gateway.admin import passwords
from gateway.admin.provider_keys import key_id
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import key_order, key_paste
from gateway.control.key_order import FormatOrder
from gateway.errors import InvalidFields

_PASTED = frozenset({"provider_id", "pool", "api_formats", "secret_note"})
_PASTE_SHOWN = _PASTED | {"api_keys", passwords.FIELD}


class OrderTable(msgspec.Struct, frozen=True):
    """One API format's keys. `ids` is the order as a form sends it, `pools` are those that go by it."""

    order: FormatOrder
    ids: str
    pools: tuple[str, ...]


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    return _page(site, visit, FormView())


@signed_in("providers")
async def save(site: Site, visit: Visit) -> Response:
    typed = {name: visit.form.get(name, "") for name in ("api_format", "ids")}
    try:
        await key_order.reorder(site.desk, visit.actor, typed, text=True)
    except InvalidFields as error:
        return _page(site, visit, FormView({}, error.fields), 422)
    return site.go("/admin/provider-keys/order", "keys_ordered")


@signed_in("providers")
async def move(site: Site, visit: Visit) -> Response:
    api_format, is_up = visit.form.get("api_format", ""), visit.form.get("direction") == "up"
    await key_order.move(site.desk, visit.actor, key_id(visit), api_format, up=is_up)
    return site.go("/admin/provider-keys/order", "keys_ordered")


@signed_in("providers")
async def place(site: Site, visit: Visit) -> Response:
    """A number instead of arrows; an empty one takes the key out of the order."""
    typed = {name: visit.form.get(name, "") for name in ("api_format", "priority")}
    try:
        await key_order.put(site.desk, visit.actor, key_id(visit), typed, text=True)
    except InvalidFields as error:
        return _page(site, visit, FormView({}, error.fields), 422)
    return site.go("/admin/provider-keys/order", "keys_ordered")


@signed_in("providers")
async def show_paste(site: Site, visit: Visit) -> Response:
    asked = visit.request.query_params.get("provider", "")
    named = [one.id for one in site.desk.snapshot().registry.providers if asked in (one.id, one.name)]
    begun = {"provider_id": named[0] if named else ""}
    return _paste_page(site, visit, FormView(begun, shown=_PASTE_SHOWN))


@signed_in("providers")
async def paste(site: Site, visit: Visit) -> Response:
    """What was pasted is never shown again, not even with a fault."""
    typed = {name: value for name, value in visit.form.items() if name in _PASTED}
    try:
        await passwords.require_recent(site, visit)
        given = {**typed, "api_keys": visit.form.get("api_keys", "")}
        await key_paste.paste(site.desk, visit.actor, given, text=True)
    except InvalidFields as error:
        return _paste_page(site, visit, FormView(typed, error.fields, _PASTE_SHOWN), 422)
    return site.go("/admin/provider-keys/order", "keys_pasted")


def _page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    tables = [
        OrderTable(
            order=order,
            ids=",".join(place.key.id for place in order.keys),
            pools=tuple(sorted({place.pool for place in order.keys if place.counts})),
        )
        for order in key_order.by_format(site.desk.snapshot())
    ]
    return site.page(visit, "provider_keys/order.html", status, tables=tables, form=form)


def _paste_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    registry = site.desk.snapshot().registry
    pools = sorted(registry.pools, key=lambda pool: (pool.tier, pool.name))
    return site.page(
        visit,
        "provider_keys/paste.html",
        status,
        form=form,
        providers=sorted(
            ((one.id, one.display_name or one.name) for one in registry.providers), key=lambda one: one[1]
        ),
        pool_names=[(pool.name, pool.name) for pool in pools],
        asks_password=not passwords.is_recent(site, visit),
    )
