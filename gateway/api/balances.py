"""`/api/admin/api-keys/{id}/top-ups` and `…/balance`: the money of keys that stand alone."""

from __future__ import annotations

import msgspec

from gateway.api.api_keys import ApiKeyShown, api_key_shown
from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import balances
from gateway.money import exact_dollars


class TopUpShown(msgspec.Struct, frozen=True):
    """`amount` dollars that `actor` paid in at `at` (Unix ms)."""

    id: str
    amount: str
    note: str
    actor: str
    at: int


@policy("token")
async def _history(visit: Visit) -> object:
    found = tuple(
        TopUpShown(one.id, exact_dollars(one.nano), one.note, one.actor, one.at)
        for one in await balances.history(visit.desk, visit.path["id"])
    )
    return Items(found, len(found))


@policy("token")
async def _top_up(visit: Visit) -> object:
    return api_key_shown(visit.desk, await balances.top_up(visit.desk, visit.actor, visit.path["id"], visit.body))


@policy("token")
async def _close(visit: Visit) -> object:
    await balances.close(visit.desk, visit.actor, visit.path["id"])
    return None


_ONE = f"{PREFIX}/api-keys/{{id}}"

OPERATIONS = (
    Operation(
        "GET",
        f"{_ONE}/top-ups",
        "list_top_ups",
        "What was paid into the key's balance, newest first.",
        _history,
        TopUpShown,
        is_list=True,
    ),
    Operation(
        "POST",
        f"{_ONE}/top-ups",
        "top_up",
        "Pay into the balance of a key that stands alone; the first payment makes the balance.",
        _top_up,
        ApiKeyShown,
        201,
        balances.TOP_UP,
    ),
    Operation(
        "DELETE",
        f"{_ONE}/balance",
        "close_balance",
        "Take the balance away: the key is limited by its budget alone.",
        _close,
        None,
        204,
    ),
)
