"""All of `/api/admin/`."""

from __future__ import annotations

from starlette.routing import Route

from gateway.api import (
    adaptive_limits,
    agent_sessions,
    announcements,
    api_keys,
    audit,
    backends,
    balances,
    endpoints,
    events,
    explanations,
    key_order,
    key_secrets,
    mappings,
    model_figures,
    model_trials,
    models,
    openapi,
    pools,
    prices,
    provider_health,
    provider_keys,
    providers,
    requests,
    retention,
    route_rules,
    state,
    system_settings,
    tokens,
    upstream_models,
    usage,
    users,
)
from gateway.api.operations import PREFIX, Operation
from gateway.api.resource import Resource
from gateway.control.desk import Desk

_NOUNS = (
    backends,
    provider_health,
    providers,
    endpoints,
    key_order,
    provider_keys,
    key_secrets,
    adaptive_limits,
    pools,
    model_figures,
    model_trials,
    models,
    mappings,
    prices,
    route_rules,
    api_keys,
    balances,
    users,
    tokens,
    audit,
    announcements,
    system_settings,
    agent_sessions,
    requests,
    retention,
    explanations,
    upstream_models,
    usage,
    state,
    events,
)


def all_operations() -> tuple[Operation, ...]:
    """In the order in which paths are matched."""
    found = tuple(operation for noun in _NOUNS for operation in noun.OPERATIONS)
    return (*found, openapi.operation(found))


def routes(desk: Desk) -> list[Route]:
    """One route per path. The last one answers for every path that is not there."""
    by_path: dict[str, list[Operation]] = {}
    for operation in all_operations():
        by_path.setdefault(operation.path, []).append(operation)
    found = [Route(path, Resource(desk, operations)) for path, operations in by_path.items()]
    return [*found, Route(f"{PREFIX}/{{path:path}}", Resource(desk, ()))]
