"""`/api/admin/provider-keys/{id}/adaptive`: what was learned of a key's requests per minute."""

from __future__ import annotations

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.api.provider_keys import ProviderKeyShown, provider_key_shown
from gateway.control import adaptive_limits
from gateway.control.adaptive_limits import KeyLimit


@policy("token")
async def _get(visit: Visit) -> object:
    return await adaptive_limits.of_key(visit.desk, visit.path["id"])


@policy("token")
async def _reset(visit: Visit) -> object:
    await adaptive_limits.reset(visit.desk, visit.actor, visit.path["id"])
    return await adaptive_limits.of_key(visit.desk, visit.path["id"])


@policy("token")
async def _fix(visit: Visit) -> object:
    return provider_key_shown(visit.desk, await adaptive_limits.fix(visit.desk, visit.actor, visit.path["id"]))


_ONE = f"{PREFIX}/provider-keys/{{id}}/adaptive"

OPERATIONS = (
    Operation(
        "GET", _ONE, "get_adaptive_limit", "What was learned of its requests per minute, and from what.", _get, KeyLimit
    ),
    Operation("POST", f"{_ONE}/reset", "reset_adaptive_limit", "Forget what was learned.", _reset, KeyLimit),
    Operation(
        "POST",
        f"{_ONE}/fix",
        "fix_adaptive_limit",
        "Make the learned limit a fixed one; 409 where nothing was learned.",
        _fix,
        ProviderKeyShown,
    ),
)
