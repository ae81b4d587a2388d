"""`/api/admin/backends`: provider, endpoint, key, models and mappings as one thing."""

from __future__ import annotations

import msgspec

from gateway.api.collection import PAGING, Items
from gateway.api.endpoints import EndpointShown, endpoint_shown
from gateway.api.models import ModelShown, model_shown
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.api.provider_keys import ProviderKeyShown, provider_key_shown
from gateway.control import backends, pools
from gateway.control.desk import Desk
from gateway.control.fields import read, with_choices
from gateway.control.pool_stats import BackendStats
from gateway.control.presets import OFFERED_CODES
from gateway.control.versions import VERSION
from gateway.errors import Stale
from gateway.model.registry import ModelMapping, Provider


class BackendMadeShown(msgspec.Struct, frozen=True):
    """What was made or changed. `notes` say what an operator should know.

    `version` is that of provider, endpoint and key together.
    """

    id: str
    provider: Provider
    endpoint: EndpointShown
    key: ProviderKeyShown
    models: tuple[ModelShown, ...]
    mappings: tuple[ModelMapping, ...]
    notes: tuple[str, ...]
    version: int


class ModelNames(msgspec.Struct, frozen=True):
    """The models that a backend says it has."""

    models: tuple[str, ...]


@policy("token")
async def _list(visit: Visit) -> object:
    paging = read(PAGING, visit.query, partial=False, text=True)
    found = [backend for pool in pools.stats(visit.desk) for backend in pool.backends]
    return Items(tuple(found[paging["offset"] : paging["offset"] + paging["limit"]]), len(found))


@policy("token")
async def _create(visit: Visit) -> object:
    return _made(visit.desk, await backends.create(visit.desk, visit.actor, visit.body))


@policy("token")
async def _get(visit: Visit) -> object:
    return _stats(visit)


@policy("token")
async def _update(visit: Visit) -> object:
    try:
        return _made(visit.desk, await backends.update(visit.desk, visit.actor, visit.path["id"], visit.body))
    except Stale as error:
        error.shown = _stats(visit)
        raise


@policy("token")
async def _delete(visit: Visit) -> object:
    await backends.delete(visit.desk, visit.actor, visit.path["id"])
    return None


@policy("token")
async def _clear_cooldown(visit: Visit) -> object:
    await backends.clear_cooldown(visit.desk, visit.actor, visit.path["id"])
    return _stats(visit)


@policy("token")
async def _test(visit: Visit) -> object:
    return ModelNames(tuple(await backends.test(visit.desk, visit.path["id"])))


def _stats(visit: Visit) -> BackendStats:
    wanted = backends.find(visit.desk, visit.path["id"]).id
    return next(backend for pool in pools.stats(visit.desk) for backend in pool.backends if backend.id == wanted)


def _made(desk: Desk, made: backends.BackendMade) -> BackendMadeShown:
    return BackendMadeShown(
        id=made.backend_id,
        provider=made.provider,
        endpoint=endpoint_shown(desk, made.endpoint),
        key=provider_key_shown(desk, made.key),
        models=tuple(model_shown(desk, model) for model in made.models),
        mappings=made.mappings,
        notes=made.notes,
        version=made.version,
    )


_MANY = f"{PREFIX}/backends"
_ONE = f"{PREFIX}/backends/{{id}}"
_CHANGES = (*(field for field in backends.UPDATE_FIELDS if not field.fixed), VERSION)

OPERATIONS = (
    Operation(
        "GET",
        _MANY,
        "list_backends",
        "Every backend as it is now, in the order of trying.",
        _list,
        BackendStats,
        query=PAGING,
        is_list=True,
    ),
    Operation(
        "POST",
        _MANY,
        "create_backend",
        "Make provider, endpoint, key, models and mappings in one transaction.",
        _create,
        BackendMadeShown,
        201,
        with_choices(backends.FIELDS, "preset", OFFERED_CODES),
    ),
    Operation("GET", _ONE, "get_backend", "One backend as it is now.", _get, BackendStats),
    Operation(
        "PATCH",
        _ONE,
        "update_backend",
        "Change what is sent; `models`, where sent, are then all that its provider serves.",
        _update,
        BackendMadeShown,
        200,
        _CHANGES,
        partial=True,
    ),
    Operation("DELETE", _ONE, "delete_backend", "Delete its key; with the last one its provider.", _delete, None, 204),
    Operation(
        "POST",
        f"{_ONE}/clear-cooldown",
        "clear_cooldown",
        "End its rest, so that it is tried at once.",
        _clear_cooldown,
        BackendStats,
    ),
    Operation("POST", f"{_ONE}/test", "test_backend", "Ask it for its models.", _test, ModelNames),
)
