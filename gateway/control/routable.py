"""Whether anything could serve a model as it is configured, and what is missing where nothing could."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.model.registry import Endpoint, Model, ModelMapping, ModelStatus, Provider, ProviderKey, RouteRule
from gateway.routing.snapshot import Registry, Snapshot

_MOST_NAMED = 5


def is_routable(snapshot: Snapshot, model_id: str) -> bool:
    """An active mapping leads to an enabled backend that offers it. How that backend is doing now does not count."""
    return any(lane.is_open for lane in snapshot.lanes.get(model_id, ()))


def missing(registry: Registry, model_id: str) -> str:
    """Why no backend could serve it and how to mend that, provider by provider: the end of a sentence about it."""
    mapped = [row for row in registry.mappings if row.model_id == model_id]
    if not mapped:
        return "no provider is mapped to it; map one first"
    active = {row.provider_id: row for row in mapped if row.is_active}
    if not active:
        return "every mapping of it is switched off; switch one on first"
    reasons = [_gap(registry, row, active[row.id]) for row in registry.providers if row.id in active]
    return "; ".join(reason for reason in reasons[:_MOST_NAMED] if reason)


def rules_of(registry: Registry, model_id: str) -> tuple[RouteRule, ...]:
    """The route rules that point at it."""
    return tuple(rule for rule in registry.route_rules if rule.model_id == model_id)


def named(rules: Iterable[RouteRule]) -> str:
    """Up to five of them in words, and how many more there are."""
    found = [f"{rule.route_type} {rule.route_key}" for rule in rules]
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    return ", ".join(found[:_MOST_NAMED]) + more


def notes(snapshot: Snapshot, model: Model) -> tuple[str, ...]:
    """What an operator should know of a model: rules that pass it over, backends that are missing."""
    found = []
    serves = model.status is ModelStatus.ENABLED
    rules = rules_of(snapshot.registry, model.id)
    if rules and not serves:
        found.append(f"Route rules point at it and pass it over while it is {model.status}: {named(rules)}.")
    if serves and not is_routable(snapshot, model.id):
        found.append(f"It is ENABLED and cannot serve: {missing(snapshot.registry, model.id)}.")
    return tuple(found)


def _gap(registry: Registry, provider: Provider, mapping: ModelMapping) -> str:
    endpoints = [row for row in registry.endpoints if row.provider_id == provider.id]
    keys = [row for row in registry.keys if row.provider_id == provider.id]
    if not provider.is_active:
        return f"provider {provider.name} is disabled; enable it"
    if not mapping.is_available:
        return f"provider {provider.name} does not list it at present; refresh its models, or set is_available"
    if not any(row.is_active for row in endpoints):
        return f"provider {provider.name} has no active endpoint; add or enable one"
    if not any(row.is_active for row in keys):
        return f"provider {provider.name} has no active key; add or enable one"
    if not _share_a_format(endpoints, keys):
        return f"no active key of provider {provider.name} is for the API format of an active endpoint; add it there"
    return ""


def _share_a_format(endpoints: Iterable[Endpoint], keys: Iterable[ProviderKey]) -> bool:
    offered = {row.api_format.value for row in endpoints if row.is_active}
    return any(offered & set(row.api_formats) for row in keys if row.is_active)
