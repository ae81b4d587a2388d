"""What a provider lists: picking from it, attaching and detaching."""

from __future__ import annotations

from starlette.responses import Response

from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.control import upstream_models
from gateway.control.upstream_models import UpstreamModel, UpstreamModels
from gateway.errors import GatewayError, InvalidFields, NotFound

_PICKED = "pick:"
_MOST_SHOWN = 180
"""A form may have 200 fields, and each box that is ticked is one."""


@signed_in("providers")
async def show(site: Site, visit: Visit) -> Response:
    return await _page(site, visit, FormView())


@signed_in("providers")
async def attach(site: Site, visit: Visit) -> Response:
    try:
        await upstream_models.attach(site.desk, visit.actor, _provider_id(visit), {"models": _picked(visit)})
    except InvalidFields as error:
        return await _page(site, visit, FormView(visit.form, error.fields), 422)
    address = _address(visit)
    return site.go(address, "models_attached")


@signed_in("providers")
async def detach(site: Site, visit: Visit) -> Response:
    try:
        await upstream_models.detach(site.desk, visit.actor, _provider_id(visit), {"models": _picked(visit)})
    except InvalidFields as error:
        return await _page(site, visit, FormView(visit.form, error.fields), 422)
    address = _address(visit)
    return site.go(address, "models_detached")


@signed_in("providers")
async def refresh(site: Site, visit: Visit) -> Response:
    await upstream_models.refresh(site.desk, visit.actor, _provider_id(visit))
    address = _address(visit)
    return site.go(address, "models_refreshed")


def _provider_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _address(visit: Visit) -> str:
    return f"/admin/providers/{_provider_id(visit)}/models"


def _picked(visit: Visit) -> list[str]:
    """The names whose box was ticked. Raises InvalidFields where none was."""
    found = [name.removeprefix(_PICKED) for name in visit.form if name.startswith(_PICKED)]
    if not found:
        raise InvalidFields({"form": "Tick at least one model first."})
    return found


async def _page(site: Site, visit: Visit, form: FormView, status: int = 200) -> Response:
    """Asks the provider each time. That it does not answer is something to show, not an error of ours."""
    provider = upstream_models.known(site.desk, _provider_id(visit))
    text = visit.request.query_params.get("q", "").strip()[:200]
    found, fault = await _listed(site, provider.id)
    matching = [model for model in found.models if _matches(model, text)] if found else []
    return site.page(
        visit,
        "models/upstream.html",
        status,
        provider=provider,
        backend=found.backend if found else "",
        fault=fault,
        form=form,
        q=text,
        models=matching[:_MOST_SHOWN],
        left_out=max(0, len(matching) - _MOST_SHOWN),
        total=len(found.models) if found else 0,
        picked={name.removeprefix(_PICKED) for name in visit.form if name.startswith(_PICKED)},
        is_stale=any(model.is_available not in (None, model.is_listed) for model in found.models) if found else False,
    )


async def _listed(site: Site, provider_id: str) -> tuple[UpstreamModels | None, str]:
    try:
        return await upstream_models.listed(site.desk, provider_id), ""
    except NotFound:
        raise
    except GatewayError as error:
        return None, error.message


def _matches(model: UpstreamModel, text: str) -> bool:
    low = text.lower()
    return low in model.name.lower() or any(low in code for code in model.models)
