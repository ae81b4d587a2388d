"""One model: what it is, who serves it, how it is doing, and what can be done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from gateway.admin import explain
from gateway.admin.model_forms import (
    CHECK_LOOKS,
    FIELDS,
    LOOKS,
    given,
    model_values,
    price_words,
)
from gateway.admin.pools import several
from gateway.admin.prices import PriceRow, row_of
from gateway.admin.site import Site, signed_in
from gateway.admin.stale import beside
from gateway.admin.visits import FormView, Visit
from gateway.control import model_checks, model_summary, model_tests, models, price_list, routable
from gateway.errors import Conflict, InvalidFields, Stale
from gateway.model.checks import CheckStatus, Probe
from gateway.model.registry import MODEL_TRANSITIONS, TRANSLATABLE, Model, ModelMapping, ModelStatus
from gateway.routing.snapshot import Backend

PROBES = (
    (Probe.MODELS.value, "Ask for their models (free)"),
    (Probe.COMPLETION.value, "Ask for one token"),
    (Probe.NONE.value, "Configuration only"),
)
_STEPS: Mapping[ModelStatus, tuple[str, str]] = MappingProxyType(
    {
        ModelStatus.ENABLED: ("Enable", "play"),
        ModelStatus.DISABLED: ("Disable", "pause"),
        ModelStatus.DEPRECATED: ("Deprecate", "circle-slash"),
    }
)
_EDITED = FIELDS - {"version"}
_ADDED = frozenset({"provider_id", "upstream_name"})
_TRIED = frozenset({"message", "system_prompt", "backend"})


class Step(msgspec.Struct, frozen=True):
    """A button that leads to another state of its life."""

    status: str
    words: str
    symbol: str


class MappingRow(msgspec.Struct, frozen=True):
    """A provider that serves it, and what it costs there."""

    mapping: ModelMapping
    provider: str
    price: PriceRow


class Forms(msgspec.Struct, frozen=True):
    """What stands in the forms of the page; an empty one is as it begins."""

    edit: FormView | None = None
    add: FormView | None = None
    trial: FormView | None = None


@signed_in("models")
async def show(site: Site, visit: Visit) -> Response:
    return await page(site, visit, await models.get(site.desk, model_id(visit)))


@signed_in("models")
async def save(site: Site, visit: Visit) -> Response:
    model = await models.get(site.desk, model_id(visit))
    typed = {name: value for name, value in visit.form.items() if name in FIELDS}
    try:
        await models.update(site.desk, visit.actor, model.id, given(typed, FIELDS), text=True)
    except InvalidFields as error:
        form = FormView({**model_values(model), **typed}, error.fields, _EDITED)
        return await page(site, visit, model, Forms(edit=form), 422)
    except Stale as error:
        assert isinstance(error.current, Model)
        form = beside(typed, model_values(error.current), _EDITED)
        return await page(site, visit, error.current, Forms(edit=form), 409)
    return site.go(f"/admin/models/{model.id}", "model_saved")


@signed_in("models")
async def step(site: Site, visit: Visit) -> Response:
    """Another state of its life; what it lacks for that is told on its page."""
    model = await models.get(site.desk, model_id(visit))
    wanted = {"status": visit.form.get("status", "")}
    try:
        after = await models.update(site.desk, visit.actor, model.id, wanted)
    except InvalidFields as error:
        words = f"{model.code} {error.fields['status']}."
        form = FormView(model_values(model), {"form": words}, _EDITED)
        return await page(site, visit, model, Forms(edit=form), 422)
    address = f"/admin/models/{model.id}"
    if after.status is ModelStatus.ENABLED:
        return site.go(address, "model_enabled")
    if after.status is ModelStatus.DISABLED:
        return site.go(address, "model_disabled")
    return site.go(address, "model_deprecated")


@signed_in("models")
async def ask_delete(site: Site, visit: Visit) -> Response:
    return await _delete_page(site, visit, {})


@signed_in("models")
async def delete(site: Site, visit: Visit) -> Response:
    model = await models.get(site.desk, model_id(visit))
    if visit.form.get("typed", "").strip() != model.code:
        return await _delete_page(site, visit, {"typed": f"must be {model.code}"})
    try:
        await models.delete(site.desk, visit.actor, model.id)
    except Conflict as error:
        form = FormView(model_values(model), {"form": error.message}, _EDITED)
        return await page(site, visit, model, Forms(edit=form), 409)
    return site.go("/admin/models", "model_deleted")


def model_id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


async def page(site: Site, visit: Visit, model: Model, forms: Forms = Forms(), status: int = 200) -> Response:
    """The whole page, with faults where a form has some."""
    desk = site.desk
    snapshot = desk.snapshot()
    checks = await model_checks.history(desk, model.id)
    backends = model_tests.backends_of(desk, model)
    mapped = {row.provider_id for row in snapshot.registry.mappings if row.model_id == model.id}
    others = [(row.id, row.name) for row in snapshot.registry.providers if row.id not in mapped]
    return site.page(
        visit,
        "models/one.html",
        status,
        model=model,
        look=LOOKS[model.status],
        price=price_words(price_list.of_model(snapshot, model)),
        is_listed=model.price is None,
        steps=_steps(model),
        notes=routable.notes(snapshot, model),
        rules=routable.rules_of(snapshot.registry, model.id),
        mappings=_mappings(site, model),
        checks=checks,
        check_looks=CHECK_LOOKS,
        is_checked_well=bool(checks) and checks[0].status is CheckStatus.HEALTHY,
        probes=PROBES,
        tests=await model_tests.history(desk, model.id),
        uses=await model_summary.uses_of(desk, model.code),
        backends=[("", "Any backend"), *_choices(backends, several(snapshot))],
        form=forms.edit or FormView(model_values(model), shown=_EDITED),
        add=forms.add or FormView(shown=_ADDED),
        providers=sorted(others, key=lambda other: other[1]),
        trial=forms.trial or FormView(shown=_TRIED),
        explained=await explain.asked(site, visit, {"model": model.code}),
    )


def _choices(backends: Iterable[Backend], names: frozenset[str]) -> list[tuple[str, str]]:
    """Those that a chat can be sent to; `names` that several have come with the API format."""
    return [
        (one.id, f"{one.name} ({one.endpoint.api_format})" if one.name in names else one.name)
        for one in backends
        if one.endpoint.api_format in TRANSLATABLE
    ]


def _steps(model: Model) -> list[Step]:
    allowed = MODEL_TRANSITIONS[model.status]
    return [Step(status.value, words, symbol) for status, (words, symbol) in _STEPS.items() if status in allowed]


def _mappings(site: Site, model: Model) -> list[MappingRow]:
    found = price_list.effective(site.desk.snapshot(), model_id=model.id)
    return [MappingRow(one.mapping, one.provider.name, row_of(one)) for one in found]


async def _delete_page(site: Site, visit: Visit, faults: Mapping[str, str]) -> Response:
    model = await models.get(site.desk, model_id(visit))
    return site.page(
        visit,
        "confirm.html",
        422 if faults else 200,
        title=f"Delete {model.code}?",
        words="This deletes the model with its mappings, checks and tests. Its requests stay in the list. It cannot be "
        "taken back; disabling can.",
        action=f"/admin/models/{model.id}/delete",
        back=f"/admin/models/{model.id}",
        button="Delete",
        typed=model.code,
        form=FormView({}, faults, frozenset({"typed"})),
    )
