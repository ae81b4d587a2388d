"""Providers in numbers: what belongs to each and how that is doing. From the snapshot and the runtime state alone, so
that a list of any length asks the database nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from gateway.control.bucket_view import left_in
from gateway.control.desk import Desk
from gateway.control.lookup import require
from gateway.model.people import Actor
from gateway.model.registry import Endpoint, ModelMapping, ModelStatus, Provider
from gateway.routing import quota
from gateway.routing.buckets import MINUTE
from gateway.routing.quota import Spend
from gateway.routing.snapshot import Snapshot
from gateway.routing.state import RuntimeState
from gateway.store import pending_sums, provider_spend, providers
from gateway.store.provider_spend import StoredSpend

UNHEALTHY_BELOW = 0.5


class Owned(Protocol):
    @property
    def provider_id(self) -> str: ...


Row = TypeVar("Row", bound=Owned)


class Count(msgspec.Struct, frozen=True):
    """How many there are, and how many of them calls may use as far as their own switch goes."""

    total: int
    active: int


class EndpointHealth(msgspec.Struct, frozen=True):
    """`score` is the mean of its backends' scores, 0 to 1; None where none of them has one yet."""

    id: str
    api_format: str
    base_url: str
    is_active: bool
    score: float | None
    is_unhealthy: bool
    resting_seconds: float
    in_flight: int


class QuotaState(msgspec.Struct, frozen=True):
    """Nano-dollars. `limit` None is no quota; times are Unix milliseconds.

    `since` is when the period began, None where nothing was spent yet; `resets_at` None where no period runs.
    """

    billing_type: str
    used: int
    limit: int | None
    since: int | None
    resets_at: int | None
    expires_at: int | None
    is_exhausted: bool
    is_expired: bool


class RateState(msgspec.Struct, frozen=True):
    """Requests per minute over all keys: `limit` None is unlimited, `left` what could be sent at once now."""

    limit: int | None
    left: int | None
    in_flight: int
    concurrent_limit: int | None


class ProviderSummary(msgspec.Struct, frozen=True):
    """`health` is the mean score of the endpoints that have one, None where none has. A true 0.0 is 0.0."""

    id: str
    name: str
    display_name: str
    preset: str
    priority: int
    is_active: bool
    endpoints: Count
    keys: Count
    models: Count
    api_formats: tuple[str, ...]
    health: float | None
    unhealthy_endpoints: int
    endpoint_health: tuple[EndpointHealth, ...]
    quota: QuotaState
    rpm: RateState


def listing(desk: Desk) -> tuple[ProviderSummary, ...]:
    """By priority, then name."""
    snapshot = desk.snapshot()
    registry = snapshot.registry
    endpoints, keys = _grouped(registry.endpoints), _grouped(registry.keys)
    mappings = _grouped(registry.mappings)
    look = _Look(snapshot, desk.state, desk.clock.mono(), desk.clock.wall_ms())
    found = []
    for provider in sorted(registry.providers, key=lambda row: (row.priority, row.name)):
        own = endpoints.get(provider.id, [])
        health = tuple(look.endpoint(endpoint) for endpoint in own)
        its_keys = keys.get(provider.id, [])
        found.append(
            ProviderSummary(
                id=provider.id,
                name=provider.name,
                display_name=provider.display_name,
                preset=provider.preset,
                priority=provider.priority,
                is_active=provider.is_active,
                endpoints=Count(len(own), sum(endpoint.is_active for endpoint in own)),
                keys=Count(len(its_keys), sum(key.is_active for key in its_keys)),
                models=look.models(mappings.get(provider.id, [])),
                api_formats=tuple(dict.fromkeys(endpoint.api_format.value for endpoint in own)),
                health=mean(endpoint.score for endpoint in health),
                unhealthy_endpoints=sum(endpoint.is_unhealthy for endpoint in health),
                endpoint_health=health,
                quota=look.quota(provider),
                rpm=look.rate(provider),
            )
        )
    return tuple(found)


