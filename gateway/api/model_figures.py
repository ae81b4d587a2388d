"""`/api/admin/models/figures`: the list of models as its page shows it, with targets, use, checks and tests."""

from __future__ import annotations

import msgspec

from gateway.api.collection import PAGING, Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import model_list
from gateway.control.fields import read
from gateway.control.model_list import ModelRow, ModelTier


class TargetShown(msgspec.Struct, frozen=True):
    """A backend that serves the model. `status` is how it is doing now."""

    backend_id: str
    backend: str
    upstream_name: str
    status: str


class TierShown(msgspec.Struct, frozen=True):
    """The targets of one pool, in the order of trying."""

    pool: str
    targets: tuple[TargetShown, ...]


class ModelFigures(msgspec.Struct, frozen=True):
    """`share_24h` is of all calls that found a model, null without any. Tests are of the last seven days."""

    id: str
    code: str
    status: str
    tiers: tuple[TierShown, ...]
    calls_24h: int
    share_24h: float | None
    check_status: str | None
    checked_at: int | None
    tests_passed: int
    tests_failed: int


def _tier_shown(tier: ModelTier) -> TierShown:
    return TierShown(
        tier.pool,
        tuple(
            TargetShown(one.backend.id, one.backend.name, one.upstream_name, one.backend.status.value)
            for one in tier.targets
        ),
    )


def _shown(row: ModelRow) -> ModelFigures:
    return ModelFigures(
        id=row.model.id,
        code=row.model.code,
        status=row.model.status.value,
        tiers=tuple(_tier_shown(tier) for tier in row.tiers),
        calls_24h=row.calls,
        share_24h=row.share,
        check_status=row.check.status.value if row.check else None,
        checked_at=row.check.at if row.check else None,
        tests_passed=row.passed,
        tests_failed=row.failed,
    )


@policy("token")
async def _figures(visit: Visit) -> object:
    values = read((*model_list.FILTERS, *PAGING), visit.query, partial=False, text=True)
    wanted = model_list.parse_filter({name: visit.query[name] for name in ("status", "q") if name in visit.query})
    found = await model_list.search(visit.desk, wanted)
    chosen = found[values["offset"] : values["offset"] + values["limit"]]
    return Items(tuple(_shown(row) for row in await model_list.rows(visit.desk, chosen)), len(found))


OPERATIONS = (
    Operation(
        "GET",
        f"{PREFIX}/models/figures",
        "list_model_figures",
        "Models that match, with who serves them, their use, their newest check and their tests.",
        _figures,
        ModelFigures,
        query=(*model_list.FILTERS, *PAGING),
        is_list=True,
    ),
)
