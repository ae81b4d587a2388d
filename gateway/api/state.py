"""`/api/admin/state`: rests, circuits, buckets and what was learned, and clearing them."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import runtime_state
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.runtime_state import StateSeen

_REFILL: Table = (Field("name", Kind.TEXT, "The bucket, as the list names it.", required=True, most=200),)


@policy("token")
async def _get(visit: Visit) -> object:
    return _seen(visit.desk)


@policy("token")
async def _refill(visit: Visit) -> object:
    name = read(_REFILL, visit.body, partial=False, text=False)["name"]
    await runtime_state.refill(visit.desk, visit.actor, name)
    return _seen(visit.desk)


@policy("token")
async def _clear_endpoint(visit: Visit) -> object:
    await runtime_state.clear_endpoint(visit.desk, visit.actor, visit.path["id"])
    return _seen(visit.desk)


def _seen(desk: Desk) -> StateSeen:
    return runtime_state.seen(desk.snapshot(), desk.state, desk.clock.mono())


OPERATIONS = (
    Operation(
        "GET",
        f"{PREFIX}/state",
        "get_state",
        "All that keeps calls away at present or slows them down, with the seconds that are left.",
        _get,
        StateSeen,
    ),
    Operation(
        "POST",
        f"{PREFIX}/state/refill",
        "refill_bucket",
        "Fill a bucket, as if nothing had been used of its limit.",
        _refill,
        StateSeen,
        200,
        _REFILL,
    ),
    Operation(
        "POST",
        f"{PREFIX}/endpoints/{{id}}/clear-rest",
        "clear_endpoint_rest",
        "End the rest of a whole endpoint, so that it is tried at once.",
        _clear_endpoint,
        StateSeen,
    ),
)
