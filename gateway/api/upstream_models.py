"""`/api/admin/providers/{id}/upstream-models`, `…/refresh-models`, `…/attach` and `…/detach`."""

from __future__ import annotations

import msgspec

from gateway.api.mappings import MappingShown, mapping_shown
from gateway.api.models import ModelShown, model_shown
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import upstream_models
from gateway.control.upstream_models import UpstreamModels


class AttachedShown(msgspec.Struct, frozen=True):
    """What the provider serves now of what was asked. `notes` say what an operator should know."""

    models: tuple[ModelShown, ...]
    mappings: tuple[MappingShown, ...]
    notes: tuple[str, ...]


class Detached(msgspec.Struct, frozen=True):
    """The public names that the provider serves no more."""

    models: tuple[str, ...]


@policy("token")
async def _listed(visit: Visit) -> object:
    return await upstream_models.listed(visit.desk, visit.path["id"])


@policy("token")
async def _refresh(visit: Visit) -> object:
    return await upstream_models.refresh(visit.desk, visit.actor, visit.path["id"])


@policy("token")
async def _attach(visit: Visit) -> object:
    found = await upstream_models.attach(visit.desk, visit.actor, visit.path["id"], visit.body)
    return AttachedShown(
        models=tuple(model_shown(visit.desk, model) for model in found.models),
        mappings=tuple(mapping_shown(visit.desk, mapping) for mapping in found.mappings),
        notes=found.notes,
    )


@policy("token")
async def _detach(visit: Visit) -> object:
    return Detached(await upstream_models.detach(visit.desk, visit.actor, visit.path["id"], visit.body))


_ONE = f"{PREFIX}/providers/{{id}}"

OPERATIONS = (
    Operation(
        "GET",
        f"{_ONE}/upstream-models",
        "list_upstream_models",
        "Ask the provider for its models, and see which of them are served here.",
        _listed,
        UpstreamModels,
    ),
    Operation(
        "POST",
        f"{_ONE}/refresh-models",
        "refresh_models",
        "Ask the provider for its models, and write down which of those served here it has.",
        _refresh,
        UpstreamModels,
    ),
    Operation(
        "POST",
        f"{_ONE}/attach",
        "attach_models",
        "Have it serve these models; those that are missing are made, enabled.",
        _attach,
        AttachedShown,
        200,
        upstream_models.ATTACH_FIELDS,
    ),
    Operation(
        "POST",
        f"{_ONE}/detach",
        "detach_models",
        "Have it serve these models no more; the models stay.",
        _detach,
        Detached,
        200,
        upstream_models.DETACH_FIELDS,
    ),
)
