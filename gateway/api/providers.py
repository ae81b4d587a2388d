"""`/api/admin/providers`. Money is exact decimal strings in dollars."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.collection import Collection, operations
from gateway.control import provider_summary, providers
from gateway.control.desk import Desk
from gateway.control.fields import with_choices
from gateway.control.presets import OFFERED_CODES
from gateway.model.registry import Provider
from gateway.money import exact_dollars


class ProviderShown(msgspec.Struct, frozen=True):
    """A company, account or local server that answers LLM calls.

    `monthly_used` was spent since `quota_last_reset_at`, null where nothing was yet.
    """

    id: str
    name: str
    display_name: str
    preset: str
    priority: int
    is_active: bool
    metadata: Mapping[str, object]
    created_at: int
    updated_at: int
    description: str
    website: str
    billing_type: str
    monthly_quota: str | None
    quota_reset_days: int
    quota_expires_at: int | None
    rpm_limit: int | None
    concurrent_limit: int | None
    max_retries: int | None
    version: int
    monthly_used: str
    quota_last_reset_at: int | None


def provider_shown(desk: Desk, row: Provider) -> ProviderShown:
    quota = provider_summary.quota_of(desk, row)
    return ProviderShown(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        preset=row.preset,
        priority=row.priority,
        is_active=row.is_active,
        metadata=row.metadata,
        created_at=row.created_at,
        updated_at=row.updated_at,
        description=row.description,
        website=row.website,
        billing_type=row.billing_type.value,
        monthly_quota=None if row.monthly_quota is None else exact_dollars(row.monthly_quota),
        quota_reset_days=row.quota_reset_days,
        quota_expires_at=row.quota_expires_at,
        rpm_limit=row.rpm_limit,
        concurrent_limit=row.concurrent_limit,
        max_retries=row.max_retries,
        version=row.version,
        monthly_used=exact_dollars(quota.used),
        quota_last_reset_at=quota.since,
    )


OPERATIONS = operations(
    Collection(
        noun="provider",
        path="/providers",
        table=with_choices(providers.FIELDS, "preset", OFFERED_CODES),
        answer=ProviderShown,
        listing=providers.listing,
        get=providers.get,
        create=providers.create,
        update=providers.update,
        delete=providers.delete,
        shown=provider_shown,
    )
)
