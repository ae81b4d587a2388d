"""`/api/admin/pools`, and how they are doing."""

from __future__ import annotations

from gateway.api.collection import Collection, Items, as_is, operations
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import pools
from gateway.control.pool_stats import PoolStats
from gateway.model.registry import Pool


@policy("token")
async def _stats(visit: Visit) -> object:
    found = pools.stats(visit.desk)
    return Items(tuple(found), len(found))


OPERATIONS = (
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
