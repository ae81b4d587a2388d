"""Which scope each operation asks for. A new operation needs a row here: who may use it is a decision."""

from __future__ import annotations

import httpx
import pytest

from gateway.api.operations import Operation
from gateway.api.routes import all_operations
from gateway.control import tokens
from gateway.model.scopes import NOUNS, SCOPES, is_within
from tests.harness import OPERATOR, RunningGateway

pytestmark = pytest.mark.anyio

NEEDS = {
    "list_backends": "backends:read",
    "create_backend": "backends:write",
    "get_backend": "backends:read",
    "update_backend": "backends:write",
    "delete_backend": "backends:write",
    "clear_cooldown": "backends:write",
    "test_backend": "backends:write",
    "provider_summaries": "providers:read",
    "provider_summary": "providers:read",
    "provider_health": "providers:read",
    "reset_quota": "providers:write",
    "list_providers": "providers:read",
    "create_provider": "providers:write",
    "get_provider": "providers:read",
    "update_provider": "providers:write",
    "delete_provider": "providers:write",
    "list_endpoints": "endpoints:read",
    "create_endpoint": "endpoints:write",
    "get_endpoint": "endpoints:read",
    "update_endpoint": "endpoints:write",
    "delete_endpoint": "endpoints:write",
    "list_provider_keys_by_format": "provider-keys:read",
    "order_provider_keys": "provider-keys:write",
    "paste_provider_keys": "provider-keys:write",
    "list_provider_keys": "provider-keys:read",
    "create_provider_key": "provider-keys:write",
    "get_provider_key": "provider-keys:read",
    "update_provider_key": "provider-keys:write",
    "delete_provider_key": "provider-keys:write",
    "list_key_versions": "provider-keys:read",
    "reveal_provider_key": "provider-keys:write",
    "get_adaptive_limit": "provider-keys:read",
    "reset_adaptive_limit": "provider-keys:write",
    "fix_adaptive_limit": "provider-keys:write",
    "pool_order": "pools:read",
    "pool_stats": "pools:read",
    "list_pools": "pools:read",
    "create_pool": "pools:write",
    "get_pool": "pools:read",
    "update_pool": "pools:write",
    "delete_pool": "pools:write",
    "list_model_figures": "models:read",
    "report_usage": "models:write",
    "check_model": "models:write",
    "list_checks": "models:read",
    "test_model": "models:write",
    "list_tests": "models:read",
    "list_models": "models:read",
    "summarise_models": "models:read",
    "create_model": "models:write",
    "get_model": "models:read",
    "update_model": "models:write",
    "delete_model": "models:write",
    "list_mappings": "mappings:read",
    "create_mapping": "mappings:write",
    "get_mapping": "mappings:read",
    "update_mapping": "mappings:write",
    "delete_mapping": "mappings:write",
    "list_prices": "prices:read",
    "list_unpriced": "prices:read",
    "sync_prices": "prices:write",
    "get_price": "prices:read",
    "put_price": "prices:write",
    "delete_price": "prices:write",
    "list_chains": "route-rules:read",
    "list_route_rules": "route-rules:read",
    "create_route_rule": "route-rules:write",
    "get_route_rule": "route-rules:read",
    "update_route_rule": "route-rules:write",
    "delete_route_rule": "route-rules:write",
    "move_route_rule": "route-rules:write",
    "rotate_api_key": "api-keys:write",
    "list_api_keys": "api-keys:read",
    "create_api_key": "api-keys:write",
    "get_api_key": "api-keys:read",
    "update_api_key": "api-keys:write",
    "delete_api_key": "api-keys:write",
    "list_top_ups": "api-keys:read",
    "top_up": "api-keys:write",
    "close_balance": "api-keys:write",
    "list_deleted_users": "users:read",
    "restore_user": "users:write",
    "list_sessions": "users:read",
    "end_session": "users:write",
    "sign_out_user": "users:write",
    "list_users": "users:read",
    "create_user": "users:write",
    "get_user": "users:read",
    "update_user": "users:write",
    "delete_user": "users:write",
    "list_tokens": "tokens:read",
    "get_token": "tokens:read",
    "disable_token": "tokens:write",
    "delete_token": "tokens:write",
    "list_audit": "audit:read",
    "list_announcements": "announcements:read",
    "create_announcement": "announcements:write",
    "get_announcement": "announcements:read",
    "update_announcement": "announcements:write",
    "delete_announcement": "announcements:write",
    "get_settings": "settings:read",
    "update_settings": "settings:write",
    "list_requests": "requests:read",
    "export_requests": "requests:read",
    "get_agent_session": "requests:read",
    "get_request": "requests:read",
    "explain_request": "requests:read",
    "get_capture": "requests:read",
    "delete_capture": "requests:write",
    "retention": "retention:read",
    "explain": "explain:read",
    "list_upstream_models": "providers:read",
    "refresh_models": "providers:write",
    "attach_models": "providers:write",
    "detach_models": "providers:write",
    "usage": "usage:read",
    "export_usage": "usage:read",
    "get_state": "state:read",
    "refill_bucket": "state:write",
    "clear_endpoint_rest": "endpoints:write",
    "stream_events": "events:read",
    "get_openapi": "",
}
"""By the name of the operation; empty where any token will do."""

