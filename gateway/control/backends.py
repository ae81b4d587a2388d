"""Backends as operators think of them: one form that makes provider, endpoint, key, models and mappings together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from gateway.control import backend_parts as parts
from gateway.control import endpoints as endpoint_control
from gateway.control import provider_keys as key_control
from gateway.control import providers as provider_control
from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, Values, limit, read, with_choices
from gateway.control.lookup import require
from gateway.control.presets import PRESETS, codes_for
from gateway.control.versions import editable, require_current, together
from gateway.errors import InvalidFields, NotFound
from gateway.model.people import Actor
from gateway.model.registry import ApiFormat, Endpoint, Model, ModelMapping, Provider, ProviderKey
from gateway.routing.snapshot import Backend
from gateway.store import endpoints, provider_keys, providers

FIELDS: Table = (
    Field("name", Kind.SLUG, "The provider's unique short name; a known one gets one more key.", required=True),
    Field("label", Kind.LABEL, "Name of the key; `main` or `key-2` where left out.", default=""),
    Field(
        "preset",
        Kind.CHOICE,
        "A known provider, which fills in the base URL.",
        default="custom",
        choices=tuple(PRESETS),
    ),
    Field("base_url", Kind.URL, "As in https://api.example.com/v1; the preset's where left out.", default=""),
    Field(
        "api_format",
        Kind.CHOICE,
        "The one wire format it speaks; all that the preset is known to speak where left out.",
        nullable=True,
        choices=tuple(ApiFormat),
    ),
    Field("api_key", Kind.SECRET, "The secret, `env:NAME`, or empty where none is needed.", default=""),
    Field("models", Kind.MODELS, "Names, or public names and the provider's own.", default={}),
    Field("pool", Kind.TEXT, "The pool, by id or name; the first one where left out.", nullable=True),
    Field(
        "rpm_limit",
        Kind.INT,
        "Requests per minute; null learns it from the provider's refusals, 0 refuses.",
        nullable=True,
        least=0,
        most=1_000_000,
    ),
    limit("tpm_limit", "Tokens per minute", 1_000_000_000),
    limit("max_concurrent", "Calls at the same time", 100_000),
    Field("timeout_seconds", Kind.NUMBER, "Longest whole attempt.", default=600.0, least=0.1, most=3600),
    Field("enabled", Kind.BOOL, "Whether calls may be sent to it.", default=True),
    Field("priority", Kind.INT, "Lower goes first among providers of a pool.", default=50, least=0, most=1000),
    Field("weight", Kind.INT, "Share among equals; 0 takes it out.", default=1, least=0, most=1000),
    Field("local_upstream", Kind.BOOL, "Allow this one address although it is not public https.", default=False),
    Field("metadata", Kind.OBJECT, "Anything you want to keep with it.", default={}),
)

UPDATE_FIELDS: Table = tuple(
    replace(field, fixed=field.name in ("name", "preset", "api_format"), required=False) for field in FIELDS
)


_OF_KEY = ("api_key", "pool", "rpm_limit", "tpm_limit", "max_concurrent", "weight")


class Rows(msgspec.Struct, frozen=True):
    """What a backend is made of, as it is stored."""

    provider: Provider
    endpoint: Endpoint
    key: ProviderKey

    @property
    def version(self) -> int:
        return together(self.provider, self.endpoint, self.key)


class BackendMade(msgspec.Struct, frozen=True):
    """What one form made or changed. `notes` say what an operator should know: nothing in them is a fault."""

    provider: Provider
    endpoint: Endpoint
    key: ProviderKey
    models: tuple[Model, ...]
    mappings: tuple[ModelMapping, ...]
    notes: tuple[str, ...]

    @property
    def version(self) -> int:
        return together(self.provider, self.endpoint, self.key)

    @property
    def backend_id(self) -> str:
        return f"{self.endpoint.id}:{self.key.id}"


async def create(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> BackendMade:
    """All of it in one transaction, or none. Raises InvalidFields."""
    table = with_choices(FIELDS, "preset", codes_for(actor))
    values = _with_preset(read(table, raw, partial=False, text=text))
    async with desk.change(actor) as change:
        existing = [row for row in await providers.every(change.tx) if row.name == values["name"]]
        if existing:
            provider = existing[0]
            there, notes = await parts.joined(change, provider, values, raw)
        else:
            provider, there = await _new_provider(desk, change, values)
            notes = []
        endpoint = there[0]
        key = await _new_key(desk, change, provider, values, [one.api_format for one in there])
        models, mappings, model_notes = await parts.serve(change, provider, values["models"])
        notes += parts.credential_notes(desk, key, values["preset"]) + model_notes
        return BackendMade(provider, endpoint, key, models, mappings, tuple(notes))


async def update(
    desk: Desk, actor: Actor, backend_id: str, raw: Mapping[str, object], *, text: bool = False
) -> BackendMade:
    """Change what was sent. `models`, where sent, are then all that the provider serves.

    Raises NotFound, or Stale with the Rows that are there.
    """
    values = read(editable(UPDATE_FIELDS), raw, partial=True, text=text)
    for kept_where_empty in ("base_url", "label"):
        if values.get(kept_where_empty) == "":
            del values[kept_where_empty]
    async with desk.change(actor) as change:
        there = await _rows(change, backend_id)
        require_current(there, values, "backend")
        provider, endpoint, key = there.provider, there.endpoint, there.key
        of_provider = parts.only(values, {"priority": "priority", "metadata": "metadata"})
        if of_provider:
            provider = await provider_control.revise(change, provider, of_provider)
        of_endpoint = parts.only(values, dict.fromkeys(("base_url", "timeout_seconds", "local_upstream")))
        if of_endpoint:
            endpoint = await parts.revised_endpoints(desk, change, endpoint, of_endpoint)
            key = require(await provider_keys.get(change.tx, key.id), "backend")
        key = await _revised_key(desk, change, key, values)
        models, mappings, notes = await parts.serve(change, provider, values.get("models", {}))
        if "models" in values:
            await parts.stop_serving(change, provider, {model.id for model in models})
        notes = parts.credential_notes(desk, key, provider.preset) + notes
        return BackendMade(provider, endpoint, key, models, mappings, tuple(notes))


async def set_enabled(desk: Desk, actor: Actor, backend_id: str, enabled: bool) -> None:
    """By backend or key id. Enabling also enables its provider and endpoint. Raises NotFound."""
    async with desk.change(actor) as change:
        there = await _rows(change, backend_id)
        await key_control.revise(desk, change, there.key, {"is_active": enabled})
        if enabled and not there.provider.is_active:
            await provider_control.revise(change, there.provider, {"is_active": True})
        if enabled and not there.endpoint.is_active:
            await endpoint_control.revise(desk, change, there.endpoint, {"is_active": True})


async def delete(desk: Desk, actor: Actor, backend_id: str) -> None:
    """The key, and with the last key its provider. By backend or key id; models stay. Raises NotFound."""
    async with desk.change(actor) as change:
        there = await _rows(change, backend_id)
        await key_control.remove(change, there.key)
        if not await provider_keys.of_provider(change.tx, there.provider.id):
            await provider_control.remove(change, there.provider)


async def clear_cooldown(desk: Desk, actor: Actor, backend_id: str) -> None:
    """Let it be tried at once. Raises NotFound."""
    backend = find(desk, backend_id)
    async with desk.change(actor) as change:
        change.note("clear_cooldown", "backend", backend.id, None, {"backend": backend.name})
    desk.state.clear(backend.id)


async def test(desk: Desk, backend_id: str) -> list[str]:
    """Ask the saved backend for its models' names. Raises NotFound, or a GatewayError that says what failed."""
    return await desk.ask_models(find(desk, backend_id))


