"""What an operator can do to provider keys, and how a secret is bound to where it may be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from gateway.control import rotations
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, read
from gateway.control.lookup import chosen, require, require_free_name
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.hiding import hiding
from gateway.ids import new_id
from gateway.model.origin import origin_of
from gateway.model.people import Actor
from gateway.model.registry import RATE_UNIT, ApiFormat, Endpoint, Pool, ProviderKey
from gateway.store import endpoints, pools, provider_keys, providers
from gateway.store.database import Tx
from gateway.vault import fingerprint, mask, provider_key_binding

FIELDS: Table = (
    Field("provider_id", Kind.TEXT, "The provider, by id or name.", required=True, fixed=True),
    Field("pool", Kind.TEXT, "The pool, by id or name; the first one where left out.", nullable=True),
    Field("name", Kind.LABEL, "Unique among the provider's keys; made up where left out.", default=""),
    Field(
        "api_formats",
        Kind.FORMATS,
        "Wire formats it is for; null is all that the provider speaks where its first endpoint is.",
        nullable=True,
    ),
    Field("api_key", Kind.SECRET, "The secret, `env:NAME`, or empty where none is needed.", default=""),
    Field("secret_note", Kind.TEXT, "Kept with this secret in the key's history.", default=""),
    Field("note", Kind.PARAGRAPH, "Anything you want to keep with it.", default=""),
    Field("internal_priority", Kind.INT, "Lower goes first among the provider's keys.", default=50, least=0, most=1000),
    Field("weight", Kind.INT, "Share among equals; 0 takes it out.", default=1, least=0, most=1000),
    Field(
        "global_priority",
        Kind.PRIORITIES,
        "By API format: the place among all keys of a pool that goes by it; lower goes first.",
        default={},
    ),
    Field(
        "rpm_limit",
        Kind.INT,
        "Requests per minute; null learns it from the provider's refusals, 0 refuses.",
        nullable=True,
        least=0,
        most=1_000_000,
    ),
    limit("tpm_limit", "Tokens per minute", 1_000_000_000),
    limit("max_concurrent", "Calls at the same time", 100_000),
    limit("daily_limit", "Requests in 24 hours", 1_000_000_000),
    limit("monthly_limit", "Requests in 30 days", 1_000_000_000),
    Field(
        "allowed_models",
        Kind.MODEL_CODES,
        "Models it may be used for; null or an empty list is every one.",
        nullable=True,
    ),
    Field("capabilities", Kind.CAPABILITIES, "What it can do besides, such as cache_1h or context_1m.", default=()),
    Field("rate_multiplier", Kind.MULTIPLIER, "Actual cost over list cost.", default=RATE_UNIT),
    Field("rate_multipliers", Kind.MULTIPLIERS, "The same for single API formats.", default={}),
    Field(
        "cache_ttl_minutes",
        Kind.INT,
        "How long a conversation comes back to it; 0 never.",
        default=5,
        least=0,
        most=1440,
    ),
    Field(
        "max_probe_interval_minutes",
        Kind.INT,
        "The longest that an open circuit waits before it is tried.",
        default=32,
        least=2,
        most=32,
    ),
    Field("expires_at", Kind.TIME, "When it ends: Unix milliseconds or ISO 8601; null is never.", nullable=True),
    Field("is_active", Kind.BOOL, "Whether it may be used.", default=True),
)

_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]*(_KEY|_TOKEN|_SECRET)")
_OURS = "GATEWAY_"
_SPECIAL = frozenset({"provider_id", "pool", "api_formats", "api_key", "secret_note"})
_PLAIN = tuple(field.name for field in FIELDS if field.name not in _SPECIAL)


class Credential(msgspec.Struct, frozen=True):
    """What is stored of a secret."""

    sealed: bytes | None
    env_name: str | None
    masked: str
    fingerprint: str

    __repr__ = hiding("sealed")


KEYLESS = Credential(None, None, "", "")


async def listing(desk: Desk) -> tuple[ProviderKey, ...]:
    """By priority, then oldest first."""
    async with desk.db.read() as tx:
        return await provider_keys.every(tx)


async def get(desk: Desk, key_id: str) -> ProviderKey:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await provider_keys.get(tx, key_id), "provider key")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> ProviderKey:
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        provider = chosen(await providers.every(change.tx), values["provider_id"], "provider_id", "provider")
        return await add(desk, change, {**values, "provider_id": provider.id})


async def update(
    desk: Desk, actor: Actor, key_id: str, raw: Mapping[str, object], *, text: bool = False
) -> ProviderKey:
    """`api_key` left out, or empty in a form, keeps the secret."""
    values = read(editable(FIELDS), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await provider_keys.get(change.tx, key_id), "provider key")
        require_current(before, values, "provider key")
        return await revise(desk, change, before, values)


async def delete(desk: Desk, actor: Actor, key_id: str) -> None:
    """Raises NotFound."""
    async with desk.change(actor) as change:
        await remove(change, require(await provider_keys.get(change.tx, key_id), "provider key"))


async def add(desk: Desk, change: Change, values: Values) -> ProviderKey:
    """`values` as FIELDS reads them, with the provider's real id."""
    siblings = await provider_keys.of_provider(change.tx, values["provider_id"])
    key_id = new_id()
    name = values["name"] or _free_name(siblings)
    require_free_name(siblings, name, key_id)
    there = await endpoints.of_provider(change.tx, values["provider_id"])
    formats = _formats(values["api_formats"], there)
    origin = _origin(there, formats)
    credential = _credential(desk, key_id, origin, values["api_key"])
    plain = _plain(values)
    key = ProviderKey(
        id=key_id,
        provider_id=values["provider_id"],
        pool_id=(await chosen_pool(change.tx, values["pool"])).id,
        api_formats=formats,
        sealed=credential.sealed,
        env_name=credential.env_name,
        bound_origin=origin,
        masked=credential.masked,
        fingerprint=credential.fingerprint,
        created_at=change.at,
        updated_at=change.at,
        **{**plain, "name": name},
    )
    await provider_keys.insert(change.tx, key)
    await rotations.remember(change, None, key, values["secret_note"])
    change.note("create", "provider_key", key.id, None, key)
    return key


