"""What an operator can do to API keys."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, money_as_stored, money_limit, read
from gateway.control.lookup import require
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor, ApiKey
from gateway.store import api_keys, pending_sums, users
from gateway.store.database import Tx
from gateway.vault import new_token

PREFIX = "sk-gw-"
_SHOWN_PREFIX = 10
_SHOWN_TAIL = 4
_HOUR_MS = 3_600_000
_EXPIRY = Actor("system", "expiry", "expiry")

FIELDS: Table = (
    Field("name", Kind.TEXT, "Who or what uses it.", required=True, least=1, most=100),
    Field(
        "allowed_models",
        Kind.MODEL_CODES,
        "Models it may use; null is every one, an empty list none.",
        nullable=True,
    ),
    Field(
        "allowed_providers",
        Kind.STRINGS,
        "Names of providers it may reach; null is every one, an empty list none.",
        nullable=True,
    ),
    Field(
        "allowed_formats",
        Kind.FORMATS,
        "API formats it may speak; null is every one, an empty list none.",
        nullable=True,
    ),
    Field(
        "user_id",
        Kind.TEXT,
        "Whose it is, by id or name: the person's limits and permissions hold as well; null stands alone.",
        nullable=True,
        most=100,
    ),
    limit("rpm_limit", "Requests per minute"),
    limit("tpm_limit", "Tokens per minute", 1_000_000_000),
    limit("max_concurrent", "Calls at the same time", 100_000),
    *money_limit("budget", "What it may spend,"),
    Field("capabilities", Kind.CAPABILITIES, "What every backend of its calls must be able to do.", default=()),
    Field("default_agent", Kind.TEXT, "For route rules, where a call names no agent.", default="", most=100),
    Field("default_business", Kind.TEXT, "For route rules, where a call names no business.", default="", most=100),
    Field("default_capability", Kind.TEXT, "For route rules, where a call names no capability.", default="", most=100),
    Field("is_active", Kind.BOOL, "Whether it is accepted.", default=True),
    Field(
        "is_locked", Kind.BOOL, "Refused with a word of its own; only an administrator can unlock it.", default=False
    ),
    Field("expires_at", Kind.TIME, "When it ends: Unix milliseconds or ISO 8601; null is never.", nullable=True),
    Field("deletes_itself", Kind.BOOL, "Whether it is deleted once it has ended.", default=False),
    Field("note", Kind.PARAGRAPH, "What for.", default=""),
)

ROTATION: Table = (
    Field("grace_hours", Kind.INT, "Hours for which the old secret still works.", default=24, least=0, most=720),
)


async def listing(desk: Desk) -> tuple[ApiKey, ...]:
    """Newest first."""
    async with desk.db.read() as tx:
        return await api_keys.every(tx)


async def last_used(desk: Desk) -> dict[str, int]:
    """Unix milliseconds of the last call by key id; keys that were never used are left out."""
    async with desk.db.read() as tx:
        return await pending_sums.uses(tx)


async def get(desk: Desk, key_id: str) -> ApiKey:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await api_keys.get(tx, key_id), "API key")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> tuple[str, ApiKey]:
    """The key in plain text, this once, and its row."""
    values = money_as_stored(read(FIELDS, raw, partial=False, text=text), "budget")
    plain = new_token(PREFIX)
    async with desk.change(actor) as change:
        await _know_owner(change.tx, values)
        key = ApiKey(
            id=new_id(),
            key_hash=desk.vault.hash_token(plain),
            prefix=plain[:_SHOWN_PREFIX],
            tail=plain[-_SHOWN_TAIL:],
            created_at=change.at,
            updated_at=change.at,
            **values,
        )
        await api_keys.insert(change.tx, key)
        change.note("create", "api_key", key.id, None, key)
    return plain, key


async def update(desk: Desk, actor: Actor, key_id: str, raw: Mapping[str, object], *, text: bool = False) -> ApiKey:
    values = money_as_stored(read(editable(FIELDS), raw, partial=True, text=text), "budget")
    async with desk.change(actor) as change:
        before = require(await api_keys.get(change.tx, key_id), "API key")
        require_current(before, values, "API key")
        await _know_owner(change.tx, values)
        after = replace(before, **values, updated_at=change.at, version=before.version + 1)
        if after.user_id is not None and after.credited_nano is not None:
            raise InvalidFields({"user_id": "must be empty: it has a balance, so it stands alone"})
        await api_keys.update(change.tx, after)
        change.note("update", "api_key", after.id, before, after)
        return after


async def rotate(
    desk: Desk, actor: Actor, key_id: str, raw: Mapping[str, object], *, text: bool = False
) -> tuple[str, ApiKey]:
    """A new secret in plain text, this once; the one before works for the hours of grace. Raises NotFound."""
    grace_ms = read(ROTATION, raw, partial=False, text=text)["grace_hours"] * _HOUR_MS
    plain = new_token(PREFIX)
    async with desk.change(actor) as change:
        before = require(await api_keys.get(change.tx, key_id), "API key")
        after = replace(
            before,
            key_hash=desk.vault.hash_token(plain),
            prefix=plain[:_SHOWN_PREFIX],
            tail=plain[-_SHOWN_TAIL:],
            old_hash=before.key_hash if grace_ms else None,
            old_until=change.at + grace_ms if grace_ms else None,
            updated_at=change.at,
            version=before.version + 1,
        )
        await api_keys.rotate(change.tx, after)
        change.note("rotate", "api_key", key_id, before, after)
    return plain, after


async def delete_ended(desk: Desk) -> tuple[str, ...]:
    """Delete keys that delete themselves and whose time is over; their names."""
    now = desk.clock.wall_ms()
    if not any(_is_over(key, now) for key in desk.snapshot().registry.api_keys):
        return ()
    async with desk.change(_EXPIRY) as change:
        ended = [key for key in await api_keys.every(change.tx) if _is_over(key, change.at)]
        for key in ended:
            await api_keys.delete(change.tx, key.id)
            change.note("delete", "api_key", key.id, key, None)
    return tuple(key.name for key in ended)


def _is_over(key: ApiKey, now: int) -> bool:
    return key.deletes_itself and key.expires_at is not None and key.expires_at <= now


async def delete(desk: Desk, actor: Actor, key_id: str) -> None:
    """Refused from the next call on; its calls stay in the ledger. Raises NotFound."""
    async with desk.change(actor) as change:
        key = require(await api_keys.get(change.tx, key_id), "API key")
        await api_keys.delete(change.tx, key.id)
        change.note("delete", "api_key", key.id, key, None)


async def _know_owner(tx: Tx, values: Values) -> None:
    """Put the owner's id in place of what the caller sent. Raises InvalidFields."""
    wanted = values.get("user_id")
    if wanted is None:
        return
    owner = await users.by_id(tx, wanted) or await users.by_username(tx, wanted.lower())
    if owner is None or owner.deleted_at is not None:
        raise InvalidFields({"user_id": "names no user"})
    values["user_id"] = owner.id
