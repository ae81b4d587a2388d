"""Which secrets a provider key has had: a history of what recognises them, never of the secrets."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.control import sessions, tokens
from gateway.control.desk import Change, Desk
from gateway.control.lookup import require
from gateway.control.sessions import Client
from gateway.errors import Conflict, Forbidden
from gateway.model.people import Actor
from gateway.model.registry import KeyVersion, ProviderKey
from gateway.store import key_versions, provider_keys
from gateway.vault import Secret, provider_key_binding


async def remember(change: Change, before: ProviderKey | None, after: ProviderKey, note: str) -> None:
    """Write a new version down where the secret is another one now."""
    if not after.masked or (after.sealed is None and after.env_name is None):
        return
    if before is not None and (before.sealed, before.env_name) == (after.sealed, after.env_name):
        return
    past = await key_versions.of_key(change.tx, after.id)
    number = past[0].number + 1 if past else 1
    version = KeyVersion(after.id, number, after.masked, after.fingerprint, note, change.actor.name, change.at)
    await key_versions.insert(change.tx, version)


async def history(desk: Desk, key_id: str) -> tuple[KeyVersion, ...]:
    """Newest first; the first one is active while the key has a secret. Raises NotFound."""
    async with desk.db.read() as tx:
        require(await provider_keys.get(tx, key_id), "provider key")
        return await key_versions.of_key(tx, key_id)


def active_number(key: ProviderKey, versions: Sequence[KeyVersion]) -> int | None:
    """The version that calls go out with; None while the key has no secret, or has to be entered again."""
    has_secret = key.sealed is not None or key.env_name is not None
    return versions[0].number if has_secret and versions else None


async def reveal(desk: Desk, actor: Actor, key_id: str) -> Secret:
    """The secret in plain text, written down in the audit log. Raises NotFound, or Conflict where none is stored.

    Whoever calls it has asked for the password first.
    """
    async with desk.change(actor) as change:
        key = require(await provider_keys.get(change.tx, key_id), "provider key")
        if key.env_name is not None:
            raise Conflict(f"This key is not stored here: it is in the environment variable {key.env_name}.")
        if key.sealed is None or key.bound_origin is None:
            raise Conflict("This key has no secret here; enter it first.")
        secret = desk.vault.unseal(key.sealed, provider_key_binding(key.id, key.bound_origin))
        change.note("reveal", "provider_key", key.id, None, {"name": key.name, "masked": key.masked})
        return secret


async def reveal_to_token(desk: Desk, actor: Actor, key_id: str, password: str) -> Secret:
    """`reveal` for the bearer of a management token, who proves to be its user with the user's password.

    Raises Forbidden where the token is nobody's, InvalidFields naming `password`, RateLimited, and as `reveal` does.
    """
    owner = await tokens.owner(desk, actor)
    if owner is None:
        raise Forbidden("This management token is no user's, so no password can prove who sends it; use the page.")
    await sessions.require_password(desk, owner, Client(actor.ip, ""), password)
    return await reveal(desk, actor, key_id)
