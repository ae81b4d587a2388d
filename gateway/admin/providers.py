"""Providers as operators see them: the list of backends, adding one, and what can be done with each."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin import passwords, presets
from gateway.admin.pools import key_groups, pool_cards
from gateway.admin.provider_page import summary_rows
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import backends, pools
from gateway.errors import GatewayError, InvalidFields

_FIELDS = presets.SHOWN - {passwords.FIELD} | {"preset", "label"}


@signed_in("providers")
async def show_list(site: Site, visit: Visit) -> Response:
    found = pools.stats(site.desk)
    return site.page(
        visit,
        "providers/list.html",
        pools=pool_cards(found),
        groups=key_groups(found),
        summaries=summary_rows(site),
    )


@signed_in("providers")
async def show_new(site: Site, visit: Visit) -> Response:
    form = presets.begun(site, visit.request.query_params.get("preset", ""))
    return _new_page(site, visit, form)


@signed_in("providers")
async def create(site: Site, visit: Visit) -> Response:
    try:
        await add(site, visit)
    except InvalidFields as error:
        form = FormView(kept_values(visit), error.fields, presets.SHOWN)
        return _new_page(site, visit, form, 422)
    return site.go("/admin/providers", "provider_added")


@signed_in("providers")
async def enable(site: Site, visit: Visit) -> Response:
    await backends.set_enabled(site.desk, visit.actor, backend_id(visit), enabled=True)
    return site.go("/admin/providers", "backend_enabled")


@signed_in("providers")
async def disable(site: Site, visit: Visit) -> Response:
    await backends.set_enabled(site.desk, visit.actor, backend_id(visit), enabled=False)
    return site.go("/admin/providers", "backend_disabled")


@signed_in("providers")
async def clear(site: Site, visit: Visit) -> Response:
    await backends.clear_cooldown(site.desk, visit.actor, backend_id(visit))
    return site.go("/admin/providers", "backend_cleared")


@signed_in("providers")
async def test(site: Site, visit: Visit) -> Response:
    """Ask the saved backend for its models. What it answers is a result, not an error of ours."""
    backend = backends.find(site.desk, backend_id(visit))
    started = site.desk.clock.mono()
    models: list[str] = []
    fault = ""
    try:
        models = await backends.test(site.desk, backend.id)
    except GatewayError as error:
        fault = error.message
    took_ms = (site.desk.clock.mono() - started) * 1000
    return site.page(visit, "providers/test.html", name=backend.name, models=models, fault=fault, took_ms=took_ms)


async def add(site: Site, visit: Visit) -> None:
    """Make what the posted form describes. Raises InvalidFields."""
    await passwords.require_recent(site, visit)
    given = {name: value for name, value in visit.form.items() if name in _FIELDS}
    await backends.create(site.desk, visit.actor, given, text=True)


def kept_values(visit: Visit) -> dict[str, str]:
    """What was posted, to show it again: all but secrets. A reference to the environment is none."""
    kept = {name: value for name, value in visit.form.items() if name not in ("csrf", passwords.FIELD)}
    if not kept.get("api_key", "").startswith("env:"):
        kept.pop("api_key", None)
    return kept


def backend_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _new_page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    values = presets.values(site, visit, form)
    return site.page(visit, "providers/new.html", status, here="/admin/providers/new", **values)
