"""`/api/admin/explain`."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import explanations
from gateway.routing.explain import Explanation


@policy("token")
async def _explain(visit: Visit) -> object:
    return await explanations.explain(visit.desk, visit.body)


OPERATIONS = (
    Operation(
        method="POST",
        path=f"{PREFIX}/explain",
        name="explain",
        summary="Where a call would go now, in which order and why not elsewhere. Nothing is sent.",
        handler=_explain,
        answer=Explanation,
        request=explanations.FIELDS,
        access="read",
    ),
)
