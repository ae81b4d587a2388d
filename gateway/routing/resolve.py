"""From the name that a client asked for to the model and the lanes that can serve it."""

from __future__ import annotations

import difflib

import msgspec
from msgspec.structs import replace

from gateway.errors import ModelNotFound
from gateway.model.people import ApiKey
from gateway.model.registry import Model, ModelStatus
from gateway.routing.permissions import may_reach
from gateway.routing.purposes import AUTO, Purpose, chain_of, purpose_of
from gateway.routing.rendezvous import first_of
from gateway.routing.snapshot import Lane, Snapshot


class Target(msgspec.Struct, frozen=True):
    """`model` is the public name that serves, `route` the rule that chose it (`AGENT:coder`), empty without one.

    `lanes` are all of the model's, those too that the caller may not use.
    """

    model: str
    lanes: tuple[Lane, ...]
    config_version: int
    route: str = ""


def resolve(snapshot: Snapshot, api_key: ApiKey, asked: str, purpose: Purpose | None = None) -> Target:
    """Exact code, else alias, else wildcard, else `provider/model`, else for `auto` the route rules.

    Raises ModelNotFound with the three nearest names the key may use. What the key may not use gets the same
    answer as what does not exist.
    """
    target = _by_name(snapshot, asked) or _by_provider(snapshot, asked)
    if target is None and asked.lower() == AUTO and _named(snapshot, asked) is None:
        target = _by_rules(snapshot, api_key, purpose_of(api_key, purpose or Purpose()))
    if target is None or not _may_use(api_key, target):
        raise _not_found(snapshot, api_key, asked)
    if any(lane.names for lane in target.lanes):
        return replace(target, lanes=tuple(_for_caller(lane, api_key) for lane in target.lanes))
    return target


def models_for(snapshot: Snapshot, api_key: ApiKey) -> list[str]:
    """Codes of the models that this key may use and a backend that it may use serves, sorted."""
    if api_key.allowed_formats == ():
        return []
    return sorted(
        model.code
        for model in snapshot.serving_models()
        if api_key.may_use(model.code) and _has_way(snapshot, api_key, model)
    )


def _named(snapshot: Snapshot, asked: str) -> Model | None:
    """The model that a name belongs to, whatever its state. `auto` belongs to none that has it by a wildcard."""
    low = asked.lower()
    found = snapshot.models.get(low) or snapshot.aliases.get(low)
    if found is not None or low == AUTO:
        return found
    return next((model for beginning, model in snapshot.wildcards if low.startswith(beginning)), None)


def _by_name(snapshot: Snapshot, asked: str) -> Target | None:
    model = _named(snapshot, asked)
    return None if model is None else _target(snapshot, model)


def _target(snapshot: Snapshot, model: Model, route: str = "") -> Target | None:
    """None where the model does not serve or nothing is mapped to it."""
    lanes = snapshot.lanes.get(model.id, ())
    if model.status is not ModelStatus.ENABLED or not lanes:
        return None
    return Target(model.code, lanes, snapshot.version, route)


def _by_provider(snapshot: Snapshot, asked: str) -> Target | None:
    """`provider/model` reaches a provider under its own name of the model, without a mapping.

    A mapped model answers for itself: its life cycle, price and permission are those of its public name.
    """
    name, slash, upstream_name = asked.partition("/")
    provider = snapshot.providers.get(name)
    if not slash or not upstream_name or provider is None or _named(snapshot, asked) is not None:
        return None
    model = snapshot.upstream_models.get((provider.id, upstream_name))
    if model is not None:
        target = _target(snapshot, model)
        lanes = tuple(
            replace(lane, upstream_name=upstream_name, names=())
            for lane in (target.lanes if target else ())
            if lane.backend.provider.id == provider.id
        )
        return replace(target, lanes=lanes) if target and lanes else None
    price = snapshot.book.price(provider, (upstream_name,))
    lanes = tuple(Lane(backend, upstream_name, price) for backend in snapshot.provider_backends.get(provider.id, ()))
    return Target(asked, lanes, snapshot.version) if lanes else None


def _by_rules(snapshot: Snapshot, api_key: ApiKey, purpose: Purpose) -> Target:
    """The first rule whose model serves, can be reached and may be used. Raises ModelNotFound."""
    for route_type, route_key in chain_of(purpose):
        for rule in snapshot.rules.get((route_type, route_key), ()):
            model = snapshot.models_by_id.get(rule.model_id)
            if not rule.is_enabled or model is None:
                continue
            target = _target(snapshot, model, purpose.shown(route_type))
            if target is not None and api_key.may_use(model.code) and _has_way(snapshot, api_key, model):
                return target
    raise ModelNotFound(
        f"The model '{AUTO}' goes by route rules, and none leads to a model that this key can use now. "
        f"Tried: {', '.join(purpose.shown(route_type) for route_type, _ in chain_of(purpose))}. Name a model, name a "
        "purpose with x-gateway-agent, x-gateway-business or x-gateway-capability, or ask the operator for a rule.",
        param="model",
    )


def _has_way(snapshot: Snapshot, api_key: ApiKey, model: Model) -> bool:
    return any(lane.is_open and may_reach(api_key, lane.backend) for lane in snapshot.lanes.get(model.id, ()))


def _may_use(api_key: ApiKey, target: Target) -> bool:
    return api_key.may_use(target.model) and any(may_reach(api_key, lane.backend) for lane in target.lanes)


def _for_caller(lane: Lane, api_key: ApiKey) -> Lane:
    """The lane under the one of its names that this caller keeps to."""
    return replace(lane, upstream_name=first_of(lane.names, api_key.id), names=()) if lane.names else lane


def _not_found(snapshot: Snapshot, api_key: ApiKey, asked: str) -> ModelNotFound:
    known = models_for(snapshot, api_key)
    # The whole catalogue may be large; names far from any match cost nothing to leave out.
    near = difflib.get_close_matches(asked.lower()[:200], known, n=3, cutoff=0.3)
    near += [name for name in known if name not in near][: 3 - len(near)]
    hint = f" The nearest names: {', '.join(near)}." if near else " This key may use no model yet."
    return ModelNotFound(f"The model '{asked}' does not exist or this key may not use it.{hint}", param="model")
