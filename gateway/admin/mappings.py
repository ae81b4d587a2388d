"""Mappings, from the page of their model: adding one, changing it, taking it away."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.model_forms import MAPPING_FIELDS, given, mapping_values
from gateway.admin.model_page import Forms, model_id, page
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import mappings, models, providers
from gateway.errors import InvalidFields, Stale
from gateway.model.registry import ModelMapping

_ADDED = ("provider_id", "upstream_name")
_EDITED = MAPPING_FIELDS - {"version"}


@signed_in("models")
async def add(site: Site, visit: Visit) -> Response:
    model = await models.get(site.desk, model_id(visit))
    typed = {name: visit.form[name] for name in _ADDED if name in visit.form}
    try:
        await mappings.create(site.desk, visit.actor, {**typed, "model_id": model.id}, text=True)
    except InvalidFields as error:
        return await page(site, visit, model, Forms(add=FormView(typed, error.fields, frozenset(_ADDED))), 422)
    return site.go(f"/admin/models/{model.id}", "mapping_made")


@signed_in("models")
async def show(site: Site, visit: Visit) -> Response:
    mapping = await mappings.get(site.desk, model_id(visit))
    return await _page(site, visit, mapping, FormView(mapping_values(mapping), shown=_EDITED))


@signed_in("models")
async def save(site: Site, visit: Visit) -> Response:
    mapping = await mappings.get(site.desk, model_id(visit))
    typed = {name: value for name, value in visit.form.items() if name in MAPPING_FIELDS}
    try:
        await mappings.update(site.desk, visit.actor, mapping.id, given(typed, MAPPING_FIELDS), text=True)
    except InvalidFields as error:
        form = FormView({**mapping_values(mapping), **typed}, error.fields, _EDITED)
        return await _page(site, visit, mapping, form, 422)
    except Stale as error:
        assert isinstance(error.current, ModelMapping)
        return await _page(site, visit, error.current, beside(typed, mapping_values(error.current), _EDITED), 409)
    return site.go(f"/admin/models/{mapping.model_id}", "mapping_saved")


@signed_in("models")
async def ask_delete(site: Site, visit: Visit) -> Response:
    mapping = await mappings.get(site.desk, model_id(visit))
    model = await models.get(site.desk, mapping.model_id)
    provider = await providers.get(site.desk, mapping.provider_id)
    return site.page(
        visit,
        "confirm.html",
        title=f"Detach {provider.name} from {model.code}?",
        words="Calls for the model no longer go to this provider. Prices and names that are set here are lost.",
        action=f"/admin/mappings/{mapping.id}/delete",
        back=f"/admin/models/{model.id}",
        button="Detach",
        typed="",
        form=FormView(),
    )


@signed_in("models")
async def delete(site: Site, visit: Visit) -> Response:
    mapping = await mappings.get(site.desk, model_id(visit))
    await mappings.delete(site.desk, visit.actor, mapping.id)
    return site.go(f"/admin/models/{mapping.model_id}", "mapping_deleted")


async def _page(site: Site, visit: Visit, mapping: ModelMapping, form: FormView, status: int = 200) -> Response:
    return site.page(
        visit,
        "models/mapping.html",
        status,
        mapping=mapping,
        model=await models.get(site.desk, mapping.model_id),
        provider=await providers.get(site.desk, mapping.provider_id),
        form=form,
    )
