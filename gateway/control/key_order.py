"""The order of all provider keys of one API format, by which pools with the strategy `global_priority` go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.lookup import require
from gateway.errors import Conflict, InvalidFields
from gateway.model.people import Actor
from gateway.model.registry import ApiFormat, Provider, ProviderKey, Strategy
from gateway.routing.snapshot import Snapshot
from gateway.store import provider_keys

_FORMAT = Field("api_format", Kind.CHOICE, "The API format.", required=True, choices=tuple(ApiFormat))
FIELDS: Table = (
    _FORMAT,
    Field("ids", Kind.STRINGS, "Every key of that format by id, the first one first.", required=True),
)
PLACE_FIELDS: Table = (
    _FORMAT,
    Field("priority", Kind.INT, "Lower goes first; null is no place.", nullable=True, least=0, most=100_000),
)
_STEP = 10


class OrderedKey(msgspec.Struct, frozen=True):
    """A key at its place. `priority` None is no place: behind all that have one, by the usual priorities.

    `counts` says whether its pool goes by this order.
    """

    key: ProviderKey
    provider: str
    pool: str
    priority: int | None
    counts: bool


class FormatOrder(msgspec.Struct, frozen=True):
    """All keys of one API format in their order, those that are switched off too."""

    api_format: str
    keys: tuple[OrderedKey, ...]


def by_format(snapshot: Snapshot) -> tuple[FormatOrder, ...]:
    """Every API format that some key is for."""
    found = (FormatOrder(name.value, _ordered(snapshot, name.value)) for name in ApiFormat)
    return tuple(order for order in found if order.keys)


async def reorder(desk: Desk, actor: Actor, raw: Mapping[str, object], *, text: bool = False) -> None:
    """Give every key of a format its place, with room between them, in one transaction.

    Raises InvalidFields, or Conflict where `ids` are not exactly the keys that there are.
    """
    values = read(FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        await _number(change, values["api_format"], values["ids"])


async def move(desk: Desk, actor: Actor, key_id: str, api_format: str, *, up: bool) -> None:
    """One place up or down; at the end of the list nothing moves. Raises NotFound."""
    order = [place.key.id for place in _ordered(desk.snapshot(), api_format)]
    require(key_id if key_id in order else None, "provider key for this API format")
    place = order.index(key_id)
    other = place - 1 if up else place + 1
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
        async with desk.change(actor) as change:
            await _number(change, api_format, order)


async def put(desk: Desk, actor: Actor, key_id: str, raw: Mapping[str, object], *, text: bool = False) -> None:
    """One key at the place of this number, the others where they are. Raises NotFound or InvalidFields."""
    values = read(PLACE_FIELDS, raw, partial=False, text=text)
    async with desk.change(actor) as change:
        key = require(await provider_keys.get(change.tx, key_id), "provider key")
        if values["api_format"] not in key.api_formats:
            raise InvalidFields({"api_format": "is none that this key is for"})
        await _place(change, key, values["api_format"], values["priority"])


async def _number(change: Change, api_format: str, ids: Sequence[str]) -> None:
    there = {key.id: key for key in await provider_keys.every(change.tx) if api_format in key.api_formats}
    if set(ids) != there.keys():
        raise Conflict(
            f"The keys for {api_format} are others than you ordered; load the list again.", code="changed_meanwhile"
        )
    for number, key_id in enumerate(ids, start=1):
        await _place(change, there[key_id], api_format, number * _STEP)


async def _place(change: Change, before: ProviderKey, api_format: str, priority: int | None) -> None:
    others = {name: number for name, number in before.global_priority.items() if name != api_format}
    wanted = others if priority is None else {**others, api_format: priority}
    if wanted == before.global_priority:
        return
    after = replace(before, global_priority=wanted, updated_at=change.at, version=before.version + 1)
    await provider_keys.update(change.tx, after)
    change.note("update", "provider_key", after.id, before, after)


def _ordered(snapshot: Snapshot, api_format: str) -> tuple[OrderedKey, ...]:
    pools = {pool.id: pool for pool in snapshot.registry.pools}
    providers = {provider.id: provider for provider in snapshot.registry.providers}
    found = [
        OrderedKey(
            key=key,
            provider=providers[key.provider_id].name,
            pool=pools[key.pool_id].name,
            priority=key.global_priority.get(api_format),
            counts=pools[key.pool_id].strategy is Strategy.GLOBAL_PRIORITY,
        )
        for key in snapshot.registry.keys
        if api_format in key.api_formats
    ]
    return tuple(sorted(found, key=lambda place: _rank(place, providers[place.key.provider_id])))


def _rank(place: OrderedKey, provider: Provider) -> tuple[bool, int, int, int, int, str]:
    """As routing has it; equals, which calls spread over, by their age."""
    key = place.key
    usual = (provider.priority, key.internal_priority)
    return place.priority is None, place.priority or 0, *usual, key.created_at, key.id
