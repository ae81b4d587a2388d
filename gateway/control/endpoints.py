"""What an operator can do to endpoints, and which addresses one may have."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control import provider_keys as keys
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, read
from gateway.control.lookup import chosen, require
from gateway.control.proxies import checked_path, sealed_proxy
from gateway.control.versions import editable, require_current
from gateway.errors import InvalidFields
from gateway.ids import new_id
from gateway.model.origin import parse_base_url
from gateway.model.people import Actor
from gateway.model.registry import BUILTIN_PATHS, ApiFormat, Auth, Endpoint
from gateway.store import endpoints, provider_keys, providers

FIELDS: Table = (
    Field("provider_id", Kind.TEXT, "The provider, by id or name.", required=True, fixed=True),
    Field(
        "api_format",
        Kind.CHOICE,
        "The wire format it speaks.",
        fixed=True,
        default=ApiFormat.OPENAI_CHAT.value,
        choices=tuple(ApiFormat),
    ),
    Field("base_url", Kind.URL, "As in https://api.example.com/v1, without what follows.", required=True),
    Field("headers", Kind.HEADERS, "Extra request headers; no credentials.", default={}),
    Field("timeout_seconds", Kind.NUMBER, "Longest whole attempt.", default=600.0, least=0.1, most=3600),
    Field("first_byte_seconds", Kind.NUMBER, "Longest wait for the first output.", default=120.0, least=0.1, most=3600),
    Field("idle_seconds", Kind.NUMBER, "Longest silence inside an answer.", default=60.0, least=0.1, most=3600),
    Field("local_upstream", Kind.BOOL, "Allow this one address although it is not public https.", default=False),
    Field("injects_usage", Kind.BOOL, "Ask for a stream's usage when the client did not.", default=True),
    Field(
        "custom_path",
        Kind.TEXT,
        "What follows the base URL in place of the format's own path: {model} is the provider's name of the model, "
        "{action} the end of the format's path, and a query may follow.",
        default="",
        most=200,
    ),
    Field(
        "auth",
        Kind.CHOICE,
        "The header that carries the key; null is the format's own.",
        nullable=True,
        choices=tuple(Auth),
    ),
    Field(
        "max_retries",
        Kind.INT,
        "Further attempts of one call at this endpoint; null as many as the pool allows.",
        nullable=True,
        least=0,
        most=20,
    ),
    limit("max_concurrent", "Calls at the same time, over all keys", 100_000),
    limit("rpm_limit", "Requests per minute, over all keys"),
    Field("proxy", Kind.PROXY, "An outbound HTTP proxy: http://user:password@host:port; empty for none.", default=""),
    Field("is_active", Kind.BOOL, "Whether calls may be sent to it.", default=True),
    Field("api_key", Kind.SECRET, "The provider's only key, entered again for a new address."),
)


async def listing(desk: Desk) -> tuple[Endpoint, ...]:
    """Oldest first."""
    async with desk.db.read() as tx:
        return await endpoints.every(tx)


async def get(desk: Desk, endpoint_id: str) -> Endpoint:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await endpoints.get(tx, endpoint_id), "endpoint")


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> Endpoint:
    values = read(FIELDS, raw, partial=False, text=text)
    secret = values.pop("api_key")
    async with desk.change(actor) as change:
        provider = chosen(await providers.every(change.tx), values["provider_id"], "provider_id", "provider")
        endpoint = await add(desk, change, {**values, "provider_id": provider.id})
        await _enter_secret(desk, change, provider.id, secret)
        return endpoint


async def update(
    desk: Desk, actor: Actor, endpoint_id: str, raw: Mapping[str, object], *, text: bool = False
) -> Endpoint:
    """Another scheme, host or port unbinds the provider's keys; `api_key` enters the only one again."""
    values = read(editable(FIELDS), raw, partial=True, text=text)
    secret = values.pop("api_key", None)
    async with desk.change(actor) as change:
        before = require(await endpoints.get(change.tx, endpoint_id), "endpoint")
        require_current(before, values, "endpoint")
        after = await revise(desk, change, before, values)
        await _enter_secret(desk, change, after.provider_id, secret)
        return after


