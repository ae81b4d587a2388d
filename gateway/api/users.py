"""`/api/admin/users`. Passwords go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.api.collection import Collection, operations
from gateway.api.money_shown import MoneyLimitShown, SpentShown, limits_shown, spent_shown
from gateway.control import budget_view, users
from gateway.control.desk import Desk
from gateway.model.people import User
from gateway.money import exact_dollars


@dataclass(frozen=True, slots=True)
class UserShown:
    """A person. What is allowed: null is everything, an empty list nothing."""

    id: str
    username: str
    email: str
    role: str
    is_active: bool
    allowed_providers: tuple[str, ...] | None
    allowed_formats: tuple[str, ...] | None
    allowed_models: tuple[str, ...] | None
    capabilities: Mapping[str, tuple[str, ...]]
    rpm_limit: int | None
    tpm_limit: int | None
    max_concurrent: int | None
    quota: str | None
    quota_period: str
    limits: tuple[MoneyLimitShown, ...]
    spent: SpentShown
    last_login_at: int | None
    created_at: int
    updated_at: int
    version: int


def user_shown(desk: Desk, row: User) -> UserShown:
    money = budget_view.of_user(desk, row)
    return UserShown(
        id=row.id,
        username=row.username,
        email=row.email,
        role=row.role,
        is_active=row.is_active,
        allowed_providers=row.allowed_providers,
        allowed_formats=row.allowed_formats,
        allowed_models=row.allowed_models,
        capabilities=row.capabilities,
        rpm_limit=row.rpm_limit,
        tpm_limit=row.tpm_limit,
        max_concurrent=row.max_concurrent,
        quota=None if row.quota_nano is None else exact_dollars(row.quota_nano),
        quota_period=row.quota_period.value,
        limits=limits_shown(money),
        spent=spent_shown(money),
        last_login_at=row.last_login_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


OPERATIONS = operations(
    Collection(
        noun="user",
        path="/users",
        table=users.FIELDS,
        answer=UserShown,
        listing=users.listing,
        get=users.get,
        create=users.create,
        update=users.update,
        delete=users.delete,
        shown=user_shown,
    )
)
