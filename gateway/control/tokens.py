"""Management tokens: what programs present to the JSON admin API."""

from __future__ import annotations

from gateway.control import trail
from gateway.control.desk import Desk
from gateway.errors import Forbidden, InvalidFields, NotAuthenticated, NotFound
from gateway.ids import new_id
from gateway.model.people import Actor, ManagementToken, User
from gateway.store import management_tokens, users
from gateway.vault import new_token

PREFIX = "gwm-"
_TOUCH_MS = 60 * 1000


async def mint(desk: Desk, actor: Actor, name: str) -> tuple[str, ManagementToken]:
    """A new token in plain text, this once, and its row. Raises Forbidden: a token cannot make tokens."""
    if actor.kind == "token":
        raise Forbidden("A management token cannot make management tokens; sign in.")
    name = name.strip()
    if not 1 <= len(name) <= 100:
        raise InvalidFields({"name": "must have 1 to 100 characters"})
    plain = new_token(PREFIX)
    now = desk.clock.wall_ms()
    token = ManagementToken(
        id=new_id(),
        user_id=actor.id if actor.kind == "user" else None,
        name=name,
        token_hash=desk.vault.hash_token(plain),
        tail=plain[-4:],
        is_active=True,
        expires_at=None,
        created_at=now,
        last_used_at=None,
    )
    async with desk.db.write() as tx:
        await management_tokens.insert(tx, token)
        await trail.note(tx, actor, "create", ("management_token", token.id), now)
    return plain, token


async def every(desk: Desk) -> tuple[ManagementToken, ...]:
    """Newest first."""
    async with desk.db.read() as tx:
        return await management_tokens.every(tx)


async def disable(desk: Desk, actor: Actor, token_id: str) -> None:
    """Refuse the token from the next request on. Raises NotFound."""
    async with desk.db.write() as tx:
        if not await management_tokens.disable(tx, token_id):
            raise NotFound("There is no such management token.")
        await trail.note(tx, actor, "disable", ("management_token", token_id), desk.clock.wall_ms())


async def owner(desk: Desk, actor: Actor) -> User | None:
    """The user behind the management token that `actor` is; None for the machine's owner and for who is no token."""
    async with desk.db.read() as tx:
        found = [token for token in await management_tokens.every(tx) if token.id == actor.id]
        user_id = found[0].user_id if actor.kind == "token" and found else None
        return await users.by_id(tx, user_id) if user_id else None


async def is_good(desk: Desk, token_id: str) -> bool:
    """Whether the token that was recognised before still is one; this is no use of it."""
    async with desk.db.read() as tx:
        return await management_tokens.is_good(tx, token_id, desk.clock.wall_ms())


async def recognise(desk: Desk, token: str, ip: str) -> Actor:
    """Who presents this token. Raises NotAuthenticated: one error for unknown, disabled and expired."""
    async with desk.db.read() as tx:
        found = await management_tokens.by_hash(tx, desk.vault.hash_token(token))
        owner = await users.by_id(tx, found.user_id) if found and found.user_id else None
    now = desk.clock.wall_ms()
    if found is None or not found.is_active or (found.expires_at is not None and now >= found.expires_at):
        raise _refused()
    if found.user_id is not None and (owner is None or not owner.is_welcome or owner.role != "admin"):
        raise _refused()
    if found.last_used_at is None or now - found.last_used_at >= _TOUCH_MS:
        async with desk.db.write() as tx:
            await management_tokens.touch(tx, found.id, now)
    return Actor("token", found.id, found.name, ip)


def _refused() -> NotAuthenticated:
    return NotAuthenticated("This management token is not valid.", code="invalid_management_token")
