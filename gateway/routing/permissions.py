"""What an API key may use. None is unrestricted and an empty list is nothing, everywhere."""

from __future__ import annotations

from gateway.errors import Forbidden
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.routing.snapshot import Backend

NOT_PERMITTED = "not_permitted"
"""The reason that only operators may see: a caller does not learn of backends that it may not use."""


def may_reach(api_key: ApiKey, backend: Backend) -> bool:
    """Whether the key may use the backend's provider."""
    return api_key.allowed_providers is None or backend.provider.name in api_key.allowed_providers


def require_format(api_key: ApiKey, api_format: ApiFormat) -> None:
    """Raises Forbidden where the key may not speak this API format."""
    allowed = api_key.allowed_formats
    if allowed is None or api_format.text in allowed:
        return
    words = f"only {', '.join(allowed)}" if allowed else "no API format at all"
    raise Forbidden(
        f"This API key may not use the API format {api_format.text}: it may use {words}.",
        code="format_not_allowed",
        retryable=False,
    )
