"""What the subjects of sums are called by people."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.control.desk import Desk
from gateway.model.sums import Dimension
from gateway.store import rollups, users
from gateway.store.database import Tx
from gateway.store.figures import OTHER

NOBODY: Mapping[str, str] = MappingProxyType(
    {
        Dimension.USER: "no user",
        Dimension.API_KEY: "no API key",
        Dimension.MODEL: "no model",
        Dimension.PROVIDER: "no provider",
        Dimension.PROVIDER_KEY: "no provider key",
    }
)
"""For calls without one: refused before it was known, with a key that stands alone, or never sent."""


async def names(tx: Tx, desk: Desk, dimension: str) -> dict[str, str]:
    """By subject: the name of today, or the last one of what is gone. Models are called by their code."""
    found = {**await rollups.names(tx, dimension), **await _now(tx, desk, dimension)}
    return {**found, "": NOBODY.get(dimension, ""), OTHER: "other"}


async def _now(tx: Tx, desk: Desk, dimension: str) -> dict[str, str]:
    registry = desk.snapshot().registry
    if dimension == Dimension.USER:
        return {user.id: user.username for user in await users.every(tx)}
    if dimension == Dimension.API_KEY:
        return {key.id: key.name for key in registry.api_keys}
    providers = {provider.id: provider.name for provider in registry.providers}
    if dimension == Dimension.PROVIDER:
        return providers
    if dimension == Dimension.PROVIDER_KEY:
        return {key.id: f"{providers[key.provider_id]}/{key.name}" for key in registry.keys}
    return {model.code: model.code for model in registry.models}