def find(desk: Desk, backend_id: str) -> Backend:
    """By backend or key id, as it is in force. Raises NotFound."""
    backends = desk.snapshot().backends
    found = backends.get(backend_id)
    if found is None:
        found = next((backend for backend in backends.values() if backend.key.id == backend_id), None)
    return require(found, "backend")


def _with_preset(values: Values) -> Values:
    """The preset's base URL where none is given; its own local address needs no further switch."""
    preset = PRESETS[values["preset"]]
    base_url = values["base_url"] or preset.base_url
    is_local = values["local_upstream"] or (preset.is_local and base_url == preset.base_url)
    return {**values, "base_url": base_url, "local_upstream": is_local}


async def _new_provider(desk: Desk, change: Change, values: Values) -> tuple[Provider, list[Endpoint]]:
    if not values["base_url"]:
        raise InvalidFields({"base_url": "is required"})
    provider = await provider_control.add(
        change,
        {
            **read(provider_control.FIELDS, {"name": values["name"]}, partial=False, text=False),
            **parts.only(values, dict.fromkeys(("preset", "priority", "metadata"))),
            "display_name": PRESETS[values["preset"]].label if values["preset"] == values["name"] else "",
        },
    )
    return provider, await parts.new_endpoints(desk, change, provider, values)


async def _new_key(
    desk: Desk, change: Change, provider: Provider, values: Values, formats: Sequence[ApiFormat]
) -> ProviderKey:
    wanted = {
        **read(key_control.FIELDS, {"provider_id": provider.id}, partial=False, text=False),
        **parts.only(values, dict.fromkeys(_OF_KEY)),
        "api_formats": tuple(one.value for one in formats),
        "name": values["label"],
        "is_active": values["enabled"],
    }
    with parts.renamed_faults({"name": "label"}):
        return await key_control.add(desk, change, wanted)


async def _revised_key(desk: Desk, change: Change, key: ProviderKey, values: Values) -> ProviderKey:
    wanted = parts.only(values, {**dict.fromkeys(_OF_KEY), "label": "name", "enabled": "is_active"})
    with parts.renamed_faults({"name": "label"}):
        return await key_control.revise(desk, change, key, wanted) if wanted else key


async def _rows(change: Change, backend_id: str) -> Rows:
    """By backend id (`endpoint:key`) or key id alone."""
    endpoint_id, _, key_id = backend_id.rpartition(":")
    key = require(await provider_keys.get(change.tx, key_id), "backend")
    provider = require(await providers.get(change.tx, key.provider_id), "backend")
    for endpoint in await endpoints.of_provider(change.tx, provider.id):
        if endpoint_id in ("", endpoint.id) and endpoint.api_format in key.api_formats:
            return Rows(provider, endpoint, key)
    raise NotFound("There is no such backend.")
