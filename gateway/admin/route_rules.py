"""Route rules as chains: which model serves a purpose now, and changing that."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from gateway.admin import explain
from gateway.admin.model_forms import LOOKS
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import route_chains, route_rules
from gateway.errors import InvalidFields, Stale
from gateway.model.registry import GLOBAL_ROUTE_KEY, ModelStatus, RouteRule, RouteType

_FIELDS = frozenset({"route_type", "route_key", "model_id", "priority", "is_enabled", "note", "version"})
_SHOWN = _FIELDS - {"version"}
_NEW = {"route_type": RouteType.AGENT.value, "priority": "50", "is_enabled": "on"}
_TYPES = (
    (RouteType.AGENT.value, "AGENT: x-gateway-agent"),
    (RouteType.BUSINESS.value, "BUSINESS: x-gateway-business"),
    (RouteType.CAPABILITY.value, "CAPABILITY: x-gateway-capability"),
    (RouteType.GLOBAL.value, "GLOBAL: every other call"),
)


@signed_in("models")
async def show_list(site: Site, visit: Visit) -> Response:
    return site.page(
        visit,
        "routes/list.html",
        chains=route_chains.chains(site.desk.snapshot()),
        looks=LOOKS,
        global_key=GLOBAL_ROUTE_KEY,
        explained=await explain.asked(site, visit, {"model": "auto"}),
    )


@signed_in("models")
async def show_new(site: Site, visit: Visit) -> Response:
    query = visit.request.query_params
    begun = {name: query[name][:200] for name in ("route_type", "route_key", "model_id") if name in query}
    return _form_page(site, visit, FormView({**_NEW, **begun}, shown=_SHOWN), None)


@signed_in("models")
async def create(site: Site, visit: Visit) -> Response:
    typed = _typed(visit)
    try:
        await route_rules.create(site.desk, visit.actor, typed, text=True)
    except InvalidFields as error:
        return _form_page(site, visit, FormView(typed, error.fields, _SHOWN), None, 422)
    return site.go("/admin/route-rules", "rule_made")


@signed_in("models")
async def show(site: Site, visit: Visit) -> Response:
    rule = await route_rules.get(site.desk, _rule_id(visit))
    return _form_page(site, visit, FormView(_values(rule), shown=_SHOWN), rule)


@signed_in("models")
async def save(site: Site, visit: Visit) -> Response:
    rule = await route_rules.get(site.desk, _rule_id(visit))
    typed = _typed(visit)
    try:
        await route_rules.update(site.desk, visit.actor, rule.id, typed, text=True)
    except InvalidFields as error:
        return _form_page(site, visit, FormView({**_values(rule), **typed}, error.fields, _SHOWN), rule, 422)
    except Stale as error:
        assert isinstance(error.current, RouteRule)
        return _form_page(site, visit, beside(typed, _values(error.current), _SHOWN), error.current, 409)
    return site.go("/admin/route-rules", "rule_saved")


@signed_in("models")
async def move(site: Site, visit: Visit) -> Response:
    await route_chains.move(site.desk, visit.actor, _rule_id(visit), up=visit.form.get("direction") == "up")
    return site.go("/admin/route-rules", "rule_moved")


@signed_in("models")
async def place(site: Site, visit: Visit) -> Response:
    """A number instead of arrows: the priority as it was typed."""
    try:
        wanted = {"priority": visit.form.get("priority", "")}
        await route_rules.update(site.desk, visit.actor, _rule_id(visit), wanted, text=True)
    except InvalidFields as error:
        rule = await route_rules.get(site.desk, _rule_id(visit))
        return _form_page(site, visit, FormView({**_values(rule), **wanted}, error.fields, _SHOWN), rule, 422)
    return site.go("/admin/route-rules", "rule_moved")


@signed_in("models")
async def enable(site: Site, visit: Visit) -> Response:
    await route_rules.update(site.desk, visit.actor, _rule_id(visit), {"is_enabled": True})
    return site.go("/admin/route-rules", "rule_saved")


@signed_in("models")
async def disable(site: Site, visit: Visit) -> Response:
    await route_rules.update(site.desk, visit.actor, _rule_id(visit), {"is_enabled": False})
    return site.go("/admin/route-rules", "rule_saved")


@signed_in("models")
async def ask_delete(site: Site, visit: Visit) -> Response:
    rule = await route_rules.get(site.desk, _rule_id(visit))
    key = "" if rule.route_type is RouteType.GLOBAL else f" {rule.route_key}"
    return site.page(
        visit,
        "confirm.html",
        title=f"Delete the rule {rule.route_type}{key}?",
        words="The model stays. The other rules of the chain stay in their order.",
        action=f"/admin/route-rules/{rule.id}/delete",
        back="/admin/route-rules",
        button="Delete",
        typed="",
        form=FormView(),
    )


@signed_in("models")
async def delete(site: Site, visit: Visit) -> Response:
    await route_rules.delete(site.desk, visit.actor, _rule_id(visit))
    return site.go("/admin/route-rules", "rule_deleted")


def _rule_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _typed(visit: Visit) -> dict[str, str]:
    typed = {name: value for name, value in visit.form.items() if name in _FIELDS}
    if typed.get("route_type") == RouteType.GLOBAL:
        typed["route_key"] = GLOBAL_ROUTE_KEY  # the only one it can have, whatever stands in the field
    return typed


def _values(rule: RouteRule) -> dict[str, str]:
    return {
        "route_type": rule.route_type.value,
        "route_key": "" if rule.route_type is RouteType.GLOBAL else rule.route_key,
        "model_id": rule.model_id,
        "priority": str(rule.priority),
        "is_enabled": "on" if rule.is_enabled else "",
        "note": rule.note,
        "version": str(rule.version),
    }


def _form_page(site: Site, visit: Visit, form: FormView, rule: RouteRule | None, status: int = 200) -> Response:
    models = [
        (model.id, model.code if model.status is ModelStatus.ENABLED else f"{model.code} ({model.status.lower()})")
        for model in site.desk.snapshot().registry.models
        if model.status is not ModelStatus.DEPRECATED or (rule is not None and rule.model_id == model.id)
    ]
    values: Mapping[str, str] = form.values
    return site.page(
        visit,
        "routes/form.html",
        status,
        form=form,
        rule=rule,
        is_global=values.get("route_type") == RouteType.GLOBAL,
        types=_TYPES,
        models=models,
        title="Change a route rule" if rule else "Add a route rule",
        action=f"/admin/route-rules/{rule.id}" if rule else "/admin/route-rules/new",
        button="Save" if rule else "Add the rule",
    )
