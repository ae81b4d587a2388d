"""Management tokens: what programs present to the JSON admin API."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from gateway.control import trail
from gateway.control.desk import Desk, shown
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.errors import Forbidden, InvalidFields, NotAuthenticated
from gateway.ids import new_id
from gateway.model.people import Actor, ManagementToken, User
from gateway.model.scopes import SCOPES
from gateway.store import management_tokens, users
from gateway.vault import new_token

PREFIX = "gwm-"
_TOUCH_MS = 60 * 1000
_ELSEWHERE_MS = 1000

FIELDS: Table = (
    Field("name", Kind.TEXT, "Who or what uses it.", required=True, least=1, most=100),
    Field(
        "scopes",
        Kind.STRINGS,
        "What it may do: read, write, or for one noun models:read, models:write; null is everything, an empty list "
        "nothing.",
        nullable=True,
    ),
    Field(
        "allowed_ips",
        Kind.STRINGS,
        "From where: addresses and networks such as 192.0.2.0/24; null is everywhere, an empty list nowhere.",
        nullable=True,
    ),
    Field("expires_at", Kind.TIME, "When it ends: Unix milliseconds or ISO 8601; null is never.", nullable=True),
)


async def create(
    desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False
) -> tuple[str, ManagementToken]:
    """A new token in plain text, this once, and its row. Raises Forbidden: a token cannot make tokens."""
    if actor.kind == "token":
        raise Forbidden("A management token cannot make management tokens; sign in.")
    values = _checked(read(FIELDS, raw, partial=False, text=text))
    plain = new_token(PREFIX)
    now = desk.clock.wall_ms()
    token = ManagementToken(
        id=new_id(),
        user_id=actor.id if actor.kind == "user" else None,
        token_hash=desk.vault.hash_token(plain),
        tail=plain[-4:],
        is_active=True,
        created_at=now,
        last_used_at=None,
        **values,
    )
    async with desk.db.write() as tx:
        await management_tokens.insert(tx, token)
        await trail.note(tx, actor, "create", ("management_token", token.id), now, shown(token))
    return plain, token


async def mint(desk: Desk, actor: Actor, name: str) -> tuple[str, ManagementToken]:
    """A token that may do everything, from everywhere, for good."""
    return await create(desk, actor, {"name": name})


async def every(desk: Desk) -> tuple[ManagementToken, ...]:
    """Newest first."""
    async with desk.db.read() as tx:
        return await management_tokens.every(tx)


async def get(desk: Desk, token_id: str) -> ManagementToken:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await management_tokens.get(tx, token_id), "management token")


async def set_active(desk: Desk, actor: Actor, token_id: str, *, active: bool) -> ManagementToken:
    """Accept or refuse the token from the next request on. Raises NotFound, and Forbidden for a token that enables."""
    if active and actor.kind == "token":
        raise Forbidden("A management token cannot enable management tokens; sign in.")
    async with desk.db.write() as tx:
        before = require(await management_tokens.get(tx, token_id), "management token")
        await management_tokens.set_active(tx, token_id, active=active)
        action = "enable" if active else "disable"
        await trail.note(tx, actor, action, ("management_token", token_id), desk.clock.wall_ms())
        return replace(before, is_active=active)


async def disable(desk: Desk, actor: Actor, token_id: str) -> None:
    await set_active(desk, actor, token_id, active=False)


async def delete(desk: Desk, actor: Actor, token_id: str) -> None:
    """Raises NotFound."""
    async with desk.db.write() as tx:
        require(await management_tokens.get(tx, token_id), "management token")
        await management_tokens.delete(tx, token_id)
        await trail.note(tx, actor, "delete", ("management_token", token_id), desk.clock.wall_ms())


async def owner(desk: Desk, actor: Actor) -> User | None:
    """The user behind the management token that `actor` is; None for the machine's owner and for who is no token."""
    if actor.kind != "token":
        return None
    async with desk.db.read() as tx:
        found = await management_tokens.get(tx, actor.id)
        return await users.by_id(tx, found.user_id) if found and found.user_id else None


async def is_good(desk: Desk, token_id: str) -> bool:
    """Whether the token that was recognised before still is one; this is no use of it."""
    async with desk.db.read() as tx:
        return await management_tokens.is_good(tx, token_id, desk.clock.wall_ms())


async def recognise(desk: Desk, token: str, ip: str) -> Actor:
    """Who presents this token. Raises NotAuthenticated: one error for unknown, disabled and expired.

    Raises Forbidden for a good token from an address that it is not for.
    """
    async with desk.db.read() as tx:
        found = await management_tokens.by_hash(tx, desk.vault.hash_token(token))
        owner = await users.by_id(tx, found.user_id) if found and found.user_id else None
    now = desk.clock.wall_ms()
    if found is None or not found.is_active or (found.expires_at is not None and now >= found.expires_at):
        raise _refused()
    if found.user_id is not None and (owner is None or not owner.is_welcome or owner.role != "admin"):
        raise _refused()
    if not _is_from(found.allowed_ips, ip):
        raise Forbidden(f"This management token is not for requests from {ip}.", code="ip_not_allowed")
    pause_ms = _TOUCH_MS if ip == found.last_used_ip else _ELSEWHERE_MS
    if found.last_used_at is None or now - found.last_used_at >= pause_ms:
        async with desk.db.write() as tx:
            await management_tokens.touch(tx, found.id, now, ip)
    return Actor("token", found.id, found.name, ip, found.scopes)


def _refused() -> NotAuthenticated:
    return NotAuthenticated("This management token is not valid.", code="invalid_management_token")


def _checked(values: Values) -> Values:
    """The values with networks in one form. Raises InvalidFields for what is no scope or network."""
    faults = {}
    if unknown := [scope for scope in values["scopes"] or () if scope not in SCOPES]:
        near = difflib.get_close_matches(unknown[0], SCOPES, n=1)
        faults["scopes"] = f"has no scope {unknown[0][:100]}" + (f"; did you mean {near[0]}?" if near else "")
    try:
        values = {**values, "allowed_ips": _networks(values["allowed_ips"])}
    except ValueError as error:
        faults["allowed_ips"] = str(error)
    if faults:
        raise InvalidFields(faults)
    return values


def _networks(given: Sequence[str] | None) -> tuple[str, ...] | None:
    if given is None:
        return None
    found = []
    for text in given:
        try:
            found.append(str(ipaddress.ip_network(text, strict=False)))
        except ValueError:
            raise ValueError(f"has no address or network {text[:100]}; write it as 192.0.2.7 or 192.0.2.0/24") from None
    return tuple(dict.fromkeys(found))


def _is_from(networks: Sequence[str] | None, ip: str) -> bool:
    """Whether the address is in one of the networks; None are all of them."""
    if networks is None:
        return True
    try:
        address = ipaddress.ip_address(ip.split("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network) for network in networks)
