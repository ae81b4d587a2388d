"""API keys, provider keys and users name providers and models by what people call them: a new name is followed
everywhere, so that nobody gains or loses by it.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.control.desk import Change
from gateway.model.people import ApiKey, User
from gateway.store import api_keys, provider_keys, users


async def follow_provider(change: Change, old: str, new: str) -> None:
    """A provider was renamed."""
    if old == new:
        return
    for key in await api_keys.every(change.tx):
        if old in (key.allowed_providers or ()):
            await _revise_key(change, key, replace(key, allowed_providers=_renamed(key.allowed_providers, old, new)))
    for user in await users.every(change.tx):
        if old in (user.allowed_providers or ()):
            await _revise_user(
                change, user, replace(user, allowed_providers=_renamed(user.allowed_providers, old, new))
            )


async def follow_model(change: Change, old: str, new: str) -> None:
    """A model got another code."""
    if old == new:
        return
    for key in await api_keys.every(change.tx):
        if old in (key.allowed_models or ()):
            await _revise_key(change, key, replace(key, allowed_models=_renamed(key.allowed_models, old, new)))
    for user in await users.every(change.tx):
        if old in (user.allowed_models or ()):
            await _revise_user(change, user, replace(user, allowed_models=_renamed(user.allowed_models, old, new)))
    for provider_key in await provider_keys.every(change.tx):
        if old in (provider_key.allowed_models or ()):
            codes = _renamed(provider_key.allowed_models, old, new)
            after = replace(provider_key, allowed_models=codes, updated_at=change.at, version=provider_key.version + 1)
            await provider_keys.update(change.tx, after)
            change.note("update", "provider_key", after.id, provider_key, after)


async def _revise_key(change: Change, before: ApiKey, after: ApiKey) -> None:
    after = replace(after, updated_at=change.at, version=before.version + 1)
    await api_keys.update(change.tx, after)
    change.note("update", "api_key", after.id, before, after)


async def _revise_user(change: Change, before: User, after: User) -> None:
    after = replace(after, updated_at=change.at, version=before.version + 1)
    await users.update(change.tx, after)
    change.note("update", "user", after.id, before, after)


def _renamed(names: Sequence[str] | None, old: str, new: str) -> tuple[str, ...]:
    return tuple(new if name == old else name for name in names or ())