def get(desk: Desk, provider_id: str) -> ProviderSummary:
    """By id. Raises NotFound."""
    return require(next((one for one in listing(desk) if one.id == provider_id), None), "provider")


def quota_of(desk: Desk, provider: Provider) -> QuotaState:
    return _Look(desk.snapshot(), desk.state, desk.clock.mono(), desk.clock.wall_ms()).quota(provider)


async def reset_quota(desk: Desk, actor: Actor, provider_id: str) -> None:
    """Nothing is spent, and a new period begins now. Raises NotFound."""
    async with desk.change(actor) as change:
        provider = require(await providers.get(change.tx, provider_id), "provider")
        before = desk.state.spent.get(provider.id, Spend(0, change.at))
        after = Spend(0, change.at)
        await pending_sums.settle(change.tx)
        await provider_spend.begin_anew(change.tx, StoredSpend(provider.id, after.used_nano, after.since))
        change.note("reset_quota", "provider", provider.id, before, after)
    # Only now: a change that failed must not leave the memory without what was spent.
    spent_meanwhile = desk.state.spent.get(provider.id, before).used_nano - before.used_nano
    desk.state.spent[provider.id] = Spend(max(0, spent_meanwhile), after.since)


def mean(scores: Iterable[float | None]) -> float | None:
    """Of those that are known; None where none is."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


class _Look(msgspec.Struct, frozen=True):
    """One moment's picture of configuration and state. Nothing is made or changed by looking."""

    snapshot: Snapshot
    state: RuntimeState
    now: float
    wall_ms: int

    def endpoint(self, endpoint: Endpoint) -> EndpointHealth:
        backends = self.snapshot.provider_backends.get(endpoint.provider_id, ())
        of_it = [backend.id for backend in backends if backend.endpoint.id == endpoint.id]
        seen = [self.state.backends[backend_id] for backend_id in of_it if backend_id in self.state.backends]
        score = mean(backend.score for backend in seen)
        rest = self.state.endpoint_rests.get(endpoint.base_url)
        return EndpointHealth(
            id=endpoint.id,
            api_format=endpoint.api_format.value,
            base_url=endpoint.base_url,
            is_active=endpoint.is_active,
            score=score,
            is_unhealthy=score is not None and score < UNHEALTHY_BELOW,
            resting_seconds=rest.seconds_left(self.now) if rest is not None else 0.0,
            in_flight=self.state.places.get(f"endpoint:{endpoint.id}", 0),
        )

    def models(self, mappings: Sequence[ModelMapping]) -> Count:
        enabled = [
            mapping
            for mapping in mappings
            if mapping.is_active and self.snapshot.models_by_id[mapping.model_id].status is ModelStatus.ENABLED
        ]
        return Count(len(mappings), len(enabled))

    def quota(self, provider: Provider) -> QuotaState:
        spend = self.state.spent.get(provider.id)
        now = None if spend is None else quota.current(spend, provider, self.wall_ms)
        used, limit, expires = (0 if now is None else now.used_nano), provider.monthly_quota, provider.quota_expires_at
        left = None if now is None else quota.seconds_until_reset(now, provider, self.wall_ms)
        return QuotaState(
            billing_type=provider.billing_type.value,
            used=used,
            limit=limit,
            since=None if now is None else now.since,
            resets_at=None if left is None else self.wall_ms + round(left * 1000),
            expires_at=expires,
            is_exhausted=limit is not None and used >= limit,
            is_expired=expires is not None and expires <= self.wall_ms,
        )

    def rate(self, provider: Provider) -> RateState:
        name = f"provider:{provider.id}:rpm"
        return RateState(
            limit=provider.rpm_limit,
            left=left_in(self.state, name, provider.rpm_limit, MINUTE, self.now),
            in_flight=self.state.places.get(f"provider:{provider.id}", 0),
            concurrent_limit=provider.concurrent_limit,
        )


def _grouped(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """By provider id."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.provider_id, []).append(row)
    return found
