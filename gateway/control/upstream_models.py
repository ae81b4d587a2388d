"""What a provider says it has, which of it is served here, and attaching or detaching it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from gateway.control import backend_parts as parts
from gateway.control import mappings as mapping_control
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.lookup import require
from gateway.errors import Conflict, GatewayError, InvalidFields
from gateway.model.people import Actor
from gateway.model.registry import Model, ModelMapping, Provider
from gateway.routing.snapshot import Registry
from gateway.store import mappings, models, providers

ATTACH_FIELDS: Table = (
    Field("models", Kind.MODELS, "The provider's names, or public names and the provider's own.", required=True),
)
DETACH_FIELDS: Table = (Field("models", Kind.STRINGS, "Public names, or the provider's own.", required=True),)


class UpstreamModel(msgspec.Struct, frozen=True):
    """A name at the provider. `models` are the public names that it is served under, empty where it is not.

    `is_listed`: the provider named it just now. `is_available`: what is written down about that; None where it is
    not served.
    """

    name: str
    models: tuple[str, ...]
    is_listed: bool
    is_available: bool | None


class UpstreamModels(msgspec.Struct, frozen=True):
    """`backend` is the one that was asked. Names that it did not list, but that are served, come last."""

    provider_id: str
    provider: str
    backend: str
    models: tuple[UpstreamModel, ...]


class Attached(msgspec.Struct, frozen=True):
    """What serves now. `notes` say what an operator should know: nothing in them is a fault."""

    models: tuple[Model, ...]
    mappings: tuple[ModelMapping, ...]
    notes: tuple[str, ...]


async def listed(desk: Desk, provider_id: str) -> UpstreamModels:
    """Ask the provider; nothing is changed. Raises NotFound, Conflict, or what the last backend failed with."""
    provider = known(desk, provider_id)
    backend, names = await _ask(desk, provider)
    return _joined(desk.snapshot().registry, provider, backend, names)


async def refresh(desk: Desk, actor: Actor, provider_id: str) -> UpstreamModels:
    """Ask, and write down of each mapping whether the provider has it. A provider that lists nothing changes none."""
    provider = known(desk, provider_id)
    backend, names = await _ask(desk, provider)
    if names and _stale(await _mapped(desk, provider), names):
        async with desk.change(actor) as change:
            for mapping in _stale(await mappings.of_provider(change.tx, provider.id), names):
                await mapping_control.revise(change, mapping, {"is_available": not mapping.is_available})
    return _joined(desk.snapshot().registry, provider, backend, names)


async def attach(
    desk: Desk, actor: Actor, provider_id: str, raw: Mapping[str, object], *, text: bool = False
) -> Attached:
    """Have it serve these, in one transaction; models that are missing are made, enabled. Raises InvalidFields."""
    wanted = read(ATTACH_FIELDS, raw, partial=False, text=text)["models"]
    async with desk.change(actor) as change:
        provider = require(await providers.get(change.tx, provider_id), "provider")
        with parts.renamed_faults({"code": "models"}):
            found, mapped, notes = await parts.serve(change, provider, wanted)
    return Attached(found, mapped, tuple(notes))


async def detach(
    desk: Desk, actor: Actor, provider_id: str, raw: Mapping[str, object], *, text: bool = False
) -> tuple[str, ...]:
    """Have it serve these no more, all or none; models stay. Their public names. Raises InvalidFields."""
    wanted = read(DETACH_FIELDS, raw, partial=False, text=text)["models"]
    async with desk.change(actor) as change:
        provider = require(await providers.get(change.tx, provider_id), "provider")
        codes = {model.id: model.code for model in await models.every(change.tx)}
        there = await mappings.of_provider(change.tx, provider.id)
        gone = {row.id: row for name in wanted for row in there if name in (codes[row.model_id], row.upstream_name)}
        named = {name for row in gone.values() for name in (codes[row.model_id], row.upstream_name)}
        unknown = [name for name in wanted if name not in named]
        if unknown:
            raise InvalidFields({"models": f"names what {provider.name} does not serve: {', '.join(unknown[:5])}"})
        for mapping in gone.values():
            await mapping_control.remove(change, mapping)
    return tuple(sorted(codes[row.model_id] for row in gone.values()))


def known(desk: Desk, provider_id: str) -> Provider:
    """Raises NotFound."""
    found = next((row for row in desk.snapshot().registry.providers if row.id == provider_id), None)
    return require(found, "provider")


async def _ask(desk: Desk, provider: Provider) -> tuple[str, frozenset[str]]:
    """The first enabled backend that answers, and the names that it gave."""
    failure: GatewayError = Conflict(f"Provider {provider.name} has no enabled backend that could be asked.")
    for backend in desk.snapshot().provider_backends.get(provider.id, ()):
        if backend.is_enabled:
            try:
                return backend.name, frozenset(await desk.ask_models(backend))
            except GatewayError as error:
                failure = error
    raise failure


async def _mapped(desk: Desk, provider: Provider) -> tuple[ModelMapping, ...]:
    async with desk.db.read() as tx:
        return await mappings.of_provider(tx, provider.id)


def _stale(mapped: Iterable[ModelMapping], names: frozenset[str]) -> list[ModelMapping]:
    """Mappings of which something else is written down than the provider says."""
    return [row for row in mapped if row.is_available is names.isdisjoint(_names_of(row))]


def _names_of(mapping: ModelMapping) -> set[str]:
    return {mapping.upstream_name, *(alias.name for alias in mapping.aliases)}


def _joined(registry: Registry, provider: Provider, backend: str, names: frozenset[str]) -> UpstreamModels:
    codes = {model.id: model.code for model in registry.models}
    served: dict[str, list[ModelMapping]] = {}
    for row in registry.mappings:
        if row.provider_id == provider.id:
            served.setdefault(row.upstream_name, []).append(row)
    found = [
        UpstreamModel(
            name=name,
            models=tuple(sorted(codes[row.model_id] for row in served.get(name, ()))),
            is_listed=name in names,
            is_available=all(row.is_available for row in served[name]) if name in served else None,
        )
        for name in [*sorted(names), *sorted(served.keys() - names)]
    ]
    return UpstreamModels(provider.id, provider.name, backend, tuple(found))
