"""What an administrator can do to people: who they are, what their API keys may do."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control import passwords
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, money_as_stored, money_limit, read
from gateway.control.lookup import require
from gateway.control.time_zones import UTC, is_known
from gateway.control.versions import editable, require_current
from gateway.errors import Conflict, Forbidden, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor, User
from gateway.store import api_keys, sessions, users
from gateway.store.database import Tx

ROLES = ("admin", "user")
USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")

FIELDS: Table = (
    Field("username", Kind.TEXT, "Unique name to sign in with; kept in lower case.", required=True, least=1, most=64),
    Field("password", Kind.TEXT, "At least 12 characters; never shown.", default="", most=256),
    Field("email", Kind.TEXT, "Where to reach the person.", default="", most=200),
    Field("role", Kind.CHOICE, "An admin may do everything here.", default="user", choices=ROLES),
    Field("is_active", Kind.BOOL, "Whether the person may sign in and the person's API keys work.", default=True),
    Field(
        "allowed_providers",
        Kind.STRINGS,
        "Names of providers that the person's API keys may reach; null is every one, an empty list none.",
        nullable=True,
    ),
    Field("allowed_formats", Kind.FORMATS, "The same of API formats.", nullable=True),
    Field("allowed_models", Kind.MODEL_CODES, "The same of models.", nullable=True),
    Field(
        "capabilities",
        Kind.BY_MODEL,
        "What backends must be able to do, by model; * for all of them.",
        default={},
    ),
    limit("rpm_limit", "Requests per minute, over all the person's API keys"),
    limit("tpm_limit", "Tokens per minute, over all the person's API keys", 1_000_000_000),
    limit("max_concurrent", "Calls at the same time, over all the person's API keys", 100_000),
    Field("time_zone", Kind.TEXT, "In which times are shown: a name such as Europe/Berlin.", default=UTC, most=64),
    *money_limit("quota", "What all the person's API keys may spend together,"),
)


async def listing(desk: Desk) -> tuple[User, ...]:
    """By name, without those that were deleted."""
    async with desk.db.read() as tx:
        return tuple(user for user in await users.every(tx) if user.deleted_at is None)


async def deleted(desk: Desk) -> tuple[User, ...]:
    """Those that can be restored, the last one first."""
    async with desk.db.read() as tx:
        gone = [user for user in await users.every(tx) if user.deleted_at is not None]
    return tuple(sorted(gone, key=lambda user: user.deleted_at or 0, reverse=True))


async def get(desk: Desk, user_id: str) -> User:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return await _there(tx, user_id)


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> User:
    """Raises Forbidden where a management token would make an administrator."""
    values = money_as_stored(_named(read(FIELDS, raw, partial=False, text=text)), "quota")
    _require_no_climbing(actor, values["role"])
    password_hash = await _hashed(values.pop("password"), values["username"])
    async with desk.change(actor) as change:
        user = User(
            id=new_id(),
            password_hash=password_hash,
            theme="auto",
            created_at=change.at,
            updated_at=change.at,
            last_login_at=None,
            **values,
        )
        await _require_free(change.tx, user)
        await users.insert(change.tx, user)
        change.note("create", "user", user.id, None, user)
        return user


async def update(desk: Desk, actor: Actor, user_id: str, raw: Mapping[str, object], *, text: bool = False) -> User:
    """A new password ends the person's sessions. Raises Conflict where nobody would be left to administrate."""
    values = money_as_stored(_named(read(editable(FIELDS), raw, partial=True, text=text)), "quota")
    password = values.pop("password", "")
    async with desk.db.read() as tx:
        known = await _there(tx, user_id)
    hashed = await _hashed(password, values.get("username", known.username)) if password else ""
    async with desk.change(actor) as change:
        before = await _there(change.tx, user_id)
        require_current(before, values, "user")
        _require_no_climbing(actor, before.role, values.get("role", before.role))
        after = replace(before, **values, updated_at=change.at, version=before.version + 1)
        await _require_free(change.tx, after)
        await users.update(change.tx, after)
        if hashed:
            await users.set_password(change.tx, user_id, hashed)
        if hashed or not after.is_active:
            await sessions.delete_of_user(change.tx, user_id)
        await _require_an_administrator(change.tx, before)
        change.note("update", "user", user_id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, user_id: str) -> None:
    """The row stays for the ledger; sessions end and the person's API keys are refused. The name is free again."""
    async with desk.change(actor) as change:
        before = await _there(change.tx, user_id)
        _require_no_climbing(actor, before.role)
        gone = f"{before.username}#{before.id}"
        after = replace(before, username=gone, is_active=False, deleted_at=change.at, version=before.version + 1)
        await users.update(change.tx, after)
        await sessions.delete_of_user(change.tx, user_id)
        await _require_an_administrator(change.tx, before)
        await _note_keys(change, before)
        change.note("delete", "user", user_id, before, None)


async def restore(desk: Desk, actor: Actor, user_id: str) -> User:
    """Take a deletion back. The person stays disabled, with the API keys, until somebody enables the person.

    Raises NotFound, and Conflict where the name was given to somebody else.
    """
    async with desk.change(actor) as change:
        found = await users.by_id(change.tx, user_id)
        before = require(found if found and found.deleted_at is not None else None, "deleted user")
        _require_no_climbing(actor, before.role)
        name = name_of(before)
        if await users.by_username(change.tx, name):
            raise Conflict(f"There is another {name} now; give that one another name first.")
        after = replace(before, username=name, deleted_at=None, updated_at=change.at, version=before.version + 1)
        await users.update(change.tx, after)
        change.note("restore", "user", user_id, None, after)
        return after


def name_of(user: User) -> str:
    """The name of a person, also of one that was deleted."""
    return user.username.removesuffix(f"#{user.id}")


async def _there(tx: Tx, user_id: str) -> User:
    found = await users.by_id(tx, user_id)
    return require(found if found is None or found.deleted_at is None else None, "user")


def _named(values: Values) -> Values:
    """`values` with the name as it is stored. Raises InvalidFields for a name or time zone that means nothing."""
    if not is_known(values.get("time_zone", UTC)):
        raise InvalidFields({"time_zone": "is no time zone that is known here; write it as Europe/Berlin"})
    if "username" not in values:
        return values
    username = values["username"].lower()
    if not USERNAME.fullmatch(username):
        raise InvalidFields({"username": "must be 1 to 64 letters, digits or . _ @ + -"})
    return {**values, "username": username}


def _require_no_climbing(actor: Actor, *roles: str) -> None:
    """A token that could set an administrator's password could sign in and make itself tokens without end."""
    if actor.kind == "token" and "admin" in roles:
        raise Forbidden("A management token cannot make or change administrators; sign in.")


async def _hashed(password: str, username: str) -> str:
    passwords.require_good(password, username)
    return await passwords.hash_new(password)


async def _require_free(tx: Tx, user: User) -> None:
    other = await users.by_username(tx, user.username)
    if other is not None and other.id != user.id:
        raise InvalidFields({"username": f"is taken: there is already {user.username}"})


async def _require_an_administrator(tx: Tx, before: User) -> None:
    was_one = before.role == "admin" and before.is_welcome
    if was_one and not any(user.role == "admin" and user.is_welcome for user in await users.every(tx)):
        raise Conflict("This is the last active administrator; make another one first.")


async def _note_keys(change: Change, owner: User) -> None:
    """One audit row for each API key that is refused from now on."""
    for key in await api_keys.every(change.tx):
        if key.user_id == owner.id:
            change.note("owner_deleted", "api_key", key.id, key, None)
