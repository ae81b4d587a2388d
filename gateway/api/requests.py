"""`/api/admin/requests`: the ledger."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import captures, exports, requests
from gateway.control.fields import Field, Kind, read
from gateway.model.calls import Attempt, Attribution, CallRecord, Considered, Skip, Usage
from gateway.model.registry import Price
from gateway.money import exact_dollars
from gateway.routing.explain import Explanation, explain_past
from gateway.store.calls import CallRow

_PAGING = (
    Field("before", Kind.TEXT, "Only requests older than the one with this id.", nullable=True),
    Field("limit", Kind.INT, "At most so many.", default=100, least=1, most=requests.MOST_PER_PAGE),
)


class PriceShown(msgspec.Struct, frozen=True):
    """The prices that a call was charged at: those of the tier that it was in. `origin` is whose they are.

    `cache_creation_1h` null is as `cache_creation`.
    """

    input: str
    output: str
    cache_read: str
    cache_creation: str
    per_request: str
    cache_creation_1h: str | None
    origin: str


class CallShown(msgspec.Struct, frozen=True):
    """A request in a list. `cost` is in dollars, null where a used model has no price; `cost_nano` in 1e-9 dollars.

    `actual` is what the provider takes of that. `route` is the rule that chose the model, `source` API or TEST.
    `api_format` is the client's, `upstream_format` the backend's: where they differ the call was translated, and
    `dropped` names what could not be carried. `attribution` is what a coding agent says of itself, empty otherwise.
    """

    id: str
    started_at: int
    api_key_id: str | None
    api_key_name: str
    user_id: str | None
    user_name: str
    api_format: str
    path: str
    asked_model: str
    served_model: str
    provider_id: str | None
    provider: str
    backend_id: str | None
    backend: str
    pool: str
    is_stream: bool
    status: str
    code: int
    error_code: str
    error: str
    usage: Usage
    cost_nano: int | None
    cost: str | None
    total_ms: int
    first_byte_ms: int | None
    source: str
    route: str
    actual_nano: int | None
    actual: str | None
    upstream_format: str
    dropped: tuple[str, ...]
    attribution: Attribution
    attempt_count: int


class CallDetail(CallShown, frozen=True):
    """One request with its attempts, the order in which backends were planned, and those passed over and why.

    `rate_multiplier` is actual cost over list cost, in millionths; `seed` makes the same order again. `charged_at` says
    in which day, week and month the cost counts, `reserved_nano` what was held of limited money meanwhile.
    """

    price: PriceShown | None
    overhead_us: int
    config_version: int
    client_ip: str
    attempts: tuple[Attempt, ...]
    skips: tuple[Skip, ...]
    considered: tuple[Considered, ...]
    seed: int | None
    rate_multiplier: int | None
    charged_at: int
    reserved_nano: int | None


class RequestItems(Items, frozen=True):
    """`next_before` as `before` gives the page after; null at the end."""

    next_before: str | None


@policy("token")
async def _list(visit: Visit) -> object:
    names = [field.name for field in _PAGING]
    paging = read(_PAGING, {name: visit.query[name] for name in names if name in visit.query}, partial=False, text=True)
    wanted = requests.parse_filter({name: value for name, value in visit.query.items() if name not in names})
    page = await requests.listing(visit.desk, wanted, paging["before"], paging["limit"])
    return RequestItems(tuple(call_shown(row) for row in page.items), page.total, page.next_before)


@policy("token")
async def _export(visit: Visit) -> object:
    filters = {name: value for name, value in visit.query.items() if name != exports.FORMAT.name}
    wanted = requests.parse_filter(filters)
    return exports.of_requests(visit.desk, wanted, exports.parse_format(visit.query))


@policy("token")
async def _get(visit: Visit) -> object:
    return call_detail(await requests.get(visit.desk, visit.path["id"]))


@policy("token")
async def _explain(visit: Visit) -> object:
    return explain_past(await requests.get(visit.desk, visit.path["id"]))


class CaptureShown(msgspec.Struct, frozen=True):
    """A part of the call that was kept: headers as a JSON list of pairs, a body as text. `size` is the whole one's.

    Nothing `is_readable` of what was changed since, or sealed with another master key.
    """

    part: str
    content: str
    size: int
    is_cut: bool
    is_readable: bool


@policy("token")
async def _captures(visit: Visit) -> object:
    await requests.get(visit.desk, visit.path["id"])
    found = await captures.of_call(visit.desk, visit.path["id"])
    shown = tuple(
        CaptureShown(one.part.value, one.content.decode("utf-8", "replace"), one.size, one.is_cut, one.is_readable)
        for one in found
    )
    return Items(shown, len(shown))


@policy("token")
async def _delete_captures(visit: Visit) -> object:
    await captures.delete(visit.desk, visit.actor, visit.path["id"])
    return None


def call_shown(row: CallRow) -> CallShown:
    return CallShown(**_of_call(row), attempt_count=row.attempt_count)


def call_detail(row: CallRecord) -> CallDetail:
    return CallDetail(
        **_of_call(row),
        attempt_count=len(row.attempts),
        price=None if row.price is None else _price_shown(row.price, row.price_origin),
        overhead_us=row.overhead_us,
        config_version=row.config_version,
        client_ip=row.client_ip,
        attempts=row.attempts,
        skips=row.skips,
        considered=row.considered,
        seed=row.seed,
        rate_multiplier=row.rate_multiplier,
        charged_at=row.charged_at,
        reserved_nano=row.reserved_nano,
    )


def _price_shown(price: Price, origin: str) -> PriceShown:
    return PriceShown(
        input=exact_dollars(price.input),
        output=exact_dollars(price.output),
        cache_read=exact_dollars(price.cache_read),
        cache_creation=exact_dollars(price.cache_creation),
        per_request=exact_dollars(price.per_request),
        cache_creation_1h=None if price.cache_creation_1h is None else exact_dollars(price.cache_creation_1h),
        origin=origin,
    )


def _of_call(row: CallRow | CallRecord) -> dict[str, Any]:
    return {
        "id": row.id,
        "started_at": row.started_at,
        "api_key_id": row.api_key_id,
        "api_key_name": row.api_key_name,
        "user_id": row.user_id,
        "user_name": row.user_name,
        "api_format": row.api_format,
        "path": row.path,
        "asked_model": row.asked_model,
        "served_model": row.served_model,
        "provider_id": row.provider_id,
        "provider": row.provider,
        "backend_id": row.backend_id,
        "backend": row.backend,
        "pool": row.pool,
        "is_stream": row.is_stream,
        "status": row.status.value,
        "code": row.code,
        "error_code": row.error_code,
        "error": row.error,
        "usage": row.usage,
        "cost_nano": row.cost_nano,
        "cost": None if row.cost_nano is None else exact_dollars(row.cost_nano),
        "total_ms": row.total_ms,
        "first_byte_ms": row.first_byte_ms,
        "source": row.source.value,
        "route": row.route,
        "actual_nano": row.actual_nano,
        "actual": None if row.actual_nano is None else exact_dollars(row.actual_nano),
        "upstream_format": row.upstream_format,
        "dropped": row.dropped,
        "attribution": row.attribution,
    }


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PREFIX}/requests",
        name="list_requests",
        summary="Requests, newest first. `total` is counted up to 2000.",
        handler=_list,
        answer=CallShown,
        is_list=True,
        query=(*requests.FILTERS, *_PAGING),
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/requests/export",
        name="export_requests",
        summary="All requests that match as a file, newest first.",
        handler=_export,
        answer=CallShown,
        query=(*requests.FILTERS, exports.FORMAT),
        media_type="text/csv",
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/requests/{{id}}",
        name="get_request",
        summary="One request with its attempts and the backends that were skipped.",
        handler=_get,
        answer=CallDetail,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/requests/{{id}}/explain",
        name="explain_request",
        summary="How one request was decided then: who was tried in which order, who was skipped, and why.",
        handler=_explain,
        answer=Explanation,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/requests/{{id}}/capture",
        name="get_capture",
        summary="What was kept of its headers and bodies, where the setting `capture` says so.",
        handler=_captures,
        answer=CaptureShown,
        is_list=True,
    ),
    Operation(
        method="DELETE",
        path=f"{PREFIX}/requests/{{id}}/capture",
        name="delete_capture",
        summary="Delete what was kept of its headers and bodies.",
        handler=_delete_captures,
        answer=None,
        status=204,
    ),
)
