"""What a new database is filled with, so that the first call works: the demo, what was found, an API key."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from gateway.control import api_keys, backend_parts, backends, endpoints, models, provider_keys, providers, setup
from gateway.control.desk import Change, Desk
from gateway.control.fields import Values, read
from gateway.errors import InvalidFields
from gateway.model.people import Actor
from gateway.model.registry import DEMO_PRESET

FIRST_KEY_NAME = "first key"
DEMO_MODELS = ("echo", "429", "500", "503", "slow", "cut", "hang")
DEMO_SILENCE_SECONDS = 3.0
DEMO_ANSWER_SECONDS = 10.0

_ACTOR = Actor("system", "first_start", "first start")
_log = logging.getLogger("gateway")


class Detected(msgspec.Struct, frozen=True):
    """A provider that could be added. `env_name` refers to its key; `models` are what a local server offers."""

    preset: str
    name: str
    label: str
    base_url: str
    env_name: str | None
    models: tuple[str, ...]


async def is_due(desk: Desk) -> bool:
    """Whether nothing was ever configured here, or a first start was cut short: no API key, nobody to sign in."""
    snapshot = desk.snapshot()
    return snapshot.version == 1 or (not snapshot.registry.api_keys and await setup.needs_setup(desk))


async def fill(desk: Desk, found: Sequence[Detected]) -> str:
    """Add the demo, what was found and an API key; the key in plain text, this once.

    The demo is two providers, one in each pool, so that a failover can be seen. Secrets that were found stay in
    the environment; a provider that cannot be added is logged and left out.
    """
    there = set(desk.snapshot().providers)
    if "demo" not in there:
        async with desk.change(_ACTOR) as change:
            await _add_demo(desk, change)
    for one in found:
        if one.name not in there:
            await _add_found(desk, one)
    key, _ = await api_keys.create(desk, _ACTOR, {"name": FIRST_KEY_NAME})
    return key


async def _add_demo(desk: Desk, change: Change) -> None:
    for name in DEMO_MODELS:
        free: Values = {"code": f"demo/{name}", "status": "ENABLED", "input_price": "0", "output_price": "0"}
        await models.add(change, read(models.FIELDS, free, partial=False, text=False))
    for name, pool, base_url in (
        ("demo", "primary", "builtin:demo"),
        ("demo-spare", "fallback", "builtin:demo-spare"),
    ):
        of_provider = {"name": name, "preset": DEMO_PRESET, "priority": 100}
        provider = await providers.add(change, read(providers.FIELDS, of_provider, partial=False, text=False))
        of_endpoint = read(
            endpoints.FIELDS,
            {
                "provider_id": provider.id,
                "base_url": base_url,
                "timeout_seconds": DEMO_ANSWER_SECONDS,
                "first_byte_seconds": DEMO_SILENCE_SECONDS,
                "idle_seconds": DEMO_SILENCE_SECONDS,
            },
            partial=False,
            text=False,
        )
        del of_endpoint["api_key"]
        await endpoints.add(desk, change, of_endpoint)
        of_key = {"provider_id": provider.id, "name": "main", "pool": pool}
        await provider_keys.add(desk, change, read(provider_keys.FIELDS, of_key, partial=False, text=False))
        await backend_parts.serve(change, provider, {f"demo/{name}": name for name in DEMO_MODELS})


async def _add_found(desk: Desk, one: Detected) -> None:
    form = {
        "name": one.name,
        "preset": one.preset,
        "base_url": one.base_url,
        "api_key": f"env:{one.env_name}" if one.env_name else "",
        "models": list(one.models),
        "local_upstream": one.env_name is None,
    }
    try:
        await backends.create(desk, _ACTOR, form)
    except InvalidFields as error:
        _log.warning("%s was found and not added: %s", one.label, error.message)
