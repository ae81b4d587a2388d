"""What a kill may not take away of the runtime state: as rows, and back.

Monotonic times are written as Unix time, so that a rest goes on and a bucket refills while the program is off.
"""

from __future__ import annotations

import msgspec

from gateway.clock import Clock
from gateway.routing.adaptive import from_stored, to_stored
from gateway.routing.quota import Spend
from gateway.routing.spends import DAY_MS
from gateway.routing.state import BackendState, Dirty, RestKind, RuntimeState
from gateway.store import adaptive_limits, backend_states, bucket_levels, endpoint_rests, provider_spend, spends
from gateway.store.adaptive_limits import StoredLimit
from gateway.store.backend_states import StoredState
from gateway.store.bucket_levels import StoredLevel
from gateway.store.database import Database, Tx
from gateway.store.endpoint_rests import StoredRest

_LONGEST_KEPT_MS = 31 * 24 * 3600 * 1000
"""Longer than any bucket takes to fill."""


class Moment(msgspec.Struct, frozen=True):
    """The same instant on both clocks."""

    mono: float
    wall_ms: int

    def to_wall(self, mono: float) -> int:
        return self.wall_ms + round((mono - self.mono) * 1000)

    def to_mono(self, wall_ms: int) -> float:
        return self.mono + (wall_ms - self.wall_ms) / 1000


class Changed(msgspec.Struct, frozen=True):
    """What is to be written of the state: rows as they were at one moment, and whose rows go."""

    states: tuple[StoredState, ...] = ()
    no_states: frozenset[str] = frozenset()
    levels: tuple[StoredLevel, ...] = ()
    no_levels: frozenset[str] = frozenset()
    rests: tuple[StoredRest, ...] | None = None
    limits: tuple[StoredLimit, ...] = ()
    no_limits: frozenset[str] = frozenset()


def changed(state: RuntimeState, dirty: Dirty, clock: Clock) -> Changed:
    """What `dirty` names as it is now. What is as good as new has no row."""
    at = Moment(clock.mono(), clock.wall_ms())
    backends = dirty.backends | dirty.averages
    states = tuple(filter(None, (_stored_state(name, state, at) for name in backends)))
    levels = tuple(filter(None, (_stored_level(name, state, at) for name in dirty.buckets)))
    limits = tuple(filter(None, (_stored_limit(key_id, state, at) for key_id in dirty.learned)))
    return Changed(
        states=states,
        no_states=frozenset(backends - {row.backend_id for row in states}),
        levels=levels,
        no_levels=frozenset(dirty.buckets - {level.name for level in levels}),
        rests=tuple(_stored_rests(state, at)) if dirty.endpoints else None,
        limits=limits,
        no_limits=frozenset(dirty.learned - {limit.key_id for limit in limits}),
    )


async def write_changed(tx: Tx, found: Changed) -> None:
    """What has nothing to write costs no statement."""
    if found.states:
        await backend_states.save_many(tx, found.states)
    if found.no_states:
        await backend_states.delete_many(tx, found.no_states)
    if found.levels:
        await bucket_levels.save_many(tx, found.levels)
    if found.no_levels:
        await bucket_levels.delete_many(tx, found.no_levels)
    if found.rests is not None:
        await endpoint_rests.replace_all(tx, found.rests)
    if found.limits:
        await adaptive_limits.save_many(tx, found.limits)
    if found.no_limits:
        await adaptive_limits.delete_many(tx, found.no_limits)


