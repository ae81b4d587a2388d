"""What somebody who signs in sees and does of their own: API keys, usage, the catalogue, how providers are.

Every function takes the person and gives nothing of anybody else's: what is not theirs is not found.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.control import api_keys, audit_log, pools, users
from gateway.control.audit_log import Page
from gateway.control.desk import Desk
from gateway.control.fields import Table
from gateway.control.pool_stats import BackendStats, BackendStatus
from gateway.control.versions import editable
from gateway.errors import Conflict, InvalidFields, NotFound
from gateway.model.people import Actor, ApiKey, User
from gateway.model.registry import ApiFormat, Model, Price
from gateway.model.sums import DAY_MS, Dimension, Sums, total
from gateway.routing.owners import with_owner
from gateway.routing.permissions import may_reach
from gateway.routing.resolve import models_for
from gateway.routing.snapshot import Lane
from gateway.store import figures
from gateway.store.audit import AuditFilter
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question

MOST_KEYS = 50
DAYS = 30
_OWN = frozenset(
    {
        *("name", "allowed_models", "rpm_limit", "budget", "budget_period"),
        *("expires_at", "deletes_itself", "note", "is_active"),
    }
)
_PROFILE = frozenset({"email", "time_zone"})
_WORKING = frozenset({BackendStatus.HEALTHY, BackendStatus.UNKNOWN})

KEY_FIELDS: Table = tuple(field for field in api_keys.FIELDS if field.name in _OWN)
PROFILE_FIELDS: Table = tuple(field for field in users.FIELDS if field.name in _PROFILE)


class Day(msgspec.Struct, frozen=True):
    """What the person's calls came to on one day in UTC, which begins at `at` (Unix ms)."""

    at: int
    sums: Sums


class Usage(msgspec.Struct, frozen=True):
    """The last 30 days, today among them. `by_key` goes by the id of the API key."""

    days: tuple[Day, ...]
    total: Sums
    by_key: Mapping[str, Sums]


class Offer(msgspec.Struct, frozen=True):
    """A model that the person may use. `price` is the lowest that a call can have, None where none is known."""

    model: Model
    api_formats: tuple[str, ...]
    price: Price | None


class ProviderState(msgspec.Struct, frozen=True):
    """Whether a provider answers in one API format. `state` is up, limited or down."""

    provider: str
    api_format: str
    state: str


async def keys(desk: Desk, user: User) -> tuple[ApiKey, ...]:
    """The person's own, newest first."""
    return tuple(key for key in await api_keys.listing(desk) if key.user_id == user.id)


async def key(desk: Desk, user: User, key_id: str) -> ApiKey:
    """Raises NotFound for a key of somebody else as for one that is not there."""
    found = next((one for one in await keys(desk, user) if one.id == key_id), None)
    if found is None:
        raise NotFound("There is no such API key.")
    return found


async def create_key(
    desk: Desk, actor: Actor, user: User, raw: Mapping[str, object], *, text: bool = False
) -> tuple[str, ApiKey]:
    """Raises InvalidFields for fields that only an administrator sets, and Conflict for one key too many."""
    _require_own(raw, KEY_FIELDS)
    if len(await keys(desk, user)) >= MOST_KEYS:
        raise Conflict(f"You have {MOST_KEYS} API keys, and that is the most. Delete one first.")
    return await api_keys.create(desk, actor, {**raw, "user_id": user.id}, text=text)


async def update_key(
    desk: Desk, actor: Actor, user: User, key_id: str, raw: Mapping[str, object], *, text: bool = False
) -> ApiKey:
    await key(desk, user, key_id)
    _require_own(raw, editable(KEY_FIELDS))
    return await api_keys.update(desk, actor, key_id, raw, text=text)


async def rotate_key(
    desk: Desk, actor: Actor, user: User, key_id: str, raw: Mapping[str, object], *, text: bool = False
) -> tuple[str, ApiKey]:
    """Another secret, once, and the key."""
    await key(desk, user, key_id)
    return await api_keys.rotate(desk, actor, key_id, raw, text=text)


