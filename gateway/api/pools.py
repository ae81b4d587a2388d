"""`/api/admin/pools`, and how they are doing."""

from __future__ import annotations

from gateway.api.collection import Collection, Items, as_is, operations
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import pool_order, pools
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.pool_order import PoolPlace
from gateway.control.pool_stats import PoolStats
from gateway.model.registry import ApiFormat, Pool


@policy("token")
async def _stats(visit: Visit) -> object:
    found = pools.stats(visit.desk)
    return Items(tuple(found), len(found))


@policy("token")
async def _order(visit: Visit) -> object:
    pool = await pools.get(visit.desk, visit.path["id"])
    wanted = read(_ORDER, visit.query, partial=False, text=True)
    found = pool_order.places(visit.desk, pool.id, wanted["model"], ApiFormat(wanted["api_format"]))
    return Items(found, len(found))


_ORDER: Table = (
    Field(
        "model",
        Kind.MODEL_CODE,
        "For calls of this model; left out, as if each backend served the call at one price.",
        nullable=True,
    ),
    Field(
        "api_format",
        Kind.CHOICE,
        "For calls in this API format; backends that cannot serve them are left out.",
        default=ApiFormat.OPENAI_CHAT.value,
        choices=tuple(ApiFormat),
    ),
)

OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PREFIX}/pools/{{id}}/order",
        name="pool_order",
        summary="In which order a new conversation would try its backends now, and why.",
        handler=_order,
        answer=PoolPlace,
        query=_ORDER,
        is_list=True,
    ),
    Operation(
        method="GET",
        path=f"{PREFIX}/pools/stats",
        name="pool_stats",
        summary="Each pool with its backends as they are now.",
        handler=_stats,
        answer=PoolStats,
        is_list=True,
    ),
    *operations(
        Collection(
            noun="pool",
            path="/pools",
            table=pools.FIELDS,
            answer=Pool,
            listing=pools.listing,
            get=pools.get,
            create=pools.create,
            update=pools.update,
            delete=pools.delete,
            shown=as_is,
        )
    ),
)