async def restore_state(db: Database, state: RuntimeState, clock: Clock) -> None:
    """Read back what was written before a stop or a crash. `state` follows the snapshot already."""
    async with db.read() as tx:
        states, levels = await backend_states.every(tx), await bucket_levels.every(tx)
        rests, limits = await endpoint_rests.every(tx), await adaptive_limits.every(tx)
        spent = await provider_spend.every(tx)
        running = state.spends.beginnings(max(clock.wall_ms(), await spends.latest_day(tx) * DAY_MS))
        by_owner = await spends.since_days(tx, [since // DAY_MS for since in running])
    at = Moment(clock.mono(), clock.wall_ms())
    for row in states:
        _restore_backend(state.of(row.backend_id), row, at)
    for level in levels:
        if at.wall_ms - level.updated_at > _LONGEST_KEPT_MS:
            state.dirty.buckets.add(level.name)  # long full again, or its owner is gone: the row goes
        else:
            state.kept_levels[level.name] = (level.level, min(at.mono, at.to_mono(level.updated_at)))
    _restore_rests(state, rests, at)
    for limit in limits:
        state.learned[limit.key_id] = from_stored(msgspec.json.decode(limit.learned), at.mono, at.wall_ms)
    for spend in spent:
        state.spent[spend.provider_id] = Spend(spend.used_nano, spend.since)
    for owner, nano in by_owner.items():
        state.spends.restore(owner, nano)


def _stored_state(backend_id: str, state: RuntimeState, at: Moment) -> StoredState | None:
    found = state.backends.get(backend_id)
    if found is None or not _is_remembered(found):
        return None
    breaker = found.breaker
    return StoredState(
        backend_id=backend_id,
        resting_until=at.to_wall(found.resting_until) if found.needs_probe else None,
        rest_reason=found.rest_reason,
        rest_kind=found.rest_kind.value,
        streak=found.streak,
        fault=found.fault,
        fault_at=found.fault_at_ms,
        breaker_openings=breaker.openings,
        breaker_open_until=at.to_wall(breaker.open_until) if breaker.openings else None,
        updated_at=at.wall_ms,
        score=found.score,
        first_output_ms=found.first_output_ms,
        allowance=found.allowance,
    )


def _is_remembered(found: BackendState) -> bool:
    is_ill = found.needs_probe or found.streak or found.fault or found.breaker.openings
    return bool(is_ill) or found.score is not None or found.allowance is not None


def _restore_backend(found: BackendState, row: StoredState, at: Moment) -> None:
    found.streak, found.fault, found.fault_at_ms = row.streak, row.fault, row.fault_at
    found.score, found.first_output_ms, found.allowance = row.score, row.first_output_ms, row.allowance
    if row.breaker_open_until is not None:
        found.breaker.restore(row.breaker_openings, at.to_mono(row.breaker_open_until))
    if row.resting_until is not None:
        found.rest(at.to_mono(row.resting_until), row.rest_reason, RestKind(row.rest_kind))


def _stored_level(name: str, state: RuntimeState, at: Moment) -> StoredLevel | None:
    bucket = state.buckets.get(name)
    if bucket is None:
        return None
    bucket.refill(at.mono)
    return None if bucket.level >= bucket.limit else StoredLevel(name, bucket.level, at.wall_ms)


def _stored_rests(state: RuntimeState, at: Moment) -> list[StoredRest]:
    rows: dict[str, StoredRest] = {}
    for base_url, rest in state.endpoint_rests.items():
        if rest.needs_probe:
            for backend in state.neighbours.get(base_url, ()):
                endpoint_id = backend.endpoint.id
                rows[endpoint_id] = StoredRest(endpoint_id, at.to_wall(rest.resting_until), rest.reason, at.wall_ms)
    return list(rows.values())


def _restore_rests(state: RuntimeState, rows: tuple[StoredRest, ...], at: Moment) -> None:
    by_endpoint = {row.endpoint_id: row for row in rows}
    for base_url, there in state.neighbours.items():
        for backend in there:
            row = by_endpoint.get(backend.endpoint.id)
            if row is not None:
                state.endpoint_rest(base_url).rest(at.to_mono(row.resting_until), row.reason)


def _stored_limit(key_id: str, state: RuntimeState, at: Moment) -> StoredLimit | None:
    found = state.learned.get(key_id)
    if found is None or not (found.observations or found.adjustments):
        return None
    learned = msgspec.json.encode(to_stored(found, at.mono, at.wall_ms)).decode()
    return StoredLimit(key_id, learned, at.wall_ms)
