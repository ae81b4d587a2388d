"""`/api/admin/users`. Passwords go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.collection import Collection, Items, operations
from gateway.api.money_shown import MoneyLimitShown, SpentShown, limits_shown, spent_shown
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import budget_view, session_list, users
from gateway.control.desk import Desk
from gateway.control.session_list import SignedIn
from gateway.model.people import User
from gateway.money import exact_dollars


class UserShown(msgspec.Struct, frozen=True):
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
    time_zone: str
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
        time_zone=row.time_zone,
        quota=None if row.quota_nano is None else exact_dollars(row.quota_nano),
        quota_period=row.quota_period.value,
        limits=limits_shown(money),
        spent=spent_shown(money),
        last_login_at=row.last_login_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


class SessionShown(msgspec.Struct, frozen=True):
    """Somebody signed in to the admin site. Times are Unix ms."""

    id: str
    created_at: int
    last_seen_at: int
    expires_at: int
    ip: str
    user_agent: str


@policy("token")
async def _deleted(visit: Visit) -> object:
    found = await users.deleted(visit.desk)
    return Items(tuple(user_shown(visit.desk, user) for user in found), len(found))


@policy("token")
async def _restore(visit: Visit) -> object:
    return user_shown(visit.desk, await users.restore(visit.desk, visit.actor, visit.path["id"]))


@policy("token")
async def _sessions(visit: Visit) -> object:
    found = await session_list.listing(visit.desk, visit.path["id"])
    return Items(tuple(session_shown(one) for one in found), len(found))


@policy("token")
async def _end_session(visit: Visit) -> object:
    await session_list.end(visit.desk, visit.actor, visit.path["id"], visit.path["session"])
    return None


@policy("token")
async def _sign_out(visit: Visit) -> object:
    await session_list.end_all(visit.desk, visit.actor, visit.path["id"])
    return None


def session_shown(one: SignedIn) -> SessionShown:
    session = one.session
    return SessionShown(
        id=one.id,
        created_at=session.created_at,
        last_seen_at=session.last_seen_at,
        expires_at=session.expires_at,
        ip=session.ip,
        user_agent=session.user_agent,
    )


_MANY, _ONE = f"{PREFIX}/users", f"{PREFIX}/users/{{id}}"

_OF_PEOPLE = (
    Operation(
        "GET", f"{_MANY}/deleted", "list_deleted_users", "Who can be restored.", _deleted, UserShown, is_list=True
    ),
    Operation("POST", f"{_ONE}/restore", "restore_user", "Take a deletion back; disabled.", _restore, UserShown),
    Operation(
        "GET", f"{_ONE}/sessions", "list_sessions", "Where one is signed in.", _sessions, SessionShown, is_list=True
    ),
    Operation("DELETE", f"{_ONE}/sessions/{{session}}", "end_session", "End one session.", _end_session, None, 204),
    Operation("POST", f"{_ONE}/sign-out", "sign_out_user", "End every session of a person.", _sign_out, None, 204),
)

OPERATIONS = _OF_PEOPLE + operations(
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
