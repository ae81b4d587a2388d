"""`/api/admin/providers/summary`, `…/{id}/summary`, `…/{id}/health` and `…/{id}/reset-quota`."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import health_monitor, provider_summary
from gateway.control.health_monitor import ProviderMonitor
from gateway.control.provider_summary import Count, EndpointHealth, ProviderSummary, QuotaState, RateState
from gateway.money import exact_dollars


class QuotaShown(msgspec.Struct, frozen=True):
    """`used` and `limit` are dollars, `limit` null no quota; times are Unix milliseconds."""

    billing_type: str
    used: str
    limit: str | None
    since: int | None
    resets_at: int | None
    expires_at: int | None
    is_exhausted: bool
    is_expired: bool


class ProviderSummaryShown(msgspec.Struct, frozen=True):
    """A provider in numbers. `health` is the mean score of its endpoints, 0 to 1; null is unknown."""

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
    quota: QuotaShown
    rpm: RateState


@policy("token")
async def _summaries(visit: Visit) -> object:
    found = provider_summary.listing(visit.desk)
    return Items(tuple(summary_shown(one) for one in found), len(found))


@policy("token")
async def _summary(visit: Visit) -> object:
    return summary_shown(provider_summary.get(visit.desk, visit.path["id"]))


@policy("token")
async def _health(visit: Visit) -> object:
    return await health_monitor.look(visit.desk, visit.path["id"], visit.query)


@policy("token")
async def _reset_quota(visit: Visit) -> object:
    await provider_summary.reset_quota(visit.desk, visit.actor, visit.path["id"])
    return summary_shown(provider_summary.get(visit.desk, visit.path["id"]))


def summary_shown(one: ProviderSummary) -> ProviderSummaryShown:
    return ProviderSummaryShown(
        id=one.id,
        name=one.name,
        display_name=one.display_name,
        preset=one.preset,
        priority=one.priority,
        is_active=one.is_active,
        endpoints=one.endpoints,
        keys=one.keys,
        models=one.models,
        api_formats=one.api_formats,
        health=one.health,
        unhealthy_endpoints=one.unhealthy_endpoints,
        endpoint_health=one.endpoint_health,
        quota=quota_shown(one.quota),
        rpm=one.rpm,
    )


def quota_shown(quota: QuotaState) -> QuotaShown:
    return QuotaShown(
        billing_type=quota.billing_type,
        used=exact_dollars(quota.used),
        limit=None if quota.limit is None else exact_dollars(quota.limit),
        since=quota.since,
        resets_at=quota.resets_at,
        expires_at=quota.expires_at,
        is_exhausted=quota.is_exhausted,
        is_expired=quota.is_expired,
    )


_ONE = f"{PREFIX}/providers/{{id}}"

OPERATIONS = (
    Operation(
        "GET",
        f"{PREFIX}/providers/summary",
        "provider_summaries",
        "Every provider in numbers: what belongs to it, and how that is doing.",
        _summaries,
        ProviderSummaryShown,
        is_list=True,
    ),
    Operation("GET", f"{_ONE}/summary", "provider_summary", "One provider in numbers.", _summary, ProviderSummaryShown),
    Operation(
        "GET",
        f"{_ONE}/health",
        "provider_health",
        "What happened at its endpoints lately, the newest events of each.",
        _health,
        ProviderMonitor,
        query=health_monitor.FILTERS,
    ),
    Operation(
        "POST",
        f"{_ONE}/reset-quota",
        "reset_quota",
        "Count what is spent from 0, and begin the quota's period now.",
        _reset_quota,
        ProviderSummaryShown,
    ),
)
