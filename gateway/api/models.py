"""`/api/admin/models`. Prices are exact decimal strings in dollars."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.collection import PAGING, Collection, Items, operations
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import model_list, model_summary, models, routable
from gateway.control.desk import Desk
from gateway.control.fields import read
from gateway.control.model_summary import SourceUse
from gateway.control.price_kinds import TierShown, tier_shown
from gateway.model.registry import Model
from gateway.money import exact_dollars


class ModelShown(msgspec.Struct, frozen=True):
    """A public model; prices are null where it is unpriced. `notes` say what an operator should know of it."""

    id: str
    code: str
    display_name: str
    status: str
    input_price: str | None
    output_price: str | None
    cache_read_price: str | None
    cache_creation_price: str | None
    request_price: str | None
    created_at: int
    updated_at: int
    description: str
    aliases: tuple[str, ...]
    capabilities: tuple[str, ...] | None
    context_limit: int | None
    output_limit: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    family: str
    knowledge_cutoff: str
    version: int
    notes: tuple[str, ...]
    cache_creation_1h_price: str | None
    price_tiers: tuple[TierShown, ...]


def model_shown(desk: Desk, row: Model) -> ModelShown:
    price = row.price
    return ModelShown(
        id=row.id,
        code=row.code,
        display_name=row.display_name,
        status=row.status.value,
        input_price=None if price is None else exact_dollars(price.input),
        output_price=None if price is None else exact_dollars(price.output),
        cache_read_price=None if price is None else exact_dollars(price.cache_read),
        cache_creation_price=None if price is None else exact_dollars(price.cache_creation),
        request_price=None if price is None else exact_dollars(price.per_request),
        created_at=row.created_at,
        updated_at=row.updated_at,
        description=row.description,
        aliases=row.aliases,
        capabilities=row.capabilities,
        context_limit=row.context_limit,
        output_limit=row.output_limit,
        input_modalities=row.input_modalities,
        output_modalities=row.output_modalities,
        family=row.family,
        knowledge_cutoff=row.knowledge_cutoff,
        version=row.version,
        notes=routable.notes(desk.snapshot(), row),
        cache_creation_1h_price=None
        if price is None or price.cache_creation_1h is None
        else exact_dollars(price.cache_creation_1h),
        price_tiers=tuple(tier_shown(tier) for tier in row.price_tiers),
    )


class SourceUseShown(msgspec.Struct, frozen=True):
    """Use of the last seven days from one source; `API` and `TEST` are this gateway's, others were reported."""

    source: str
    is_reported: bool
    requests: int
    successes: int
    input_tokens: int
    output_tokens: int
    cost: str
    unpriced: int


class ModelsSummaryShown(msgspec.Struct, frozen=True):
    """`unhealthy` are enabled models whose newest check is not HEALTHY, or that were never checked."""

    total: int
    statuses: Mapping[str, int]
    rules_total: int
    rules: Mapping[str, int]
    unhealthy: tuple[str, ...]
    uses: tuple[SourceUseShown, ...]
    tests_passed: int
    tests_failed: int


def use_shown(use: SourceUse) -> SourceUseShown:
    return SourceUseShown(
        source=use.source,
        is_reported=use.is_reported,
        requests=use.requests,
        successes=use.successes,
        input_tokens=use.input_tokens,
        output_tokens=use.output_tokens,
        cost=exact_dollars(use.cost_nano),
        unpriced=use.unpriced,
    )


@policy("token")
async def _list(visit: Visit) -> object:
    values = read((*model_list.FILTERS, *PAGING), visit.query, partial=False, text=True)
    wanted = model_list.parse_filter({name: visit.query[name] for name in ("status", "q") if name in visit.query})
    found = await model_list.search(visit.desk, wanted)
    chosen = found[values["offset"] : values["offset"] + values["limit"]]
    return Items(tuple(model_shown(visit.desk, row) for row in chosen), len(found))


@policy("token")
async def _summary(visit: Visit) -> object:
    found = await model_summary.summary(visit.desk)
    return ModelsSummaryShown(
        total=found.total,
        statuses=found.statuses,
        rules_total=found.rules_total,
        rules=found.rules,
        unhealthy=found.unhealthy,
        uses=tuple(use_shown(use) for use in found.uses),
        tests_passed=found.passed,
        tests_failed=found.failed,
    )


_MANY = f"{PREFIX}/models"
_, *_OTHERS = operations(
    Collection(
        noun="model",
        path="/models",
        table=models.FIELDS,
        answer=ModelShown,
        listing=models.listing,
        get=models.get,
        create=models.create,
        update=models.update,
        delete=models.delete,
        shown=model_shown,
    )
)

OPERATIONS = (
    Operation(
        "GET",
        _MANY,
        "list_models",
        "Models that match, the newest change first.",
        _list,
        ModelShown,
        query=(*model_list.FILTERS, *PAGING),
        is_list=True,
    ),
    Operation("GET", f"{_MANY}/summary", "summarise_models", "All models in numbers.", _summary, ModelsSummaryShown),
    *_OTHERS,
)