HELD: tuple[tuple[str, ...], ...] = ((), ("read",), ("write",), SCOPES[2:])
"""No scope at all, each of those for everything, and those of nouns, one after another."""


def test_every_operation_has_its_row_and_every_row_its_operation() -> None:
    assert {operation.name: operation.scope for operation in all_operations()} == NEEDS


def test_every_noun_can_be_named_in_a_scope() -> None:
    assert {scope.partition(":")[0] for scope in NEEDS.values() if scope} <= set(NOUNS)


def test_what_changes_something_needs_to_write() -> None:
    reading = {"explain"}
    for operation in all_operations():
        if operation.scope and operation.name not in reading:
            assert operation.scope.endswith(":read" if operation.method == "GET" else ":write"), operation.name


@pytest.mark.parametrize("held", HELD, ids=lambda held: held[0] if held else "none")
async def test_a_token_is_let_in_where_its_scope_is_enough_and_nowhere_else(
    gateway: RunningGateway, held: tuple[str, ...]
) -> None:
    """What is let in is then refused for its id or its empty body, or answered: all but 403 for a lack of scope."""
    for scopes in [held] if len(held) < 2 else [(scope,) for scope in held]:
        plain, _ = await tokens.create(gateway.desk, OPERATOR, {"name": "x", "scopes": list(scopes)})
        for operation in _asked(scopes):
            answer = await _ask(gateway.client, operation, {"authorization": f"Bearer {plain}"})
            if is_within(scopes, operation.scope):
                assert answer.status_code not in (401, 403), (scopes, operation.name, answer.text)
            else:
                error = answer.json()["error"]
                assert (answer.status_code, error["code"]) == (403, "scope_missing"), (scopes, operation.name)
                assert operation.scope in error["message"]


async def test_a_token_from_the_wrong_place_is_refused_whatever_it_may(gateway: RunningGateway) -> None:
    fields = {"name": "x", "allowed_ips": ["192.0.2.0/24"]}
    plain, _ = await tokens.create(gateway.desk, OPERATOR, fields)
    for operation in all_operations():
        answer = await _ask(gateway.client, operation, {"authorization": f"Bearer {plain}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "ip_not_allowed"), operation.name


def _asked(held: tuple[str, ...]) -> list[Operation]:
    """All operations but those that change the whole gateway or do not end; one of each noun for a noun's scope."""
    wanted = [one for one in all_operations() if one.name not in ("stream_events", "update_settings")]
    if not held or ":" not in held[0]:
        return wanted
    seen: dict[str, Operation] = {}
    for one in wanted:
        seen.setdefault(one.scope, one)
    return list(seen.values())


async def _ask(client: httpx.AsyncClient, operation: Operation, headers: dict[str, str]) -> httpx.Response:
    path = operation.path.replace("{id}", "none-such")
    body = {"json": {}} if operation.request is not None else {}
    return await client.request(operation.method, path, headers=headers, **body)  # type: ignore[arg-type]