async def delete_key(desk: Desk, actor: Actor, user: User, key_id: str) -> None:
    """Raises Conflict for a locked one: what an administrator locked, only an administrator takes away."""
    if (await key(desk, user, key_id)).is_locked:
        raise Conflict("This API key is locked. Ask the operator.")
    await api_keys.delete(desk, actor, key_id)


async def save_profile(desk: Desk, actor: Actor, user: User, raw: Mapping[str, object], *, text: bool = False) -> User:
    """What a person may change of the own row. Raises InvalidFields."""
    _require_own(raw, PROFILE_FIELDS)
    return await users.update(desk, actor, user.id, raw, text=text)


async def usage(desk: Desk, user: User) -> Usage:
    now = desk.clock.wall_ms()
    since = now // DAY_MS * DAY_MS - (DAYS - 1) * DAY_MS
    mine = Question(since, now + 1, Dimension.USER, only_first=user.id, bucket_ms=DAY_MS)
    by_key = Question(since, now + 1, Dimension.USER, Dimension.API_KEY, only_first=user.id)

    async def look(tx: Tx) -> tuple[dict[int, Sums], dict[str, Sums]]:
        by_day = {group.bucket: group.sums for group in await figures.sums(tx, mine)}
        return by_day, {group.second: group.sums for group in await figures.sums(tx, by_key)}

    by_day, of_keys = await desk.db.read_at_once(look)
    days = tuple(Day(since + number * DAY_MS, by_day.get(number, Sums())) for number in range(DAYS))
    return Usage(days, total(day.sums for day in days), of_keys)


def catalogue(desk: Desk, user: User) -> tuple[Offer, ...]:
    """Models that the person's API keys can reach, by code."""
    snapshot, anyone = desk.snapshot(), _any_key(user)
    offers = []
    for code in models_for(snapshot, anyone):
        model = snapshot.models[code]
        lanes = [lane for lane in snapshot.lanes.get(model.id, ()) if lane.is_open and may_reach(anyone, lane.backend)]
        formats = {lane.backend.endpoint.api_format.value for lane in lanes}
        offers.append(Offer(model, tuple(sorted(formats, key=_place)), _lowest(lanes)))
    return tuple(offers)


def status(desk: Desk, user: User) -> tuple[ProviderState, ...]:
    """Providers that the person may reach, by name, and whether they answer; no address, key or reason is told."""
    by_endpoint: dict[tuple[str, str], list[BackendStats]] = {}
    for pool in pools.stats(desk):
        for backend in pool.backends:
            may = user.allowed_providers is None or backend.provider in user.allowed_providers
            if may and backend.is_enabled:
                by_endpoint.setdefault((backend.provider, backend.api_format), []).append(backend)
    return tuple(
        ProviderState(provider, api_format, _state(found))
        for (provider, api_format), found in sorted(by_endpoint.items(), key=lambda one: (one[0][0], _place(one[0][1])))
    )


async def audit(desk: Desk, user: User, before: int | None, limit: int) -> Page:
    """What the person did, and what was done to the account."""
    return await audit_log.listing(desk, AuditFilter(user_id=user.id), before, limit)


def _require_own(raw: Mapping[str, object], table: Table) -> None:
    """Raises InvalidFields naming every field that is not in `table`."""
    known = {field.name for field in table}
    faults = {name[:100]: "is set by an administrator" for name in raw if name not in known}
    if faults:
        raise InvalidFields(faults)


def _any_key(user: User) -> ApiKey:
    """A key that may whatever the person may."""
    bare = ApiKey(
        id="",
        name="",
        key_hash=b"",
        prefix="",
        tail="",
        allowed_models=None,
        rpm_limit=None,
        is_active=True,
        expires_at=None,
        created_at=0,
        updated_at=0,
        user_id=user.id,
    )
    return with_owner(bare, user)


def _place(api_format: str) -> int:
    """Chats come first."""
    return list(ApiFormat).index(ApiFormat(api_format))


def _lowest(lanes: list[Lane]) -> Price | None:
    priced = [lane.price.base for lane in lanes if lane.price is not None]
    return min(priced, key=lambda price: price.input + price.output, default=None)


def _state(found: list[BackendStats]) -> str:
    if all(backend.status in _WORKING for backend in found):
        return "up"
    return "limited" if any(backend.status in _WORKING for backend in found) else "down"
