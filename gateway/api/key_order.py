"""`/api/admin/provider-keys/by-format`, `…/order` and `…/paste`: provider keys many at a time."""

from __future__ import annotations

import msgspec

from gateway.api.collection import Items
from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.api.provider_keys import ProviderKeyShown, provider_key_shown
from gateway.control import key_order, key_paste
from gateway.control.desk import Desk
from gateway.control.key_order import FormatOrder


class OrderedKeyShown(msgspec.Struct, frozen=True):
    """A key at its place. `priority` null is behind all that have one; `counts`: its pool goes by this order."""

    id: str
    name: str
    pool: str
    priority: int | None
    counts: bool
    is_active: bool
    masked: str


class FormatOrderShown(msgspec.Struct, frozen=True):
    """All keys of one API format in their order."""

    api_format: str
    keys: tuple[OrderedKeyShown, ...]


class PastedShown(msgspec.Struct, frozen=True):
    """The keys that were made, in the order of their lines."""

    keys: tuple[ProviderKeyShown, ...]


@policy("token")
async def _by_format(visit: Visit) -> object:
    found = _shown(visit.desk)
    return Items(found, len(found))


@policy("token")
async def _order(visit: Visit) -> object:
    await key_order.reorder(visit.desk, visit.actor, visit.body)
    return next(order for order in _shown(visit.desk) if order.api_format == visit.body["api_format"])


@policy("token")
async def _paste(visit: Visit) -> object:
    made = await key_paste.paste(visit.desk, visit.actor, visit.body)
    return PastedShown(tuple(provider_key_shown(visit.desk, key) for key in made))


def _shown(desk: Desk) -> tuple[FormatOrderShown, ...]:
    return tuple(_format_shown(order) for order in key_order.by_format(desk.snapshot()))


def _format_shown(order: FormatOrder) -> FormatOrderShown:
    keys = tuple(
        OrderedKeyShown(
            id=place.key.id,
            name=f"{place.provider}/{place.key.name}",
            pool=place.pool,
            priority=place.priority,
            counts=place.counts,
            is_active=place.key.is_active,
            masked=place.key.masked,
        )
        for place in order.keys
    )
    return FormatOrderShown(order.api_format, keys)


_MANY = f"{PREFIX}/provider-keys"

OPERATIONS = (
    Operation(
        "GET",
        f"{_MANY}/by-format",
        "list_provider_keys_by_format",
        "All keys of each API format, in the order by which pools with the strategy global_priority go.",
        _by_format,
        FormatOrderShown,
        is_list=True,
    ),
    Operation(
        "PUT",
        f"{_MANY}/order",
        "order_provider_keys",
        "Set the order of all keys of an API format; 409 where they are others than `ids`.",
        _order,
        FormatOrderShown,
        200,
        key_order.FIELDS,
    ),
    Operation(
        "POST",
        f"{_MANY}/paste",
        "paste_provider_keys",
        "Make one key for each line, all of them or none.",
        _paste,
        PastedShown,
        201,
        key_paste.FIELDS,
    ),
)
