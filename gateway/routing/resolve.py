"""From the name that a client asked for to the model and the lanes that can serve it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from gateway.errors import ModelNotFound
from gateway.model.people import ApiKey
from gateway.model.registry import ModelStatus, Price
from gateway.routing.snapshot import Lane, Snapshot


@dataclass(frozen=True, slots=True)
class Target:
    """`model` is the public name that serves; `price` None means unpriced."""

    model: str
    price: Price | None
    lanes: tuple[Lane, ...]
    config_version: int


def resolve(snapshot: Snapshot, api_key: ApiKey, asked: str) -> Target:
    """Exact code, else `provider/model`. Raises ModelNotFound with the three nearest names the key may use.

    A name that the key may not use gets the same answer as one that does not exist.
    """
    target = _by_code(snapshot, asked) or _by_provider(snapshot, asked)
    if target is None or not api_key.may_use(target.model):
        raise _not_found(snapshot, api_key, asked)
    return target


def models_for(snapshot: Snapshot, api_key: ApiKey) -> list[str]:
    """Codes of the models that this key may use, sorted."""
    return sorted(model.code for model in snapshot.serving_models() if api_key.may_use(model.code))


def _by_code(snapshot: Snapshot, asked: str) -> Target | None:
    model = snapshot.models.get(asked) or snapshot.models.get(asked.lower())
    if model is None or model.status is not ModelStatus.ENABLED:
        return None
    lanes = snapshot.lanes.get(model.id, ())
    return Target(model.code, model.price, lanes, snapshot.version) if lanes else None


def _by_provider(snapshot: Snapshot, asked: str) -> Target | None:
    """`provider/model` reaches a provider under its own name of the model, without a mapping.

    A mapped model answers for itself: its life cycle, price and permission are those of its public name.
    """
    name, slash, upstream_name = asked.partition("/")
    provider = snapshot.providers.get(name)
    if not slash or not upstream_name or provider is None:
        return None
    lanes = tuple(Lane(backend, upstream_name) for backend in snapshot.provider_backends.get(provider.id, ()))
    model = snapshot.upstream_models.get((provider.id, upstream_name))
    if model is None:
        is_free = asked.lower() not in snapshot.models
        return Target(asked, None, lanes, snapshot.version) if lanes and is_free else None
    is_enabled = model.status is ModelStatus.ENABLED
    return Target(model.code, model.price, lanes, snapshot.version) if is_enabled else None


def _not_found(snapshot: Snapshot, api_key: ApiKey, asked: str) -> ModelNotFound:
    known = models_for(snapshot, api_key)
    # The whole catalogue may be large; names far from any match cost nothing to leave out.
    near = difflib.get_close_matches(asked.lower()[:200], known, n=3, cutoff=0.3)
    near += [name for name in known if name not in near][: 3 - len(near)]
    hint = f" The nearest names: {', '.join(near)}." if near else " This key may use no model yet."
    return ModelNotFound(f"The model '{asked}' does not exist or this key may not use it.{hint}", param="model")
