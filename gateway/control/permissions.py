"""API keys name providers and models by what people call them: a key follows a new name, and gains or loses nothing."""

from __future__ import annotations

from dataclasses import replace

from gateway.control.desk import Change
from gateway.store import api_keys


async def follow_provider(change: Change, old: str, new: str) -> None:
    """A provider was renamed."""
    if old == new:
        return
    for key in await api_keys.every(change.tx):
        if old in (key.allowed_providers or ()):
            names = tuple(new if name == old else name for name in key.allowed_providers or ())
            after = replace(key, allowed_providers=names, updated_at=change.at, version=key.version + 1)
            await api_keys.update(change.tx, after)
            change.note("update", "api_key", key.id, key, after)


async def follow_model(change: Change, old: str, new: str) -> None:
    """A model got another code."""
    if old == new:
        return
    for key in await api_keys.every(change.tx):
        if old in (key.allowed_models or ()):
            codes = tuple(new if code == old else code for code in key.allowed_models or ())
            after = replace(key, allowed_models=codes, updated_at=change.at, version=key.version + 1)
            await api_keys.update(change.tx, after)
            change.note("update", "api_key", key.id, key, after)
