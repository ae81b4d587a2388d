"""`/api/admin/tokens`: management tokens. They are made by people who are signed in, never by another token."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import tokens
from gateway.model.people import ManagementToken


class TokenShown(msgspec.Struct, frozen=True):
    """A management token without its secret, of which `tail` are the last letters. Null is everything or never."""

    id: str
    user_id: str | None
    name: str
    tail: str
    is_active: bool
    scopes: tuple[str, ...] | None
    allowed_ips: tuple[str, ...] | None
    expires_at: int | None
    created_at: int
    last_used_at: int | None
    last_used_ip: str


@policy("token")
async def _list(visit: Visit) -> object:
    found = await tokens.every(visit.desk)
    return Items(tuple(token_shown(token) for token in found), len(found))


@policy("token")
async def _get(visit: Visit) -> object:
    return token_shown(await tokens.get(visit.desk, visit.path["id"]))


@policy("token")
async def _disable(visit: Visit) -> object:
    return token_shown(await tokens.set_active(visit.desk, visit.actor, visit.path["id"], active=False))


@policy("token")
async def _delete(visit: Visit) -> object:
    await tokens.delete(visit.desk, visit.actor, visit.path["id"])
    return None


def token_shown(token: ManagementToken) -> TokenShown:
    return TokenShown(
        id=token.id,
        user_id=token.user_id,
        name=token.name,
        tail=token.tail,
        is_active=token.is_active,
        scopes=token.scopes,
        allowed_ips=token.allowed_ips,
        expires_at=token.expires_at,
        created_at=token.created_at,
        last_used_at=token.last_used_at,
        last_used_ip=token.last_used_ip,
    )


_MANY, _ONE = f"{PREFIX}/tokens", f"{PREFIX}/tokens/{{id}}"

OPERATIONS = (
    Operation("GET", _MANY, "list_tokens", "Every management token.", _list, TokenShown, is_list=True),
    Operation("GET", _ONE, "get_token", "One management token.", _get, TokenShown),
    Operation("POST", f"{_ONE}/disable", "disable_token", "Refuse it from now on.", _disable, TokenShown),
    Operation("DELETE", _ONE, "delete_token", "Delete a management token.", _delete, None, 204),
)
