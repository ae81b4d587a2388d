"""`/api/admin/endpoints`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.api.collection import Collection, operations
from gateway.control import endpoints
from gateway.control.desk import Desk
from gateway.model.registry import Endpoint


class EndpointShown(msgspec.Struct, frozen=True):
    """One provider's base URL for one API format. `proxy` is shown without its credentials."""

    id: str
    provider_id: str
    api_format: str
    base_url: str
    headers: Mapping[str, str]
    timeout_seconds: float
    first_byte_seconds: float
    idle_seconds: float
    local_upstream: bool
    injects_usage: bool
    is_active: bool
    created_at: int
    updated_at: int
    custom_path: str
    max_retries: int | None
    max_concurrent: int | None
    rpm_limit: int | None
    proxy: str
    version: int


def endpoint_shown(desk: Desk, row: Endpoint) -> EndpointShown:
    return EndpointShown(
        id=row.id,
        provider_id=row.provider_id,
        api_format=row.api_format.value,
        base_url=row.base_url,
        headers=row.headers,
        timeout_seconds=row.timeout_seconds,
        first_byte_seconds=row.first_byte_seconds,
        idle_seconds=row.idle_seconds,
        local_upstream=row.local_upstream is not None,
        injects_usage=row.injects_usage,
        is_active=row.is_active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        custom_path=row.custom_path,
        max_retries=row.max_retries,
        max_concurrent=row.max_concurrent,
        rpm_limit=row.rpm_limit,
        proxy=row.proxy_shown,
        version=row.version,
    )


OPERATIONS = operations(
    Collection(
        noun="endpoint",
        path="/endpoints",
        table=endpoints.FIELDS,
        answer=EndpointShown,
        listing=endpoints.listing,
        get=endpoints.get,
        create=endpoints.create,
        update=endpoints.update,
        delete=endpoints.delete,
        shown=endpoint_shown,
    )
)
