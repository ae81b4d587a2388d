"""Which secrets a provider key has had: a history of what recognises them, never of the secrets."""

from __future__ import annotations

from gateway.control.desk import Change, Desk
from gateway.control.lookup import require
from gateway.errors import Conflict
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
