"""The immutable picture of all configuration that the path of a call reads. Swapped whole after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.model.people import ApiKey
from gateway.model.registry import Endpoint, Model, ModelMapping, ModelStatus, Pool, Provider, ProviderKey, RouteRule


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint and one provider key: the smallest thing that a call can be sent to."""

    id: str
    provider: Provider
    endpoint: Endpoint
    key: ProviderKey
    pool: Pool

    @property
    def name(self) -> str:
        return f"{self.provider.name}/{self.key.name}"

    @property
    def is_enabled(self) -> bool:
        return self.provider.is_active and self.endpoint.is_active and self.key.is_active


@dataclass(frozen=True, slots=True)
class Lane:
    """A backend that serves a model, and the name the provider knows the model by."""

    backend: Backend
    upstream_name: str


@dataclass(frozen=True, slots=True)
class Registry:
    """All rows of the registry, as read in one transaction."""

    version: int
    providers: tuple[Provider, ...]
    endpoints: tuple[Endpoint, ...]
    keys: tuple[ProviderKey, ...]
    pools: tuple[Pool, ...]
    models: tuple[Model, ...]
    mappings: tuple[ModelMapping, ...]
    api_keys: tuple[ApiKey, ...]
    route_rules: tuple[RouteRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`lanes` and `provider_backends` hold every lane of a model or provider, disabled ones too, in pool order.

    `version` is the config version that each call and answer names.
    """

    version: int
    registry: Registry
    backends: Mapping[str, Backend]
    models: Mapping[str, Model]
    lanes: Mapping[str, tuple[Lane, ...]]
    api_keys: Mapping[bytes, ApiKey]
    providers: Mapping[str, Provider]
    provider_backends: Mapping[str, tuple[Backend, ...]]
    upstream_models: Mapping[tuple[str, str], Model]
    local_upstreams: frozenset[str]
    """The private `host:port` pairs that an operator allowed to be dialled, outbound proxies among them."""

    def serving_models(self) -> list[Model]:
        """Models that a caller may be shown: enabled, with at least one enabled backend."""
        return [
            model
            for model in self.models.values()
            if model.status is ModelStatus.ENABLED
            and any(lane.backend.is_enabled for lane in self.lanes.get(model.id, ()))
        ]


def build_snapshot(registry: Registry) -> Snapshot:
    """Join the rows once, so that a call only looks things up."""
    providers = {provider.id: provider for provider in registry.providers}
    backends = _backends(registry, providers)
    by_provider = _grouped(backends)
    models = {model.id: model for model in registry.models}
    lanes: dict[str, list[Lane]] = {}
    upstream_models: dict[tuple[str, str], Model] = {}
    for mapping in registry.mappings:
        if not mapping.is_active:
            continue
        upstream_models[mapping.provider_id, mapping.upstream_name] = models[mapping.model_id]
        for backend in by_provider.get(mapping.provider_id, ()):
            lanes.setdefault(mapping.model_id, []).append(Lane(backend, mapping.upstream_name))
    return Snapshot(
        version=registry.version,
        registry=registry,
        backends=MappingProxyType({backend.id: backend for backend in backends}),
        models=MappingProxyType({model.code: model for model in registry.models}),
        lanes=MappingProxyType({model: tuple(sorted(found, key=_lane_order)) for model, found in lanes.items()}),
        api_keys=MappingProxyType({key.key_hash: key for key in registry.api_keys}),
        providers=MappingProxyType({provider.name: provider for provider in registry.providers}),
        provider_backends=MappingProxyType(by_provider),
        upstream_models=MappingProxyType(upstream_models),
        local_upstreams=frozenset(_dialled_by_choice(registry.endpoints)),
    )


def _dialled_by_choice(endpoints: Iterable[Endpoint]) -> Iterable[str]:
    """Addresses that may be dialled although they are private: local upstreams, and outbound proxies."""
    for endpoint in endpoints:
        if endpoint.local_upstream is not None:
            yield endpoint.local_upstream
        if endpoint.proxy_shown:
            yield endpoint.proxy_shown.removeprefix("http://")


def _backends(registry: Registry, providers: Mapping[str, Provider]) -> list[Backend]:
    pools = {pool.id: pool for pool in registry.pools}
    keys: dict[str, list[ProviderKey]] = {}
    for key in registry.keys:
        keys.setdefault(key.provider_id, []).append(key)
    return [
        Backend(
            id=f"{endpoint.id}:{key.id}",
            provider=providers[endpoint.provider_id],
            endpoint=endpoint,
            key=key,
            pool=pools[key.pool_id],
        )
        for endpoint in registry.endpoints
        for key in keys.get(endpoint.provider_id, ())
        if endpoint.api_format in key.api_formats
    ]


def _grouped(backends: Iterable[Backend]) -> dict[str, tuple[Backend, ...]]:
    grouped: dict[str, list[Backend]] = {}
    for backend in sorted(backends, key=backend_order):
        grouped.setdefault(backend.provider.id, []).append(backend)
    return {provider: tuple(found) for provider, found in grouped.items()}


def backend_order(backend: Backend) -> tuple[int, str, int, int, str]:
    """Pool tier first, then the provider's priority, then the key's."""
    return (backend.pool.tier, backend.pool.id, backend.provider.priority, backend.key.internal_priority, backend.id)


def _lane_order(lane: Lane) -> tuple[int, str, int, int, str]:
    return backend_order(lane.backend)
