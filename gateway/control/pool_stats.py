"""How pools and their backends are doing: a pure function of snapshot, runtime state and time."""

from __future__ import annotations

from collections.abc import Container
from enum import StrEnum

import msgspec

from gateway.control.versions import together
from gateway.routing.bounds import key_requests
from gateway.routing.breaker import BreakerState
from gateway.routing.buckets import TokenBucket
from gateway.routing.snapshot import Backend, Snapshot, backend_order
from gateway.routing.state import BackendState, RestKind, RuntimeState


class BackendStatus(StrEnum):
    """What a backend is, in the order in which one hides the next.

    UNBOUND: its address changed and the key must be entered again. OPEN: it failed too often, and its circuit
    breaker keeps calls away. UNKNOWN: not used since the start.
    """

    DISABLED = "disabled"
    UNBOUND = "unbound"
    ENV_MISSING = "env_missing"
    COOLING = "cooling"
    OPEN = "open"
    PROBING = "probing"
    ERROR = "error"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"


_BROKEN = frozenset({BackendStatus.UNBOUND, BackendStatus.ENV_MISSING, BackendStatus.OPEN, BackendStatus.ERROR})


class BackendStats(msgspec.Struct, frozen=True):
    """One backend now. `seconds_left` and `rest_kind` of a rest, 0 without one; `rpm_left` None without a limit.

    `reason` is a sentence for people, empty where all is well. `models` are the codes it serves. `version` is that of
    provider, endpoint and key together.
    """

    id: str
    key_id: str
    endpoint_id: str
    provider_id: str
    name: str
    provider: str
    label: str
    preset: str
    pool: str
    base_url: str
    api_format: str
    status: BackendStatus
    seconds_left: float
    rest_kind: RestKind
    reason: str
    fault: str
    fault_at: int | None
    streak: int
    in_flight: int
    rpm_limit: int | None
    rpm_left: int | None
    successes: int
    failures: int
    masked: str
    env_name: str | None
    is_enabled: bool
    priority: int
    weight: int
    models: tuple[str, ...]
    version: int


class PoolStats(msgspec.Struct, frozen=True):
    """`error` counts backends that failed last or cannot be used as they are configured."""

    id: str
    name: str
    tier: int
    total: int
    enabled: int
    healthy: int
    unknown: int
    cooling: int
    error: int
    backends: tuple[BackendStats, ...]


def stats(snapshot: Snapshot, state: RuntimeState, env_names: Container[str], now: float) -> list[PoolStats]:
    """Pools by tier, in each its backends in the order in which they are tried. `now` is monotonic seconds."""
    models = _models_by_backend(snapshot)
    by_pool: dict[str, list[BackendStats]] = {}
    for backend in sorted(snapshot.backends.values(), key=backend_order):
        shown = backend_stats(backend, state, env_names, now, models.get(backend.id, ()))
        by_pool.setdefault(backend.pool.id, []).append(shown)
    return [
        _pool_stats(pool.id, pool.name, pool.tier, tuple(by_pool.get(pool.id, ())))
        for pool in sorted(snapshot.registry.pools, key=lambda pool: (pool.tier, pool.name))
    ]


def backend_stats(
    backend: Backend, state: RuntimeState, env_names: Container[str], now: float, models: tuple[str, ...]
) -> BackendStats:
    """Looks only: nothing in `state` is made or changed."""
    seen = state.backends.get(backend.id) or BackendState()
    status, reason = _status(backend, seen, env_names, now)
    provider, endpoint, key = backend.provider, backend.endpoint, backend.key
    return BackendStats(
        id=backend.id,
        key_id=key.id,
        endpoint_id=endpoint.id,
        provider_id=provider.id,
        name=backend.name,
        provider=provider.name,
        label=key.name,
        preset=provider.preset,
        pool=backend.pool.name,
        base_url=endpoint.base_url,
        api_format=endpoint.api_format.value,
        status=status,
        seconds_left=_seconds_left(seen, now),
        rest_kind=seen.rest_kind,
        reason=reason,
        fault=seen.fault,
        fault_at=seen.fault_at_ms,
        streak=seen.streak,
        in_flight=seen.in_flight,
        rpm_limit=key.rpm_limit,
        rpm_left=_rpm_left(key.rpm_limit, state.buckets.get(key_requests(key)), now),
        successes=seen.successes,
        failures=seen.failures,
        masked=key.masked,
        env_name=key.env_name,
        is_enabled=backend.is_enabled,
        priority=key.internal_priority,
        weight=key.weight,
        models=models,
        version=together(provider, endpoint, key),
    )


