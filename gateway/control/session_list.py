"""Who is signed in where, and ending that from elsewhere."""

from __future__ import annotations

import hashlib

import msgspec

from gateway.control import trail
from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.control.sessions import IDLE_MS
from gateway.model.people import Actor, Session
from gateway.store import sessions, users


class SignedIn(msgspec.Struct, frozen=True):
    """A session that goes on. `id` names it, and opens nothing."""

    id: str
    session: Session


def session_id(session: Session) -> str:
    """The stored hash would do as an id, but no hash of ours is ever shown."""
    return hashlib.sha256(session.token_hash).hexdigest()[:16]


async def listing(desk: Desk, user_id: str) -> tuple[SignedIn, ...]:
    """The sessions of a person, last seen first. Raises NotFound where there is no such person."""
    now = desk.clock.wall_ms()
    async with desk.db.read() as tx:
        require(await users.by_id(tx, user_id), "user")
        found = await sessions.of_user(tx, user_id)
    return tuple(
        SignedIn(session_id(session), session)
        for session in found
        if now < session.expires_at and now - session.last_seen_at < IDLE_MS
    )


async def end(desk: Desk, actor: Actor, user_id: str, wanted: str) -> None:
    """End one session of a person. Raises NotFound."""
    async with desk.db.write() as tx:
        mine = {session_id(session): session for session in await sessions.of_user(tx, user_id)}
        session = require(mine.get(wanted), "session")
        await sessions.delete(tx, session.token_hash)
        await trail.note(tx, actor, "end_session", ("user", user_id), desk.clock.wall_ms())


async def end_all(desk: Desk, actor: Actor, user_id: str) -> None:
    """Sign a person out everywhere. Raises NotFound."""
    async with desk.db.write() as tx:
        require(await users.by_id(tx, user_id), "user")
        await sessions.delete_of_user(tx, user_id)
        await trail.note(tx, actor, "sign_out_everywhere", ("user", user_id), desk.clock.wall_ms())
