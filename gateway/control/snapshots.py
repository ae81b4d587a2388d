"""Read the registry from the database into the snapshot."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec.structs import replace

from gateway.model.registry import BUILTIN_PATHS, Endpoint
from gateway.routing.catalogue import name_in_catalogue
from gateway.routing.snapshot import Registry, build_snapshot
from gateway.store import (
    api_keys,
    catalogue,
    endpoints,
    instance,
    mappings,
    models,
    pools,
    provider_keys,
    providers,
    route_rules,
    system_settings,
    users,
)
from gateway.store.database import Tx

build = build_snapshot


async def read_registry(tx: Tx, demo_origin: str) -> Registry:
    """Every row, in the view of one transaction. The demo endpoint's place in this process is filled in."""
    found = await endpoints.every(tx)
    known = await providers.every(tx)
    return Registry(
        version=await instance.config_version(tx),
        providers=known,
        endpoints=tuple(_placed(endpoint, demo_origin) for endpoint in found),
        keys=await provider_keys.every(tx),
        pools=await pools.every(tx),
        models=await models.every(tx),
        mappings=await mappings.every(tx),
        api_keys=await api_keys.every(tx),
        route_rules=await route_rules.every(tx),
        users=tuple(replace(user, password_hash="") for user in await users.every(tx)),
        settings=await system_settings.get(tx),
        catalogue=await catalogue.of_providers(tx, {name_in_catalogue(provider) for provider in known}),
    )


def _placed(endpoint: Endpoint, demo_origin: str) -> Endpoint:
    """A built-in endpoint where it listens in this process; any other one as it is."""
    path = BUILTIN_PATHS.get(endpoint.base_url)
    if path is None:
        return endpoint
    return replace(endpoint, base_url=demo_origin + path, local_upstream=urlsplit(demo_origin).netloc)
