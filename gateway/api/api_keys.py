"""`/api/admin/api-keys`. The key itself is in the answer that creates it, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.api.collection import Collection, operations
from gateway.api.money_shown import MoneyLimitShown, SpentShown, limits_shown, spent_shown
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import api_keys, budget_view
from gateway.control.desk import Desk
from gateway.model.people import Actor, ApiKey, Period
from gateway.money import exact_dollars


class ApiKeyShown(msgspec.Struct, frozen=True):
    """An API key without the key. What is allowed: null is everything, an empty list nothing.

    `old_until` is until when the secret before the last rotation works (Unix ms). `budget` is in dollars;
    `balance` is what is left of the money of a key that stands alone, null where it has none.
    """

    id: str
    name: str
    prefix: str
    tail: str
    allowed_models: tuple[str, ...] | None
    rpm_limit: int | None
    is_active: bool
    expires_at: int | None
    created_at: int
    updated_at: int
    allowed_providers: tuple[str, ...] | None
    allowed_formats: tuple[str, ...] | None
    tpm_limit: int | None
    max_concurrent: int | None
    capabilities: tuple[str, ...]
    default_agent: str
    default_business: str
    default_capability: str
    user_id: str | None
    budget: str | None
    budget_period: str
    balance: str | None
    limits: tuple[MoneyLimitShown, ...]
    spent: SpentShown
    is_locked: bool
    deletes_itself: bool
    note: str
    old_until: int | None
    version: int


class ApiKeyMade(ApiKeyShown, frozen=True):
    """A new API key; `key` is shown this once."""

    key: str


def api_key_shown(desk: Desk, row: ApiKey) -> ApiKeyShown:
    return ApiKeyShown(**_of_api_key(desk, row))


async def _create(desk: Desk, actor: Actor, raw: Mapping[str, object]) -> ApiKeyMade:
    plain, row = await api_keys.create(desk, actor, raw)
    return ApiKeyMade(**_of_api_key(desk, row), key=plain)


def _of_api_key(desk: Desk, row: ApiKey) -> dict[str, Any]:
    money = budget_view.of_key(desk, row)
    credited = row.credited_nano
    return {
        "id": row.id,
        "name": row.name,
        "prefix": row.prefix,
        "tail": row.tail,
        "allowed_models": row.allowed_models,
        "rpm_limit": row.rpm_limit,
        "is_active": row.is_active,
        "expires_at": row.expires_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "allowed_providers": row.allowed_providers,
        "allowed_formats": row.allowed_formats,
        "tpm_limit": row.tpm_limit,
        "max_concurrent": row.max_concurrent,
        "capabilities": row.capabilities,
        "default_agent": row.default_agent,
        "default_business": row.default_business,
        "default_capability": row.default_capability,
        "user_id": row.user_id,
        "budget": None if row.budget_nano is None else exact_dollars(row.budget_nano),
        "budget_period": row.budget_period.value,
        "balance": None if credited is None else exact_dollars(credited - money.spent[Period.NONE]),
        "limits": limits_shown(money),
        "spent": spent_shown(money),
        "is_locked": row.is_locked,
        "deletes_itself": row.deletes_itself,
        "note": row.note,
        "old_until": row.old_until,
        "version": row.version,
    }


@policy("token")
async def _rotate(visit: Visit) -> object:
    plain, row = await api_keys.rotate(visit.desk, visit.actor, visit.path["id"], visit.body)
    return ApiKeyMade(**_of_api_key(visit.desk, row), key=plain)


_ROTATE = Operation(
    method="POST",
    path=f"{PREFIX}/api-keys/{{id}}/rotate",
    name="rotate_api_key",
    summary="A new secret; the old one works for a while.",
    handler=_rotate,
    answer=ApiKeyMade,
    request=api_keys.ROTATION,
)

OPERATIONS = (_ROTATE,) + operations(
    Collection(
        noun="API key",
        path="/api-keys",
        table=api_keys.FIELDS,
        answer=ApiKeyShown,
        listing=api_keys.listing,
        get=api_keys.get,
        create=_create,
        update=api_keys.update,
        delete=api_keys.delete,
        shown=api_key_shown,
        made=ApiKeyMade,
    )
)
