"""A provider key as the fields of a form. The secret is none of them."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.admin.wording import day
from gateway.model.registry import ProviderKey
from gateway.money import exact_factor
from gateway.routing.snapshot import Registry

LIMITS = ("rpm_limit", "tpm_limit", "max_concurrent", "daily_limit", "monthly_limit")
_NUMBERS = ("internal_priority", "weight", "cache_ttl_minutes", "max_probe_interval_minutes", "version")
FIELDS = frozenset(
    {
        *("name", "pool", "api_formats", "note", "is_active", "expires_at", "global_priority"),
        *("allowed_models", "capabilities", "rate_multiplier", "rate_multipliers"),
        *LIMITS,
        *_NUMBERS,
    }
)
SHOWN = FIELDS - {"version"}


def values(key: ProviderKey, registry: Registry) -> dict[str, str]:
    """The key as the form shows it."""
    return {
        "name": key.name,
        "pool": next(pool.name for pool in registry.pools if pool.id == key.pool_id),
        "api_formats": ", ".join(key.api_formats),
        "note": key.note,
        "is_active": "on" if key.is_active else "",
        "expires_at": "" if key.expires_at is None else day(key.expires_at),
        "global_priority": _pairs(key.global_priority),
        "allowed_models": "\n".join(key.allowed_models or ()),
        "capabilities": ", ".join(key.capabilities),
        "rate_multiplier": exact_factor(key.rate_multiplier),
        "rate_multipliers": _pairs({name: exact_factor(factor) for name, factor in key.rate_multipliers.items()}),
        **{name: _number(getattr(key, name)) for name in (*LIMITS, *_NUMBERS)},
    }


def given(typed: Mapping[str, str], there: Mapping[str, str]) -> dict[str, str]:
    """What was posted, for the noun. The form shows only the day of the end: as it came, it must not move the hour."""
    return {
        name: value for name, value in typed.items() if name != "expires_at" or value.strip() != there["expires_at"]
    }


def _pairs(of: Mapping[str, object]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in of.items())


def _number(number: int | None) -> str:
    return "" if number is None else str(number)