async def revise(desk: Desk, change: Change, before: ProviderKey, values: Values) -> ProviderKey:
    plain = _plain(values)
    plain["name"] = plain.get("name") or before.name
    after = replace(before, **plain, updated_at=change.at, version=before.version + 1)
    if after.name != before.name:
        require_free_name(await provider_keys.of_provider(change.tx, before.provider_id), after.name, after.id)
    if "pool" in values:
        after = replace(after, pool_id=(await chosen_pool(change.tx, values["pool"])).id)
    there = await endpoints.of_provider(change.tx, after.provider_id)
    if "api_formats" in values:
        after = replace(after, api_formats=_formats(values["api_formats"], there))
    origin = _origin(there, after.api_formats)
    if "api_key" in values:
        after = _with_credential(after, _credential(desk, after.id, origin, values["api_key"]), origin)
    else:
        after = rebound(after, origin)
    await provider_keys.update(change.tx, after)
    await rotations.remember(change, before, after, values.get("secret_note", ""))
    change.note("update", "provider_key", after.id, before, after)
    return after


async def remove(change: Change, key: ProviderKey) -> None:
    await provider_keys.delete(change.tx, key.id)
    change.note("delete", "provider_key", key.id, key, None)


async def rebind(change: Change, provider_id: str) -> None:
    """After a change of the provider's endpoints: keys whose address moved lose their secret."""
    there = await endpoints.of_provider(change.tx, provider_id)
    for before in await provider_keys.of_provider(change.tx, provider_id):
        after = rebound(before, _origin(there, before.api_formats))
        if after != before:
            after = replace(after, updated_at=change.at, version=before.version + 1)
            await provider_keys.update(change.tx, after)
            change.note("unbind" if after.bound_origin is None else "bind", "provider_key", after.id, before, after)


def rebound(key: ProviderKey, origin: str | None) -> ProviderKey:
    """The key for an endpoint at `origin`. A secret never follows to another origin: it must be entered again.

    The masked form is kept, so that people see which one to enter.
    """
    if key.bound_origin == origin:
        return key
    if not key.masked:
        return replace(key, bound_origin=origin)
    return replace(key, bound_origin=None, sealed=None, env_name=None)


async def chosen_pool(tx: Tx, wanted: str | None) -> Pool:
    """The pool with this id or name; the first one where none is named. Raises InvalidFields."""
    found = await pools.every(tx)
    if wanted is None and found:
        return found[0]
    return chosen(found, wanted or "", "pool", "pool")


def _with_credential(key: ProviderKey, credential: Credential, origin: str | None) -> ProviderKey:
    return replace(
        key,
        sealed=credential.sealed,
        env_name=credential.env_name,
        masked=credential.masked,
        fingerprint=credential.fingerprint,
        bound_origin=origin,
    )


def _credential(desk: Desk, key_id: str, origin: str | None, secret: str) -> Credential:
    if not secret:
        return KEYLESS
    if origin is None:
        raise InvalidFields({"api_key": "the provider has no endpoint yet that this key is for; make that first"})
    if secret.startswith("env:"):
        return Credential(None, _env_name(secret.removeprefix("env:")), secret, "")
    sealed = desk.vault.seal(secret, provider_key_binding(key_id, origin))
    return Credential(sealed, None, mask(secret), fingerprint(secret))


def _env_name(name: str) -> str:
    if name.startswith(_OURS) or not _ENV_NAME.fullmatch(name):
        raise InvalidFields(
            {"api_key": f"env: must name a variable that ends in _KEY, _TOKEN or _SECRET and is not {_OURS}*"}
        )
    return name


def _origin(there: Sequence[Endpoint], formats: Sequence[str]) -> str | None:
    """Of the first endpoint that the key is for."""
    return next((origin_of(endpoint.base_url) for endpoint in there if endpoint.api_format in formats), None)


def _plain(values: Values) -> Values:
    """What is stored as it was sent; a list of no models means every model."""
    plain = {name: values[name] for name in _PLAIN if name in values}
    if plain.get("allowed_models") == ():
        plain["allowed_models"] = None
    return plain


def _formats(named: Sequence[str] | None, there: Sequence[Endpoint]) -> tuple[str, ...]:
    """Those that are named, else those of the endpoints that one secret may go to; chats where there is none yet."""
    if named is None:
        origins = [origin_of(endpoint.base_url) for endpoint in there]
        found = (one.api_format.value for one, origin in zip(there, origins, strict=True) if origin == origins[0])
        return tuple(found) or (ApiFormat.OPENAI_CHAT.value,)
    if not named:
        raise InvalidFields({"api_formats": f"must name one or more of {', '.join(ApiFormat)}"})
    return tuple(named)


def _free_name(siblings: Sequence[ProviderKey]) -> str:
    """`main`, then `key-2`, `key-3` and on."""
    taken = {key.name for key in siblings}
    if "main" not in taken:
        return "main"
    return next(name for number in range(2, len(taken) + 3) if (name := f"key-{number}") not in taken)
