"""The immutable picture of all configuration that the path of a call reads. Swapped whole after a change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec.structs import force_setattr

from gateway.model.calls import Considered
from gateway.model.capabilities import CONTEXT_1M, LONG_CONTEXT_TOKENS
from gateway.model.catalogue import Catalogue
from gateway.model.origin import origin_of
from gateway.model.people import ApiKey, User
from gateway.model.registry import (
    Endpoint,
    Model,
    ModelMapping,
    ModelStatus,
    Pool,
    PriceTable,
    Provider,
    ProviderKey,
    RouteRule,
    RouteType,
)
from gateway.model.system_settings import SystemSettings
from gateway.routing.bounds import Bounds, of_backend
from gateway.routing.catalogue import PriceBook, names_of
from gateway.routing.mapped import capabilities_there, price_there, upstream_names
from gateway.routing.owners import with_owner


class Written(msgspec.Struct, frozen=True):
    """A backend as a call's row names it; as it is here, none."""

    provider_id: str | None = None
    provider: str = ""
    backend_id: str | None = None
    backend: str = ""
    pool: str = ""
    upstream_format: str = ""


class Backend(msgspec.Struct, frozen=True, weakref=True):
    """One endpoint and one provider key: the smallest thing that a call can be sent to.

    `is_elsewhere`: the key is bound to another address than the endpoint's, and goes to no other. `name`,
    `is_enabled`, `bounds` and `written` follow from the others, and are worked out here as every call looks at them.
    """

    id: str
    provider: Provider
    endpoint: Endpoint
    key: ProviderKey
    pool: Pool
    is_elsewhere: bool = False
    name: str = ""
    is_enabled: bool = False
    bounds: Bounds = Bounds()
    written: Written = Written()

    def __post_init__(self) -> None:
        provider, endpoint, key = self.provider, self.endpoint, self.key
        name = f"{provider.name}/{key.name}"
        written = Written(provider.id, provider.name, self.id, name, self.pool.name, endpoint.api_format.text)
        force_setattr(self, "name", name)
        force_setattr(self, "written", written)
        force_setattr(self, "is_enabled", provider.is_active and endpoint.is_active and key.is_active)
        force_setattr(self, "bounds", of_backend(provider, endpoint, key))


_NOWHERE = Considered("", "", "", "")


class Lane(msgspec.Struct, frozen=True):
    """A backend that serves a model, and how: the name the provider knows it by, price, what it can do there.

    `price` None is unpriced, `capabilities` None unknown. `names` are several upstream names of equal right, of which
    each caller keeps to one. `is_available` is the provider's word, `model_context` and `output_limit`
    are tokens. `written` is how a call's row names it where priority alone put it at its place.
    """

    backend: Backend
    upstream_name: str
    price: PriceTable | None = None
    capabilities: frozenset[str] | None = None
    names: tuple[str, ...] = ()
    is_available: bool = True
    model_context: int | None = None
    output_limit: int | None = None
    written: Considered = _NOWHERE

    def __post_init__(self) -> None:
        force_setattr(self, "written", self.considered(""))

    def considered(self, why: str) -> Considered:
        there = self.backend
        return Considered(there.id, there.name, there.pool.name, self.upstream_name, why, there.written.upstream_format)

    @property
    def is_open(self) -> bool:
        """Whether a call may be sent there, as far as configuration goes."""
        return self.backend.is_enabled and self.is_available

    def has(self, capability: str) -> bool:
        """The key lists it, or the model there can do it."""
        return capability in self.backend.key.capabilities or capability in (self.capabilities or ())

    @property
    def context(self) -> int:
        """Tokens that it takes; 0 where nobody said."""
        return LONG_CONTEXT_TOKENS if self.has(CONTEXT_1M) else self.model_context or 0


class Registry(msgspec.Struct, frozen=True):
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
    users: tuple[User, ...] = ()
    settings: SystemSettings = SystemSettings()
    catalogue: Catalogue = Catalogue()


class Snapshot(msgspec.Struct, frozen=True):
    """`lanes` and `provider_backends` hold every lane of a model or provider, disabled ones too, in pool order.

    `version` is the config version that each call and answer names. `aliases` are whole names, `wildcards`
    beginnings of names, the longest first; `rules` are chains in their order. `upstream_models` says which model a
    provider's own name belongs to, by provider id and name. `api_keys` go by their hash and hold what their owners'
    permissions leave of theirs. `prices` are by mapping, `book` has the list prices.
    """

    version: int
    registry: Registry
    backends: Mapping[str, Backend]
    models: Mapping[str, Model]
    models_by_id: Mapping[str, Model]
    aliases: Mapping[str, Model]
    wildcards: tuple[tuple[str, Model], ...]
    rules: Mapping[tuple[RouteType, str], tuple[RouteRule, ...]]
    lanes: Mapping[str, tuple[Lane, ...]]
    api_keys: Mapping[bytes, ApiKey]
    users: Mapping[str, User]
    providers: Mapping[str, Provider]
    provider_backends: Mapping[str, tuple[Backend, ...]]
    upstream_models: Mapping[tuple[str, str], Model]
    book: PriceBook
    prices: Mapping[str, PriceTable | None]
    local_upstreams: frozenset[str]
    """The private `host:port` pairs that an operator allowed to be dialled, outbound proxies among them."""

    @property
    def settings(self) -> SystemSettings:
        return self.registry.settings

    def serving_models(self) -> list[Model]:
        """Models that a caller may be shown: enabled, with at least one backend that is open."""
        return [
            model
            for model in self.models.values()
            if model.status is ModelStatus.ENABLED and any(lane.is_open for lane in self.lanes.get(model.id, ()))
        ]


