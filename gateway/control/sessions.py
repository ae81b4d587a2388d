"""Signing in and out of the admin site."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from gateway.control import passwords, throttle, trail
from gateway.control.desk import Desk
from gateway.errors import InvalidFields, NotAuthenticated
from gateway.model.people import Actor, Session, User
from gateway.store import sessions, users
from gateway.store.database import Tx
from gateway.vault import new_token

MINUTE_MS = 60 * 1000
LIFE_MS = 12 * 60 * MINUTE_MS
IDLE_MS = 60 * MINUTE_MS
RECENT_MS = 15 * MINUTE_MS
THEMES = ("auto", "light", "dark")

_NOBODY = Actor("user", "", "")


class Client(msgspec.Struct, frozen=True):
    """Where a request comes from: the address after trusted proxies, and what the browser calls itself."""

    ip: str
    user_agent: str


def actor(user: User, client: Client) -> Actor:
    """Who this user is in the audit log."""
    return Actor("user", user.id, user.username, client.ip)


async def sign_in(desk: Desk, username: str, password: str, client: Client) -> tuple[str, Session]:
    """A new session and the token for its cookie, shown to nobody else.

    Raises NotAuthenticated, the same for an unknown user, a disabled one and a wrong password; RateLimited
    with `retry_after` after too many failures.
    """
    username = username.strip().lower()
    user = await _prove(desk, username, password, client)
    if user is None:
        raise NotAuthenticated("The user name or the password is wrong.", code="wrong_password")
    async with desk.db.write() as tx:
        now = desk.clock.wall_ms()
        await throttle.forgive(tx, username, client.ip)
        await sessions.delete_ended(tx, now, now - IDLE_MS)
        await trail.note(tx, actor(user, client), "sign_in", ("user", user.id), now)
        return await begin(desk, tx, user, client)


async def begin(desk: Desk, tx: Tx, user: User, client: Client) -> tuple[str, Session]:
    """A session for somebody who has just proved who they are, in the caller's transaction."""
    token = new_token("")
    now = desk.clock.wall_ms()
    session = Session(
        token_hash=desk.vault.hash_token(token),
        user_id=user.id,
        created_at=now,
        last_seen_at=now,
        password_at=now,
        expires_at=now + LIFE_MS,
        ip=client.ip[:64],
        user_agent=client.user_agent[:256],
    )
    await sessions.insert(tx, session)
    await users.signed_in(tx, user.id, now)
    return token, session


async def recognise(desk: Desk, token: str, *, is_activity: bool = True) -> tuple[User, Session] | None:
    """Whose session this is; None where it is unknown, too old, idle too long, or its user is disabled.

    Only `is_activity` keeps it from becoming idle: a page that looks again by itself is nobody at the keyboard.
    """
    token_hash = desk.vault.hash_token(token)

    async def look(tx: Tx) -> tuple[User | None, Session | None]:
        session = await sessions.by_hash(tx, token_hash)
        return await users.by_id(tx, session.user_id) if session else None, session

    user, session = await desk.db.read_at_once(look)
    now = desk.clock.wall_ms()
    if session is None or user is None or not user.is_welcome:
        return None
    if now >= session.expires_at or now - session.last_seen_at >= IDLE_MS:
        return None
    if session.last_seen_at - now > MINUTE_MS:
        return None  # the clock was set back: the session would live that much longer
    if not is_activity or now - session.last_seen_at < MINUTE_MS:
        return user, session
    async with desk.db.write() as tx:
        await sessions.touch(tx, token_hash, now)
    return user, replace(session, last_seen_at=now)


async def sign_out(desk: Desk, session: Session) -> None:
    async with desk.db.write() as tx:
        user = await users.by_id(tx, session.user_id)
        await sessions.delete(tx, session.token_hash)
        if user:
            who = Actor("user", user.id, user.username, session.ip)
            await trail.note(tx, who, "sign_out", ("user", user.id), desk.clock.wall_ms())


async def sign_out_everywhere(desk: Desk, user: User) -> None:
    """End every session of the user, this one too."""
    async with desk.db.write() as tx:
        await sessions.delete_of_user(tx, user.id)
        who = Actor("user", user.id, user.username)
        await trail.note(tx, who, "sign_out_everywhere", ("user", user.id), desk.clock.wall_ms())


def has_recent_password(desk: Desk, session: Session) -> bool:
    """Whether the password was given in the last 15 minutes: asked before secrets are shown or moved."""
    return desk.clock.wall_ms() - session.password_at < RECENT_MS


async def confirm_password(desk: Desk, user: User, session: Session, password: str) -> Session:
    """The session with a recent password. Raises InvalidFields naming `password`, or RateLimited."""
    client = Client(session.ip, session.user_agent)
    if await _prove(desk, user.username, password, client) is None:
        raise InvalidFields({"password": "is not your password"})
    async with desk.db.write() as tx:
        now = desk.clock.wall_ms()
        await throttle.forgive(tx, user.username, client.ip)
        await sessions.confirm(tx, session.token_hash, now)
        await trail.note(tx, actor(user, client), "confirm_password", ("user", user.id), now)
    return replace(session, password_at=now)


async def require_password(desk: Desk, user: User, client: Client, password: str) -> None:
    """For somebody without a session, as behind a management token.

    Raises InvalidFields naming `password`, or RateLimited.
    """
    if await _prove(desk, user.username, password, client) is None:
        raise InvalidFields({"password": "is not your password"})
    async with desk.db.write() as tx:
        await throttle.forgive(tx, user.username, client.ip)


async def change_password(desk: Desk, user: User, session: Session, current: str, password: str) -> tuple[str, Session]:
    """Every session of the user ends; the one returned, with its token, takes the place of `session`.

    Raises InvalidFields naming `current` or `password`, or RateLimited.
    """
    client = Client(session.ip, session.user_agent)
    passwords.require_good(password, user.username)
    if await _prove(desk, user.username, current, client) is None:
        raise InvalidFields({"current": "is not your password"})
    password_hash = await passwords.hash_new(password)
    async with desk.db.write() as tx:
        await throttle.forgive(tx, user.username, client.ip)
        await users.set_password(tx, user.id, password_hash)
        await sessions.delete_of_user(tx, user.id)
        await trail.note(tx, actor(user, client), "change_password", ("user", user.id), desk.clock.wall_ms())
        return await begin(desk, tx, user, client)


async def set_theme(desk: Desk, user: User, theme: str) -> User:
    """Raises InvalidFields where the theme is none of THEMES."""
    if theme not in THEMES:
        raise InvalidFields({"theme": f"must be one of {', '.join(THEMES)}"})
    async with desk.db.write() as tx:
        await users.set_theme(tx, user.id, theme)
    return replace(user, theme=theme)


async def _prove(desk: Desk, username: str, password: str, client: Client) -> User | None:
    """The active user whose password this is, or None.

    A failure is written down here, unless too many were lately;
    forgiving the throttle after a success is up to the caller.
    """
    await throttle.admit(desk, username, client.ip)
    async with desk.db.read() as tx:
        user = await users.by_username(tx, username)
    known = user if user and user.is_welcome else None
    if await passwords.matches(known.password_hash if known else None, password):
        return known
    if desk.refusals.admit(client.ip, desk.clock.wall_ms()) is not None:
        async with desk.db.write() as tx:
            who = actor(user, client) if user else replace(_NOBODY, ip=client.ip)
            await trail.note(tx, who, "sign_in_failed", ("user", who.id), desk.clock.wall_ms())
    return None
