"""Checking a model and sending it a message, from its page."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.model_page import Forms, model_id, page
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import model_checks, model_tests, models
from gateway.errors import Conflict, InvalidFields

_TRIED = ("message", "system_prompt", "backend")


@signed_in("models")
async def check(site: Site, visit: Visit) -> Response:
    raw = {"probe": visit.form.get("probe", "")}
    found = await model_checks.run(site.desk, visit.actor, model_id(visit), raw, text=True)
    return site.go(f"/admin/models/{found.model_id}#checks", "model_checked")


@signed_in("models")
async def test(site: Site, visit: Visit) -> Response:
    model = await models.get(site.desk, model_id(visit))
    typed = {name: visit.form[name] for name in _TRIED if name in visit.form}
    try:
        await model_tests.run(site.desk, visit.actor, model.id, typed, text=True)
    except InvalidFields as error:
        return await page(site, visit, model, Forms(trial=FormView(typed, error.fields, frozenset(_TRIED))), 422)
    except Conflict as error:
        form = FormView(typed, {"form": error.message}, frozenset(_TRIED))
        return await page(site, visit, model, Forms(trial=form), 409)
    return site.go(f"/admin/models/{model.id}#tests", "model_tried")