def _status(backend: Backend, seen: BackendState, env_names: Container[str], now: float) -> tuple[BackendStatus, str]:
    configured = _configured(backend, env_names)
    if configured is not None:
        return configured
    if seen.seconds_left(now) > 0:
        return BackendStatus.COOLING, seen.rest_reason
    if seen.breaker.state is not BreakerState.CLOSED:
        return _breaker_status(seen, now)
    if seen.needs_probe or seen.probing:
        return BackendStatus.PROBING, "Its rest is over; one call tries it first."
    if seen.fault:
        return BackendStatus.ERROR, seen.fault
    return (BackendStatus.HEALTHY if seen.successes else BackendStatus.UNKNOWN), ""


def _breaker_status(seen: BackendState, now: float) -> tuple[BackendStatus, str]:
    if seen.breaker.state is BreakerState.OPEN and now < seen.breaker.open_until:
        return BackendStatus.OPEN, f"It failed too often and is left alone. {seen.fault}".strip()
    return BackendStatus.PROBING, "It failed too often; one call at a time tries it."


def _seconds_left(seen: BackendState, now: float) -> float:
    """Of its rest or of its open breaker, whichever is longer."""
    is_open = seen.breaker.state is BreakerState.OPEN
    return max(seen.seconds_left(now), seen.breaker.open_until - now if is_open else 0.0, 0.0)


def _configured(backend: Backend, env_names: Container[str]) -> tuple[BackendStatus, str] | None:
    """What keeps it from being used whatever happens, or None."""
    key = backend.key
    if not backend.is_enabled:
        return BackendStatus.DISABLED, "It is disabled."
    if key.weight == 0 or key.rpm_limit == 0:
        return BackendStatus.DISABLED, "Its weight or its requests per minute are 0."
    if key.masked and key.bound_origin is None:
        return BackendStatus.UNBOUND, "The address changed; its key must be entered again."
    if backend.is_elsewhere:
        return BackendStatus.UNBOUND, f"Its key goes to {key.bound_origin} alone; this address needs a key of its own."
    if key.env_name is not None and key.env_name not in env_names:
        return BackendStatus.ENV_MISSING, f"{key.env_name} is not set in the gateway's environment."
    return None


def _rpm_left(limit: int | None, bucket: TokenBucket | None, now: float) -> int | None:
    if limit is None or bucket is None:
        return limit
    refilled = bucket.level + max(0.0, now - bucket.updated) * bucket.limit / bucket.period
    return int(min(float(limit), refilled))


def _models_by_backend(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    codes: dict[str, list[str]] = {}
    for model in snapshot.models.values():
        for lane in snapshot.lanes.get(model.id, ()):
            codes.setdefault(lane.backend.id, []).append(model.code)
    return {backend_id: tuple(sorted(found)) for backend_id, found in codes.items()}


def _pool_stats(pool_id: str, name: str, tier: int, backends: tuple[BackendStats, ...]) -> PoolStats:
    statuses = [backend.status for backend in backends]
    return PoolStats(
        id=pool_id,
        name=name,
        tier=tier,
        total=len(backends),
        enabled=sum(backend.is_enabled for backend in backends),
        healthy=statuses.count(BackendStatus.HEALTHY),
        unknown=statuses.count(BackendStatus.UNKNOWN),
        cooling=statuses.count(BackendStatus.COOLING) + statuses.count(BackendStatus.PROBING),
        error=sum(status in _BROKEN for status in statuses),
        backends=backends,
    )
