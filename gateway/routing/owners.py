"""What an API key's owner means for its calls: the narrower of both permissions, and what either asks for."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.model.people import ApiKey, User

EVERY_MODEL = "*"
"""The name under which a user's capabilities hold for all models."""


def with_owner(api_key: ApiKey, owner: User | None) -> ApiKey:
    """The key with what its owner's permissions leave of its own; it is off while the owner is."""
    if api_key.user_id is None:
        return api_key
    if owner is None or not owner.is_welcome:
        return replace(api_key, is_active=False)
    return replace(
        api_key,
        allowed_models=both(api_key.allowed_models, owner.allowed_models),
        allowed_providers=both(api_key.allowed_providers, owner.allowed_providers),
        allowed_formats=both(api_key.allowed_formats, owner.allowed_formats),
    )


def both(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """What two permissions allow together. None is unrestricted and an empty one nothing."""
    if one is None or other is None:
        return other if one is None else one
    return tuple(name for name in one if name in other)


def of_caller(api_key: ApiKey, owner: User | None, model: str) -> frozenset[str]:
    """Capabilities that the key and its owner's settings ask of every backend of a call to `model`."""
    settings = owner.capabilities if owner is not None else {}
    return frozenset((*api_key.capabilities, *settings.get(EVERY_MODEL, ()), *settings.get(model, ())))