async def delete(desk: Desk, actor: Actor, endpoint_id: str) -> None:
    """Unbinds the provider's keys that were for it. Raises NotFound."""
    async with desk.change(actor) as change:
        endpoint = require(await endpoints.get(change.tx, endpoint_id), "endpoint")
        await endpoints.delete(change.tx, endpoint.id)
        change.note("delete", "endpoint", endpoint.id, endpoint, None)
        await keys.rebind(change, endpoint.provider_id)


async def add(desk: Desk, change: Change, values: Values) -> Endpoint:
    """`values` as FIELDS reads them, with the provider's real id and without `api_key`."""
    local = allowed_local(values["base_url"], change.actor, is_local=values["local_upstream"])
    api_format = ApiFormat(values["api_format"])
    endpoint_id = new_id()
    plain = checked_path({**_with_auth(values), "api_format": api_format, "local_upstream": local})
    endpoint = Endpoint(
        id=endpoint_id,
        created_at=change.at,
        updated_at=change.at,
        **sealed_proxy(desk.vault, endpoint_id, plain),
    )
    for other in await endpoints.of_provider(change.tx, endpoint.provider_id):
        if other.api_format is api_format:
            raise InvalidFields({"api_format": f"is taken: this provider has an endpoint for {api_format} already"})
    await endpoints.insert(change.tx, endpoint)
    change.note("create", "endpoint", endpoint.id, None, endpoint)
    await keys.rebind(change, endpoint.provider_id)
    return endpoint


async def revise(desk: Desk, change: Change, before: Endpoint, values: Values) -> Endpoint:
    plain = checked_path({**_with_auth(values), "local_upstream": _local_after(before, change.actor, values)})
    sealed = sealed_proxy(desk.vault, before.id, plain)
    after = replace(before, **sealed, updated_at=change.at, version=before.version + 1)
    await endpoints.update(change.tx, after)
    change.note("update", "endpoint", after.id, before, after)
    await keys.rebind(change, after.provider_id)
    return after


def _with_auth(values: Values) -> Values:
    return {**values, "auth": Auth(values["auth"])} if values.get("auth") else values


def allowed_local(base_url: str, actor: Actor, *, is_local: bool) -> str | None:
    """The one `host:port` that may be dialled although it is not public; None for a public target.

    Raises InvalidFields where the target needs the switch, or may not be used even with it.
    """
    if base_url in BUILTIN_PATHS:
        if actor.kind != "system":
            raise InvalidFields({"base_url": "is kept for the built-in demo"})
        return None
    target = parse_base_url(base_url)
    if target.is_metadata:
        raise InvalidFields({"base_url": "must not be a cloud's metadata address"})
    if target.needs_local_switch and not is_local:
        raise InvalidFields(
            {"local_upstream": f"must be on to reach {target.host_port}, which is not a public https address"}
        )
    return target.host_port if is_local else None


def _local_after(before: Endpoint, actor: Actor, values: Values) -> str | None:
    """The switch was for one address; another one needs it again."""
    base_url = values.get("base_url", before.base_url)
    if base_url == before.base_url and (base_url in BUILTIN_PATHS or "local_upstream" not in values):
        return before.local_upstream
    stays = base_url not in BUILTIN_PATHS and before.local_upstream == parse_base_url(base_url).host_port
    return allowed_local(base_url, actor, is_local=values.get("local_upstream", stays))


async def _enter_secret(desk: Desk, change: Change, provider_id: str, secret: str | None) -> None:
    if secret is None:
        return
    found = await provider_keys.of_provider(change.tx, provider_id)
    if len(found) != 1:
        raise InvalidFields({"api_key": f"this provider has {len(found)} keys; enter it at the key itself"})
    await keys.revise(desk, change, found[0], {"api_key": secret})