def build_snapshot(registry: Registry) -> Snapshot:
    """Join the rows once, so that a call only looks things up."""
    providers = {provider.id: provider for provider in registry.providers}
    backends = _backends(registry, providers)
    by_provider = _grouped(backends)
    book = PriceBook(registry.catalogue)
    models = {model.id: model for model in registry.models}
    prices = _prices(registry, models, book)
    users = {user.id: user for user in registry.users}
    return Snapshot(
        version=registry.version,
        registry=registry,
        backends=MappingProxyType({backend.id: backend for backend in backends}),
        models=MappingProxyType({model.code: model for model in registry.models}),
        models_by_id=MappingProxyType(models),
        aliases=MappingProxyType({name: model for name, model in _aliases(registry.models) if not name.endswith("*")}),
        wildcards=_wildcards(registry.models),
        rules=MappingProxyType(_chains(registry.route_rules)),
        lanes=MappingProxyType(_lanes(registry.mappings, models, by_provider, prices)),
        api_keys=MappingProxyType(_by_hash(registry.api_keys, users)),
        users=MappingProxyType(users),
        providers=MappingProxyType({provider.name: provider for provider in registry.providers}),
        provider_backends=MappingProxyType(by_provider),
        upstream_models=MappingProxyType(_upstream_models(registry.mappings, models)),
        book=book,
        prices=MappingProxyType(prices),
        local_upstreams=frozenset(_dialled_by_choice(registry.endpoints)),
    )


def _by_hash(keys: Iterable[ApiKey], users: Mapping[str, User]) -> dict[bytes, ApiKey]:
    """Keys by their hash, and by the one before where that may still be good for a while."""
    found: dict[bytes, ApiKey] = {}
    for key in keys:
        known = with_owner(key, users.get(key.user_id or ""))
        found[key.key_hash] = known
        if key.old_hash is not None:
            found[key.old_hash] = known
    return found


def _lanes(
    mappings: Iterable[ModelMapping],
    models: Mapping[str, Model],
    by_provider: Mapping[str, tuple[Backend, ...]],
    prices: Mapping[str, PriceTable | None],
) -> dict[str, tuple[Lane, ...]]:
    lanes: dict[str, list[Lane]] = {}
    for mapping in mappings:
        if not mapping.is_active:
            continue
        model = models[mapping.model_id]
        price, capabilities = prices[mapping.id], capabilities_there(mapping, model)
        for backend in by_provider.get(mapping.provider_id, ()):
            names = upstream_names(mapping, backend.endpoint.api_format)
            lane = Lane(
                backend=backend,
                upstream_name=names[0],
                price=price,
                capabilities=capabilities,
                names=names if len(names) > 1 else (),
                is_available=mapping.is_available,
                model_context=model.context_limit,
                output_limit=model.output_limit,
            )
            lanes.setdefault(mapping.model_id, []).append(lane)
    return {model_id: tuple(sorted(found, key=_lane_order)) for model_id, found in lanes.items()}


def _prices(registry: Registry, models: Mapping[str, Model], book: PriceBook) -> dict[str, PriceTable | None]:
    """By mapping: the operator's word, else the catalogue's; None is unpriced."""
    providers = {provider.id: provider for provider in registry.providers}
    found = {}
    for mapping in registry.mappings:
        model = models[mapping.model_id]
        names = names_of(mapping, model.code) if model.price is None else ()
        found[mapping.id] = price_there(model, mapping, book.price(providers[mapping.provider_id], names))
    return found


def _upstream_models(mappings: Iterable[ModelMapping], models: Mapping[str, Model]) -> dict[tuple[str, str], Model]:
    return {
        (mapping.provider_id, name): models[mapping.model_id]
        for mapping in mappings
        if mapping.is_active
        for name in (*(alias.name for alias in mapping.aliases), mapping.upstream_name)
    }


def _aliases(models: Iterable[Model]) -> list[tuple[str, Model]]:
    """Of two models with the same name, the later pair counts: that of the enabled one."""
    ranked = sorted(models, key=lambda model: model.status is ModelStatus.ENABLED)
    return [(alias.lower(), model) for model in ranked for alias in model.aliases]


def _wildcards(models: Iterable[Model]) -> tuple[tuple[str, Model], ...]:
    found = {name.removesuffix("*"): model for name, model in _aliases(models) if name.endswith("*")}
    return tuple(sorted(found.items(), key=lambda pair: (-len(pair[0]), pair[0])))


def _chains(rules: Iterable[RouteRule]) -> dict[tuple[RouteType, str], tuple[RouteRule, ...]]:
    chains: dict[tuple[RouteType, str], list[RouteRule]] = {}
    for rule in sorted(rules, key=lambda rule: (rule.priority, rule.id)):
        chains.setdefault((rule.route_type, rule.route_key), []).append(rule)
    return {key: tuple(chain) for key, chain in chains.items()}


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
            is_elsewhere=_is_elsewhere(endpoint, key),
        )
        for endpoint in registry.endpoints
        for key in keys.get(endpoint.provider_id, ())
        if endpoint.api_format in key.api_formats
    ]


def _is_elsewhere(endpoint: Endpoint, key: ProviderKey) -> bool:
    if key.bound_origin is None or not key.masked:
        return False
    try:
        return key.bound_origin != origin_of(endpoint.base_url)
    except ValueError:
        return True


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
