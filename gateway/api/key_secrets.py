"""`/api/admin/provider-keys/{id}/versions` and `…/reveal`: which secrets a key has had, and showing the active one."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import provider_keys, rotations
from gateway.control.fields import Field, Kind, Table, read
from gateway.hiding import hiding

_REVEAL: Table = (
    Field("password", Kind.TEXT, "The password of the user whose management token this is.", required=True, most=1000),
)


class KeyVersionShown(msgspec.Struct, frozen=True):
    """One secret that the key has had, by what recognises it. `actor` set it at `at` (Unix ms)."""

    number: int
    masked: str
    fingerprint: str
    note: str
    actor: str
    at: int
    is_active: bool


class RevealedShown(msgspec.Struct, frozen=True):
    """The secret in plain text."""

    secret: str

    __repr__ = hiding("secret")


@policy("token")
async def _versions(visit: Visit) -> object:
    key = await provider_keys.get(visit.desk, visit.path["id"])
    past = await rotations.history(visit.desk, key.id)
    active = rotations.active_number(key, past)
    found = tuple(
        KeyVersionShown(
            number=one.number,
            masked=one.masked,
            fingerprint=one.fingerprint,
            note=one.note,
            actor=one.actor,
            at=one.at,
            is_active=one.number == active,
        )
        for one in past
    )
    return Items(found, len(found))


@policy("token")
async def _reveal(visit: Visit) -> object:
    password = read(_REVEAL, visit.body, partial=False, text=False)["password"]
    secret = await rotations.reveal_to_token(visit.desk, visit.actor, visit.path["id"], password)
    return RevealedShown(secret.reveal())


_ONE = f"{PREFIX}/provider-keys/{{id}}"

OPERATIONS = (
    Operation(
        "GET",
        f"{_ONE}/versions",
        "list_key_versions",
        "The secrets that the key has had, newest first, never in plain text.",
        _versions,
        KeyVersionShown,
        is_list=True,
    ),
    Operation(
        "POST",
        f"{_ONE}/reveal",
        "reveal_provider_key",
        "The active secret in plain text; asks for the password of the token's user and is written down.",
        _reveal,
        RevealedShown,
        200,
        _REVEAL,
    ),
)
