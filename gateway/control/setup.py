"""The first administrator: made once, by whoever holds a one-use link from the console."""

from __future__ import annotations

import re

from gateway.control import passwords, sessions, trail
from gateway.control.desk import Desk
from gateway.control.sessions import Client
from gateway.errors import Conflict, Forbidden, Gone, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor, Session, User
from gateway.store import sessions as store_sessions
from gateway.store import setup_links, users
from gateway.vault import new_token

LINK_SECONDS = 15 * 60
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")


async def needs_setup(desk: Desk) -> bool:
    """Whether nobody can sign in yet."""
    async with desk.db.read() as tx:
        return not await users.has_administrator(tx)


async def new_link(desk: Desk, seconds: int = LINK_SECONDS) -> str:
    """The token of a link that is good for `seconds`, also after a restart.

    Raises Conflict once somebody can sign in.
    """
    token = new_token("")
    now = desk.clock.wall_ms()
    async with desk.db.write() as tx:
        await setup_links.delete_expired(tx, now)
        if not await setup_links.insert(tx, desk.vault.hash_token(token), now, now + seconds * 1000):
            raise Conflict("An administrator exists already; sign in.")
    return token


async def is_open(desk: Desk, token: str) -> bool:
    """Whether `finish` would take this token now. Asking does not use it up."""
    async with desk.db.read() as tx:
        return await setup_links.is_open(tx, desk.vault.hash_token(token), desk.clock.wall_ms())


async def finish(desk: Desk, token: str, username: str, password: str, client: Client) -> tuple[str, Session]:
    """Make the administrator and sign them in: the session and the token for its cookie.

    Raises Gone where the link was used or is too old, InvalidFields naming `username` or `password` (the link
    stays good), Forbidden where an administrator exists.
    """
    username = username.strip().lower()
    if not await is_open(desk, token):
        raise _gone()
    require_name_and_password(username, password)
    user = await _administrator(desk, username, password)
    async with desk.db.write() as tx:
        if not await setup_links.consume(tx, desk.vault.hash_token(token), user.created_at):
            raise _gone()
        if not await users.insert_first(tx, user):
            raise Forbidden("An administrator exists already; sign in.")
        await setup_links.delete_every(tx)
        await trail.note(tx, sessions.actor(user, client), "set_up", ("user", user.id), user.created_at)
        return await sessions.begin(desk, tx, user, client)


async def make_administrator(desk: Desk, username: str, password: str) -> bool:
    """Make the administrator from the command line's settings; False where one exists already.

    Raises InvalidFields naming `username` or `password`.
    """
    require_name_and_password(username, password)
    user = await _administrator(desk, username, password)
    async with desk.db.write() as tx:
        if not await users.insert_first(tx, user):
            return False
        await setup_links.delete_every(tx)
        client = Client("", "")
        await trail.note(tx, sessions.actor(user, client), "set_up", ("user", user.id), user.created_at)
    return True


async def reset_password(desk: Desk, username: str, password: str) -> bool:
    """From the command line: a new password for `username`, whose sessions end; True where it is a new administrator.

    Raises InvalidFields naming `username` or `password`.
    """
    if await make_administrator(desk, username, password):
        return True
    async with desk.db.read() as tx:
        user = await users.by_username(tx, username)
    if user is None:
        raise InvalidFields({"username": "is nobody here"})
    password_hash = await passwords.hash_new(password)
    async with desk.db.write() as tx:
        await users.set_password(tx, user.id, password_hash)
        await store_sessions.delete_of_user(tx, user.id)
        who = Actor("cli", "password", "password reset")
        await trail.note(tx, who, "reset_password", ("user", user.id), desk.clock.wall_ms())
    return False


def require_name_and_password(username: str, password: str) -> None:
    faults = {}
    if not _USERNAME.fullmatch(username):
        faults["username"] = "must be 1 to 64 letters, digits or . _ @ + -"
    try:
        passwords.require_good(password, username)
    except InvalidFields as error:
        faults.update(error.fields)
    if faults:
        raise InvalidFields(faults)


async def _administrator(desk: Desk, username: str, password: str) -> User:
    return User(
        id=new_id(),
        username=username,
        password_hash=await passwords.hash_new(password),
        role="admin",
        is_active=True,
        theme="auto",
        created_at=desk.clock.wall_ms(),
        last_login_at=None,
    )


def _gone() -> Gone:
    return Gone("This link was used or is too old. Start the gateway again for a new one.")
