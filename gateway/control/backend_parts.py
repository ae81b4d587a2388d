"""The parts of a backend's form: what joins a provider that is there, and which models it serves."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Mapping

from gateway.control import endpoints as endpoint_control
from gateway.control import mappings as mapping_control
from gateway.control import models as model_control
from gateway.control.desk import Change, Desk
from gateway.control.fields import Values, read
from gateway.control.presets import PRESETS, PresetEndpoint
from gateway.errors import InvalidFields
from gateway.model.registry import ApiFormat, Endpoint, Model, ModelMapping, ModelStatus, Provider, ProviderKey
from gateway.store import endpoints, mappings, models

Served = tuple[tuple[Model, ...], tuple[ModelMapping, ...], list[str]]


async def joined(
    change: Change, provider: Provider, values: Values, raw: Mapping[str, object]
) -> tuple[list[Endpoint], list[str]]:
    """The endpoints that a further key of a known provider is for, and notes on what the form could not change.

    Raises InvalidFields where the form means another address than the provider's.
    """
    wanted = values["api_format"]
    found = [row for row in await endpoints.of_provider(change.tx, provider.id) if wanted in (None, row.api_format)]
    if not found:
        raise InvalidFields({"api_format": f"provider {provider.name} has no endpoint for it"})
    endpoint = found[0]
    if values["base_url"] not in ("", endpoint.base_url):
        raise InvalidFields(
            {"name": f"is taken by a provider at {endpoint.base_url}; choose another name, or give that base_url"}
        )
    kept = {
        "timeout_seconds": endpoint.timeout_seconds,
        "priority": provider.priority,
        "metadata": provider.metadata,
    }
    changed = [name for name, there in kept.items() if raw.get(name) and values[name] != there]
    return found, [f"{name} stays as it is for provider {provider.name}; change it there" for name in changed]


async def new_endpoints(desk: Desk, change: Change, provider: Provider, values: Values) -> list[Endpoint]:
    """One for the format that is named, else one for each that the preset is known to speak."""
    known = PRESETS[values["preset"]].endpoints
    named = values["api_format"]
    if named is not None:
        known = tuple(one for one in known if one.api_format == named) or (PresetEndpoint(ApiFormat(named)),)
    return [await _new_endpoint(desk, change, provider, values, one) for one in known]


async def revised_endpoints(desk: Desk, change: Change, endpoint: Endpoint, values: Values) -> Endpoint:
    """The endpoint as changed, and with it those of the provider's other formats at the same base URL: one address is
    changed for all of them, or some would call the old one.
    """
    base = endpoint.base_url
    for other in await endpoints.of_provider(change.tx, endpoint.provider_id):
        if other.id != endpoint.id and (other.base_url == base or other.base_url.startswith(base.rstrip("/") + "/")):
            suffix = other.base_url.removeprefix(base.rstrip("/")) if other.base_url != base else ""
            moved = {"base_url": values["base_url"].rstrip("/") + suffix} if suffix and "base_url" in values else {}
            await endpoint_control.revise(desk, change, other, {**values, **moved})
    return await endpoint_control.revise(desk, change, endpoint, values)


async def _new_endpoint(
    desk: Desk, change: Change, provider: Provider, values: Values, of_preset: PresetEndpoint
) -> Endpoint:
    wanted = {
        "provider_id": provider.id,
        "base_url": values["base_url"].rstrip("/") + of_preset.suffix if of_preset.suffix else values["base_url"],
        "api_format": of_preset.api_format.value,
        "custom_path": of_preset.custom_path,
        "auth": of_preset.auth,
    }
    whole = {
        **read(endpoint_control.FIELDS, wanted, partial=False, text=False),
        **only(values, dict.fromkeys(("timeout_seconds", "local_upstream"))),
    }
    del whole["api_key"]
    return await endpoint_control.add(desk, change, whole)


async def serve(change: Change, provider: Provider, wanted: Mapping[str, str]) -> Served:
    """Have the provider serve each public name under its own one; models that are missing are made, enabled."""
    there = {row.model_id: row for row in await mappings.of_provider(change.tx, provider.id)}
    found: list[Model] = []
    mapped: list[ModelMapping] = []
    notes: list[str] = []
    for code, upstream_name in wanted.items():
        model = await models.by_code(change.tx, code)
        if model is None:
            model = await model_control.add(change, model_control.new_values(code))
        elif model.status is not ModelStatus.ENABLED:
            notes.append(f"Model {code} is {model.status} and serves only once it is ENABLED.")
        mapping = there.get(model.id)
        if mapping is not None and mapping.upstream_name != upstream_name:
            notes.append(f"{provider.name} is asked for {code} as {upstream_name} now, with each of its keys.")
        found.append(model)
        mapped.append(await _map(change, provider, model, upstream_name, mapping))
    return tuple(found), tuple(mapped), notes


async def stop_serving(change: Change, provider: Provider, kept: Container[str]) -> None:
    """Take away the provider's mappings of all models but those with an id in `kept`."""
    for mapping in await mappings.of_provider(change.tx, provider.id):
        if mapping.model_id not in kept:
            await mapping_control.remove(change, mapping)


def credential_notes(desk: Desk, key: ProviderKey, preset: str) -> list[str]:
    """What an operator should know of the key: a variable that is not set, a key that is missing."""
    if key.env_name is not None and key.env_name not in desk.settings.secrets:
        return [f"{key.env_name} is not set in the gateway's environment; set it and restart."]
    if key.bound_origin is None:
        return ["The address changed: enter the key again."]
    if not key.masked and PRESETS[preset].needs_key:
        return [f"{PRESETS[preset].label} asks for a key; this backend has none."]
    return []


def only(values: Values, names: Mapping[str, str | None]) -> Values:
    """Those of `values` that are named, under their new name where one is given."""
    return {new or name: values[name] for name, new in names.items() if name in values}


@contextlib.contextmanager
def renamed_faults(names: Mapping[str, str]) -> Iterator[None]:
    """Faults of a noun's field under the name that the composite form has for it."""
    try:
        yield
    except InvalidFields as error:
        raise InvalidFields({names.get(name, name): fault for name, fault in error.fields.items()}) from None


async def _map(
    change: Change, provider: Provider, model: Model, upstream_name: str, there: ModelMapping | None
) -> ModelMapping:
    if there is None:
        return await mapping_control.add(change, mapping_control.new_values(provider.id, upstream_name), model)
    if there.upstream_name == upstream_name and there.is_active:
        return there
    return await mapping_control.revise(change, there, {"upstream_name": upstream_name, "is_active": True})
