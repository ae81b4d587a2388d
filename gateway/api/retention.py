"""`/api/admin/retention`: what is kept, and what is about to go."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import retention
from gateway.control.retention import Retention


@policy("token")
async def _get(visit: Visit) -> object:
    return await retention.look(visit.desk)


OPERATIONS = (
    Operation(
        "GET",
        f"{PREFIX}/retention",
        "retention",
        "How long requests are kept, what they take up, and how many are about to be deleted. Deletes nothing.",
        _get,
        Retention,
    ),
)
