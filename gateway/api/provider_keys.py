"""`/api/admin/provider-keys`. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.collection import Collection, operations
from gateway.control import provider_keys
from gateway.control.desk import Desk
from gateway.model.registry import ProviderKey
from gateway.money import exact_factor


class ProviderKeyShown(msgspec.Struct, frozen=True):
    """A provider key without its secret. `source` is stored, env or none.

    `is_bound` false: the address changed and the key must be entered again. `is_present` false: the variable
    that it names is not set.
    """

    id: str
    provider_id: str
    pool_id: str
    name: str
    api_formats: tuple[str, ...]
    source: str
    env_name: str | None
    is_present: bool
    is_bound: bool
    bound_origin: str | None
    masked: str
    fingerprint: str
    internal_priority: int
    weight: int
    rpm_limit: int | None
    is_active: bool
    created_at: int
    updated_at: int
    note: str
    rate_multiplier: str
    rate_multipliers: Mapping[str, str]
    global_priority: Mapping[str, int]
    tpm_limit: int | None
    max_concurrent: int | None
    daily_limit: int | None
    monthly_limit: int | None
    allowed_models: tuple[str, ...] | None
    capabilities: tuple[str, ...]
    cache_ttl_minutes: int
    max_probe_interval_minutes: int
    expires_at: int | None
    version: int


def provider_key_shown(desk: Desk, row: ProviderKey) -> ProviderKeyShown:
    source = "env" if row.env_name else "stored" if row.masked else "none"
    return ProviderKeyShown(
        id=row.id,
        provider_id=row.provider_id,
        pool_id=row.pool_id,
        name=row.name,
        api_formats=row.api_formats,
        source=source,
        env_name=row.env_name,
        is_present=row.env_name is None or row.env_name in desk.settings.secrets,
        is_bound=row.bound_origin is not None,
        bound_origin=row.bound_origin,
        masked=row.masked,
        fingerprint=row.fingerprint,
        internal_priority=row.internal_priority,
        weight=row.weight,
        rpm_limit=row.rpm_limit,
        is_active=row.is_active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        note=row.note,
        rate_multiplier=exact_factor(row.rate_multiplier),
        rate_multipliers={name: exact_factor(factor) for name, factor in row.rate_multipliers.items()},
        global_priority=row.global_priority,
        tpm_limit=row.tpm_limit,
        max_concurrent=row.max_concurrent,
        daily_limit=row.daily_limit,
        monthly_limit=row.monthly_limit,
        allowed_models=row.allowed_models,
        capabilities=row.capabilities,
        cache_ttl_minutes=row.cache_ttl_minutes,
        max_probe_interval_minutes=row.max_probe_interval_minutes,
        expires_at=row.expires_at,
        version=row.version,
    )


OPERATIONS = operations(
    Collection(
        noun="provider key",
        path="/provider-keys",
        table=provider_keys.FIELDS,
        answer=ProviderKeyShown,
        listing=provider_keys.listing,
        get=provider_keys.get,
        create=provider_keys.create,
        update=provider_keys.update,
        delete=provider_keys.delete,
        shown=provider_key_shown,
    )
)
