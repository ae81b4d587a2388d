"""Registry rows for tests of decisions: only what a test names differs from the usual."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec.structs import replace

from gateway.model.people import ApiKey
from gateway.model.registry import (
    ApiFormat,
    Endpoint,
    Model,
    ModelMapping,
    ModelStatus,
    Pool,
    Provider,
    ProviderKey,
    RouteRule,
    RouteType,
)
from gateway.routing.snapshot import Backend, Lane, Registry, Snapshot, build_snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask, World

PRIMARY = Pool("primary", "primary", 0, 5.0, 2.0, 300.0, 0.2, 4, 10.0, 0, 0)
FALLBACK = replace(PRIMARY, id="fallback", name="fallback", tier=1)
ANYONE = ApiKey("k", "anyone", b"h" * 32, "sk-gw", "tail", None, None, True, None, 0, 0)


def provider(name: str, **changes: Any) -> Provider:
    return replace(Provider(name, name, name, "custom", 50, True, {}, 0, 0), **changes)


def endpoint(of: str, **changes: Any) -> Endpoint:
    made = Endpoint(
        f"e-{of}", of, ApiFormat.OPENAI_CHAT, f"https://{of}.test/v1", {}, 600, 60, 60, None, True, True, 0, 0
    )
    return replace(made, **changes)


def key(of: str, **changes: Any) -> ProviderKey:
    made = ProviderKey(
        id=f"k-{of}",
        provider_id=of,
        pool_id="primary",
        name="main",
        api_formats=("openai_chat",),
        sealed=None,
        env_name=None,
        bound_origin=None,
        masked="",
        fingerprint="",
        internal_priority=50,
        weight=1,
        rpm_limit=None,
        is_active=True,
        created_at=0,
        updated_at=0,
    )
    return replace(made, **changes)


def model(code: str, **changes: Any) -> Model:
    return replace(Model(code, code, code, ModelStatus.ENABLED, None, 0, 0), **changes)


def mapping(of: str, to: str, **changes: Any) -> ModelMapping:
    return replace(ModelMapping(f"{of}-{to}", of, to, f"{of}'s {to}", True, 0, 0), **changes)


def rule(route_type: RouteType, route_key: str, to: str, **changes: Any) -> RouteRule:
    made = RouteRule(f"{route_type}-{route_key}-{to}", route_type, route_key, to, 50, True, "", 0, 0)
    return replace(made, **changes)


def snapshot(
    *keys: ProviderKey, providers: tuple[Provider, ...] = (), models: tuple[Model, ...] = (model("m"),)
) -> Snapshot:
    """One provider and endpoint for each name that keys mention, all mapped to all models."""
    names = list(dict.fromkeys(found.provider_id for found in keys))
    known = {row.id: row for row in providers}
    return build_snapshot(
        Registry(
            version=7,
            providers=tuple(known.get(name) or provider(name) for name in names),
            endpoints=tuple(endpoint(name) for name in names),
            keys=keys,
            pools=(PRIMARY, FALLBACK),
            models=models,
            mappings=tuple(mapping(name, row.id) for name in names for row in models),
            api_keys=(ANYONE,),
        )
    )


def backend(of: str = "a", **changes: Any) -> Backend:
    return next(iter(snapshot(key(of, **changes)).backends.values()))


def lane(of: Backend, upstream_name: str = "m") -> Lane:
    return Lane(of, upstream_name)


def ask(**changes: Any) -> Ask:
    """What anyone asks of model `m`."""
    return replace(Ask(ANYONE, ApiFormat.OPENAI_CHAT, "m"), **changes)


def world(now: float = 1000.0, state: RuntimeState | None = None, seed: int = 1) -> World:
    return World(state or RuntimeState(), now, Random(seed), {"SET_API_KEY"}, round(now * 1000))
