"""What an operator can do to pools."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control import pool_stats
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require, require_free_name
from gateway.control.versions import editable, require_current
from gateway.errors import Conflict, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor
from gateway.model.registry import Pool, Strategy, Translated
from gateway.store import pools, provider_keys, providers
from gateway.store.database import Tx

_NAMED_IN_REFUSAL = 5

FIELDS: Table = (
    Field("name", Kind.SLUG, "Unique short name.", required=True),
    Field(
        "strategy",
        Kind.CHOICE,
        "How its backends are ordered.",
        default=Strategy.PRIORITY.value,
        choices=tuple(Strategy),
    ),
    Field(
        "translated",
        Kind.CHOICE,
        "Where backends of another API format than the call's come: last of all, equal to the others, or never.",
        default=Translated.LAST.value,
        choices=tuple(Translated),
    ),
    Field("tier", Kind.INT, "Lower is tried first; equal tiers one after the other.", default=10, least=0, most=1000),
    Field(
        "cooldown_base_seconds",
        Kind.NUMBER,
        "Rest after a first 429 that names no time.",
        default=5.0,
        least=0.1,
        most=3600,
    ),
    Field("cooldown_factor", Kind.NUMBER, "How much longer each next rest is.", default=2.0, least=1, most=10),
    Field("cooldown_cap_seconds", Kind.NUMBER, "The longest such rest.", default=300.0, least=0.1, most=86_400),
    Field("cooldown_jitter", Kind.NUMBER, "Share by which a rest varies.", default=0.2, least=0, most=0.9),
    Field("max_attempts", Kind.INT, "Most backends of this pool that one call tries.", default=4, least=1, most=20),
    Field(
        "wait_seconds",
        Kind.NUMBER,
        "How long a call may wait when every backend rests.",
        default=10.0,
        least=0,
        most=600,
    ),
)


async def listing(desk: Desk) -> tuple[Pool, ...]:
    """First tier first."""
    async with desk.db.read() as tx:
        return await pools.every(tx)


async def get(desk: Desk, pool_id: str) -> Pool:
    """Raises NotFound."""
    async with desk.db.read() as tx:
        return require(await pools.get(tx, pool_id), "pool")


def stats(desk: Desk) -> list[pool_stats.PoolStats]:
    """Each pool with its backends as they are now, first tier first."""
    return pool_stats.stats(desk.snapshot(), desk.state, desk.settings.secrets, desk.clock.mono())


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> Pool:
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        pool = Pool(id=new_id(), **_typed(values), created_at=change.at, updated_at=change.at)
        await _require_sound(change.tx, pool)
        await pools.insert(change.tx, pool)
        change.note("create", "pool", pool.id, None, pool)
        return pool


async def update(desk: Desk, actor: Actor, pool_id: str, raw: Mapping[str, object], *, text: bool = False) -> Pool:
    values = read(editable(FIELDS), raw, partial=True, text=text)
    async with desk.change(actor) as change:
        before = require(await pools.get(change.tx, pool_id), "pool")
        require_current(before, values, "pool")
        after = replace(before, **_typed(values), updated_at=change.at, version=before.version + 1)
        await _require_sound(change.tx, after)
        await pools.update(change.tx, after)
        change.note("update", "pool", after.id, before, after)
        return after


async def delete(desk: Desk, actor: Actor, pool_id: str) -> None:
    """Raises NotFound, or Conflict naming up to five provider keys that are in it."""
    async with desk.change(actor) as change:
        pool = require(await pools.get(change.tx, pool_id), "pool")
        await _require_unused(change.tx, pool)
        await pools.delete(change.tx, pool.id)
        change.note("delete", "pool", pool.id, pool, None)


def _typed(values: Values) -> Values:
    kinds = {"strategy": Strategy, "translated": Translated}
    return {**values, **{name: kind(values[name]) for name, kind in kinds.items() if name in values}}


async def _require_sound(tx: Tx, pool: Pool) -> None:
    require_free_name(await pools.every(tx), pool.name, pool.id)
    if pool.cooldown_cap_seconds < pool.cooldown_base_seconds:
        raise InvalidFields({"cooldown_cap_seconds": "must not be shorter than cooldown_base_seconds"})


async def _require_unused(tx: Tx, pool: Pool) -> None:
    inside = [key for key in await provider_keys.every(tx) if key.pool_id == pool.id]
    if not inside:
        return
    owners = {provider.id: provider.name for provider in await providers.every(tx)}
    named = ", ".join(f"{owners[key.provider_id]}/{key.name}" for key in inside[:_NAMED_IN_REFUSAL])
    more = f" and {len(inside) - _NAMED_IN_REFUSAL} more" if len(inside) > _NAMED_IN_REFUSAL else ""
    raise Conflict(f"Pool {pool.name} is in use by {named}{more}; move them to another pool first.")
