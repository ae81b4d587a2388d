"""What an operator can do to provider keys, and how a secret is bound to where it may be sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import chosen, require, require_free_name
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.origin import origin_of
from gateway.model.people import Actor
from gateway.model.registry import ApiFormat, Endpoint, Pool, ProviderKey
from gateway.store import endpoints, pools, provider_keys, providers
from gateway.store.database import Tx
from gateway.vault import fingerprint, mask, provider_key_binding

FIELDS: Table = (
    Field("provider_id", Kind.TEXT, "The provider, by id or name.", required=True, fixed=True),
    Field("pool", Kind.TEXT, "The pool, by id or name; the first one where left out.", nullable=True),
    Field("name", Kind.LABEL, "Unique among the provider's keys; made up where left out.", default=""),
    Field("api_formats", Kind.STRINGS, "Wire formats it is for.", default=(ApiFormat.OPENAI_CHAT.value,)),
    Field("api_key", Kind.SECRET, "The secret, `env:NAME`, or empty where none is needed.", default=""),
    Field("internal_priority", Kind.INT, "Lower goes first among the provider's keys.", default=50, least=0, most=1000),
    Field("weight", Kind.INT, "Share among equals; 0 takes it out.", default=1, least=0, most=1000),
    Field(
        "rpm_limit",
        Kind.INT,
        "Requests per minute; null unlimited, 0 refuses.",
        nullable=True,
        least=0,
        most=1_000_000,
    ),
    Field("is_active", Kind.BOOL, "Whether it may be used.", default=True),
)

_ENV_NAME = re.compile(r"[A-Z][A-Z0-9_]*(_KEY|_TOKEN|_SECRET)")
_OURS = "GATEWAY_"
_PLAIN = ("name", "internal_priority", "weight", "rpm_limit", "is_active")


@dataclass(frozen=True, slots=True)
class Credential:
    """What is stored of a secret."""

    sealed: bytes | None = field(repr=False)
    env_name: str | None
    masked: str
    fingerprint: str


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
    values = read(FIELDS, raw, partial=True, text=text)
    async with desk.change(actor) as change:
        return await revise(desk, change, require(await provider_keys.get(change.tx, key_id), "provider key"), values)


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
    formats = _known_formats(values["api_formats"])
    origin = _origin(await endpoints.of_provider(change.tx, values["provider_id"]), formats)
    credential = _credential(desk, key_id, origin, values["api_key"])
    key = ProviderKey(
        id=key_id,
        provider_id=values["provider_id"],
        pool_id=(await chosen_pool(change.tx, values["pool"])).id,
        name=name,
        api_formats=formats,
        sealed=credential.sealed,
        env_name=credential.env_name,
        bound_origin=origin,
        masked=credential.masked,
        fingerprint=credential.fingerprint,
        internal_priority=values["internal_priority"],
        weight=values["weight"],
        rpm_limit=values["rpm_limit"],
        is_active=values["is_active"],
        created_at=change.at,
        updated_at=change.at,
    )
    await provider_keys.insert(change.tx, key)
    change.note("create", "provider_key", key.id, None, key)
    return key


async def revise(desk: Desk, change: Change, before: ProviderKey, values: Values) -> ProviderKey:
    plain = {name: values[name] for name in _PLAIN if name in values}
    plain["name"] = plain.get("name") or before.name
    after = replace(before, **plain, updated_at=change.at)
    if after.name != before.name:
        require_free_name(await provider_keys.of_provider(change.tx, before.provider_id), after.name, after.id)
    if "pool" in values:
        after = replace(after, pool_id=(await chosen_pool(change.tx, values["pool"])).id)
    if "api_formats" in values:
        after = replace(after, api_formats=_known_formats(values["api_formats"]))
    origin = _origin(await endpoints.of_provider(change.tx, after.provider_id), after.api_formats)
    if "api_key" in values:
        after = _with_credential(after, _credential(desk, after.id, origin, values["api_key"]), origin)
    else:
        after = rebound(after, origin)
    await provider_keys.update(change.tx, after)
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
            after = replace(after, updated_at=change.at)
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


def _known_formats(formats: Sequence[str]) -> tuple[str, ...]:
    known = tuple(api_format.value for api_format in ApiFormat)
    if not formats or any(name not in known for name in formats):
        raise InvalidFields({"api_formats": f"must name one or more of {', '.join(known)}"})
    return tuple(formats)


def _free_name(siblings: Sequence[ProviderKey]) -> str:
    """`main`, then `key-2`, `key-3` and on."""
    taken = {key.name for key in siblings}
    if "main" not in taken:
        return "main"
    return next(name for number in range(2, len(taken) + 3) if (name := f"key-{number}") not in taken)
