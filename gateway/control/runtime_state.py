"""What the gateway remembers while it serves, to be looked at and cleared: rests, circuits, buckets, allowances.

Looking changes nothing. Every clearing is written down in the audit log.
"""

from __future__ import annotations

import msgspec

from gateway.control.bucket_view import BucketNow, not_full
from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.model.people import Actor
from gateway.routing.adaptive import Learned
from gateway.routing.breaker import BreakerState
from gateway.routing.snapshot import Backend, Snapshot
from gateway.routing.state import BackendState, RuntimeState
from gateway.store import endpoints

_AUDITED = {"key": "provider_key"}
"""What the audit log calls the owner of a bucket, where the bucket's name has a shorter word."""


class BackendSeen(msgspec.Struct, frozen=True):
    """A backend that rests, whose circuit is not closed, or that was seen to take few calls at once.

    `rest_seconds` and `open_seconds` are what is left, 0 where nothing is; `circuit` is closed, open or half_open.
    `needs_probe`: the rest is over or will be, and one call goes first. `allowance` None is as many calls as come.
    """

    backend_id: str
    name: str
    rest_seconds: float
    rest_reason: str
    rest_kind: str
    needs_probe: bool
    streak: int
    circuit: str
    open_seconds: float
    openings: int
    in_flight: int
    allowance: int | None
    fault: str
    api_format: str


class EndpointRestSeen(msgspec.Struct, frozen=True):
    """A whole endpoint that rests, or has rested and was not tried since. `seconds` left, 0 where it is over."""

    endpoint_id: str
    provider: str
    base_url: str
    seconds: float
    reason: str


class LearnedSeen(msgspec.Struct, frozen=True):
    """What was learned of a provider key that has no fixed limit."""

    key_id: str
    name: str
    learned: Learned


class StateSeen(msgspec.Struct, frozen=True):
    """All of it. Buckets that are full and backends with nothing to tell are left out."""

    backends: tuple[BackendSeen, ...]
    endpoints: tuple[EndpointRestSeen, ...]
    buckets: tuple[BucketNow, ...]
    learned: tuple[LearnedSeen, ...]


def seen(snapshot: Snapshot, state: RuntimeState, now: float) -> StateSeen:
    """Looks only: nothing in `state` is made or changed. `now` is monotonic seconds."""
    backends = sorted(snapshot.backends.values(), key=lambda backend: (backend.pool.tier, backend.name))
    return StateSeen(
        backends=tuple(
            _backend(backend, found, now)
            for backend in backends
            if (found := state.backends.get(backend.id)) is not None and _has_something(found)
        ),
        endpoints=tuple(_endpoint_rests(state, now)),
        buckets=tuple(not_full(snapshot, state, now)),
        learned=_learned(snapshot, state, now),
    )


async def clear_endpoint(desk: Desk, actor: Actor, endpoint_id: str) -> None:
    """End the rest of a whole endpoint; those of its backends stay. Raises NotFound."""
    async with desk.change(actor) as change:
        endpoint = require(await endpoints.get(change.tx, endpoint_id), "endpoint")
        change.note("clear_rest", "endpoint", endpoint.id, None, {"base_url": endpoint.base_url})
    for base_url, there in desk.state.neighbours.items():
        if base_url in desk.state.endpoint_rests and any(backend.endpoint.id == endpoint_id for backend in there):
            desk.state.endpoint_rests[base_url].clear()
            desk.state.dirty.endpoints.add(base_url)


async def refill(desk: Desk, actor: Actor, name: str) -> None:
    """Fill a bucket, as if nothing had been used of its limit. Raises NotFound where nothing is used of it."""
    found = not_full(desk.snapshot(), desk.state, desk.clock.mono())
    bucket = require(next((one for one in found if one.name == name), None), "limit of which anything is used")
    kind, owner_id, _ = name.split(":", 2)
    async with desk.change(actor) as change:
        change.note("refill", _AUDITED.get(kind, kind), owner_id, {name: round(bucket.left, 3)}, {name: bucket.limit})
    desk.state.kept_levels.pop(name, None)
    there = desk.state.buckets.get(name)
    if there is not None:
        there.level, there.updated = float(there.limit), desk.clock.mono()
    desk.state.dirty.buckets.add(name)


def _has_something(found: BackendState) -> bool:
    return found.needs_probe or found.allowance is not None or found.breaker.state is not BreakerState.CLOSED


def _backend(backend: Backend, found: BackendState, now: float) -> BackendSeen:
    is_open = found.breaker.state is BreakerState.OPEN
    return BackendSeen(
        backend_id=backend.id,
        name=backend.name,
        rest_seconds=found.seconds_left(now),
        rest_reason=found.rest_reason if found.needs_probe else "",
        rest_kind=found.rest_kind.value,
        needs_probe=found.needs_probe,
        streak=found.streak,
        circuit=found.breaker.state.value,
        open_seconds=max(0.0, found.breaker.open_until - now) if is_open else 0.0,
        openings=found.breaker.openings,
        in_flight=found.in_flight,
        allowance=found.allowance,
        fault=found.fault,
        api_format=backend.endpoint.api_format.value,
    )


def _endpoint_rests(state: RuntimeState, now: float) -> list[EndpointRestSeen]:
    found = []
    for base_url, rest in state.endpoint_rests.items():
        there = state.neighbours.get(base_url, ())
        if rest.needs_probe and there:
            first = there[0]
            found.append(
                EndpointRestSeen(first.endpoint.id, first.provider.name, base_url, rest.seconds_left(now), rest.reason)
            )
    return sorted(found, key=lambda one: (one.provider, one.base_url))


def _learned(snapshot: Snapshot, state: RuntimeState, now: float) -> tuple[LearnedSeen, ...]:
    providers = {provider.id: provider.name for provider in snapshot.registry.providers}
    found = [
        LearnedSeen(key.id, f"{providers[key.provider_id]}/{key.name}", state.learned[key.id].view(now))
        for key in snapshot.registry.keys
        if key.rpm_limit is None and key.id in state.learned
    ]
    return tuple(
        sorted((one for one in found if one.learned.limit or one.learned.observations), key=lambda one: one.name)
    )
