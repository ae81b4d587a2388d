"""What was learned of a provider key's requests per minute, and what an operator can make of it."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.errors import Conflict
from gateway.model.people import Actor
from gateway.model.registry import ProviderKey
from gateway.routing.adaptive import Adaptive, Learned
from gateway.routing.bounds import key_requests
from gateway.store import provider_keys


class KeyLimit(msgspec.Struct, frozen=True):
    """A key's requests per minute. `fixed` is the operator's number; with None what was learned is held to."""

    key_id: str
    fixed: int | None
    learned: Learned


async def of_key(desk: Desk, key_id: str) -> KeyLimit:
    """Raises NotFound. Looks only: a key that nothing is known of stays so."""
    async with desk.db.read() as tx:
        key = require(await provider_keys.get(tx, key_id), "provider key")
    return KeyLimit(key.id, key.rpm_limit, _learned(desk, key_id))


async def reset(desk: Desk, actor: Actor, key_id: str) -> None:
    """Forget what was learned, so that calls are unlimited until there is new evidence. Raises NotFound."""
    async with desk.change(actor) as change:
        key = require(await provider_keys.get(change.tx, key_id), "provider key")
        before = {"name": key.name, "learned": _learned(desk, key_id).limit}
        change.note("reset_learned", "provider_key", key.id, before, {"name": key.name, "learned": None})
    desk.state.forget_learned(key_id, desk.clock.wall_ms())


async def fix(desk: Desk, actor: Actor, key_id: str) -> ProviderKey:
    """Make the learned limit the operator's own. What was sent in the last minute is taken from it.

    Raises NotFound, or Conflict where there is a fixed one already or nothing was learned.
    """
    learned = _learned(desk, key_id)
    async with desk.change(actor) as change:
        before = require(await provider_keys.get(change.tx, key_id), "provider key")
        if before.rpm_limit is not None:
            raise Conflict(f"This key has a fixed limit of {before.rpm_limit} requests per minute already.")
        if learned.limit is None:
            raise Conflict("Nothing was learned of this key's requests per minute yet; enter a number instead.")
        after = replace(before, rpm_limit=learned.limit, updated_at=change.at, version=before.version + 1)
        await provider_keys.update(change.tx, after)
        change.note("fix_learned", "provider_key", after.id, before, after)
    bucket = desk.state.bucket(key_requests(after), learned.limit, desk.clock.mono())
    if bucket is not None:
        bucket.level = min(bucket.level, float(max(0, learned.limit - learned.requests_last_minute)))
        desk.state.dirty.buckets.add(key_requests(after))
    return after


def _learned(desk: Desk, key_id: str) -> Learned:
    return (desk.state.learned.get(key_id) or Adaptive()).view(desk.clock.mono())
