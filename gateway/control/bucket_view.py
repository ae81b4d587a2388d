"""Token buckets to be looked at: whose each one is, and how much is in it. Looking makes and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.model.registry import Endpoint
from gateway.routing.buckets import DAY, MINUTE, MONTH
from gateway.routing.snapshot import Registry, Snapshot
from gateway.routing.state import RuntimeState


class BucketNow(msgspec.Struct, frozen=True):
    """`left` of `limit` `words` are there, below zero a debt; it is full in `seconds_left`. `owner` is for people."""

    name: str
    owner: str
    words: str
    limit: int
    left: float
    seconds_left: float


_KINDS: Mapping[str, tuple[str, float, str]] = MappingProxyType(
    {
        "rpm": ("rpm_limit", MINUTE, "requests per minute"),
        "tpm": ("tpm_limit", MINUTE, "tokens per minute"),
        "daily": ("daily_limit", DAY, "requests a day"),
        "monthly": ("monthly_limit", MONTH, "requests a month"),
        "learned": ("", MINUTE, "requests per minute, learned"),
    }
)


def left_in(state: RuntimeState, name: str, limit: int | None, period: float, now: float) -> int | None:
    """Whole requests or tokens that could be taken at once; None without a limit."""
    if limit is None:
        return None
    level = _level(state, name, limit, period, now)
    return limit if level is None else max(0, int(level + 1e-6))


def not_full(snapshot: Snapshot, state: RuntimeState, now: float) -> list[BucketNow]:
    """Every bucket from which something is missing, by owner. Buckets of what is gone are left out."""
    owners = _owners(snapshot.registry)
    found = []
    for name in {*state.buckets, *state.kept_levels}:
        kind, owner_id, what = name.split(":", 2)
        words, limits = owners.get((kind, owner_id), ("", {}))
        limit = state.buckets[name].limit if name in state.buckets else limits.get(what)
        if not words or what not in _KINDS or not limit:
            continue
        period = _KINDS[what][1]
        level = _level(state, name, limit, period, now)
        if level is None or level >= limit - 0.5:
            continue
        found.append(BucketNow(name, words, _KINDS[what][2], limit, level, (limit - level) * period / limit))
    return sorted(found, key=lambda bucket: (bucket.owner, bucket.words))


def endpoint_name(endpoint: Endpoint, providers: Mapping[str, str]) -> str:
    """`providers` are names by id."""
    return f"Endpoint {providers[endpoint.provider_id]}/{endpoint.api_format}"


def _level(state: RuntimeState, name: str, limit: int, period: float, now: float) -> float | None:
    """None where nothing is known of it, so that it is full. What was left at a stop has refilled since."""
    bucket = state.buckets.get(name)
    if bucket is None and name not in state.kept_levels:
        return None
    level, updated = state.kept_levels[name] if bucket is None else (bucket.level, bucket.updated)
    return min(float(limit), level + max(0.0, now - updated) * limit / period)


def _owners(registry: Registry) -> dict[tuple[str, str], tuple[str, dict[str, int | None]]]:
    """What people call the owner of each bucket, and its limits by kind."""
    names = {provider.id: provider.name for provider in registry.providers}
    rows: list[tuple[str, str, str, object]] = [
        *(("provider", row.id, f"Provider {row.name}", row) for row in registry.providers),
        *(("endpoint", row.id, endpoint_name(row, names), row) for row in registry.endpoints),
        *(("key", row.id, f"Provider key {names[row.provider_id]}/{row.name}", row) for row in registry.keys),
        *(("api_key", row.id, f"API key {row.name}", row) for row in registry.api_keys),
        *(("user", row.id, f"User {row.username}", row) for row in registry.users),
    ]
    return {
        (kind, row_id): (words, {what: getattr(row, field, None) for what, (field, _, _) in _KINDS.items() if field})
        for kind, row_id, words, row in rows
    }
