"""`/api/admin/settings`: what holds for the whole gateway."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import system_settings
from gateway.control.versions import editable
from gateway.errors import Stale
from gateway.model.system_settings import SystemSettings

_PATH = f"{PREFIX}/settings"


@policy("token")
async def _get(visit: Visit) -> object:
    return await system_settings.get(visit.desk)


@policy("token")
async def _update(visit: Visit) -> object:
    try:
        return await system_settings.update(visit.desk, visit.actor, visit.body)
    except Stale as error:
        error.shown = error.current
        raise


OPERATIONS = (
    Operation("GET", _PATH, "get_settings", "What holds for the whole gateway.", _get, SystemSettings),
    Operation(
        "PATCH",
        _PATH,
        "update_settings",
        "Change what is sent.",
        _update,
        SystemSettings,
        request=editable(system_settings.FIELDS),
        partial=True,
    ),
)
