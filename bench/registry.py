"""A registry of a wanted size in a data directory, each of its backends being the mock provider."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from bench.planning import registry
from bench.targets import Place
from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.control.desk import Desk
from gateway.model.people import Actor, ApiKey
from gateway.routing.snapshot import Registry
from gateway.settings import Settings
from gateway.store import api_keys, endpoints, mappings, models, pools, provider_keys, providers

_ACTOR = Actor("cli", "bench", "bench")


def fill(place: Place, port: int, backends: int, codes: int, callers: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of models and API keys in plain text. Nothing may serve the data directory meanwhile."""
    rows = registry(backends, codes, callers)
    plain = tuple(f"sk-gw-bench-{number:05d}" for number in range(callers))
    settings = Settings(data_dir=place.directory.absolute())
    with lock.hold(settings.data_dir):
        asyncio.run(_write(settings, rows, f"127.0.0.1:{port}", plain))
    return tuple(model.code for model in rows.models), plain


async def _write(settings: Settings, rows: Registry, address: str, plain: tuple[str, ...]) -> None:
    async with offline_desk(settings) as desk, desk.change(_ACTOR) as change:
        pool = min(await pools.every(change.tx), key=lambda pool: pool.tier)
        for provider in rows.providers:
            await providers.insert(change.tx, provider)
        for endpoint in rows.endpoints:
            here = replace(endpoint, base_url=f"http://{address}/v1", local_upstream=address)
            await endpoints.insert(change.tx, here)
        for key in rows.keys:
            await provider_keys.insert(change.tx, replace(key, pool_id=pool.id, rpm_limit=None))
        for model in rows.models:
            await models.insert(change.tx, model)
        for mapping in rows.mappings:
            await mappings.insert(change.tx, mapping)
        for caller in _callers(desk, rows, plain):
            await api_keys.insert(change.tx, caller)


def _callers(desk: Desk, rows: Registry, plain: tuple[str, ...]) -> list[ApiKey]:
    both = zip(rows.api_keys, plain, strict=True)
    return [replace(caller, key_hash=desk.vault.hash_token(token)) for caller, token in both]
