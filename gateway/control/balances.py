"""Balances of API keys that stand alone: money of their own, paid in, and used up by their calls.

A balance is what was paid in less all that the key ever spent. So the first payment brings an opening entry of what
was spent before there was one, and then the balance is exactly what was paid.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from gateway.control.desk import Change, Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.lookup import require
from gateway.errors import Conflict, InvalidFields
from gateway.ids import new_id
from gateway.model.people import Actor, ApiKey, Period, TopUp
from gateway.routing.spends import key_owner
from gateway.store import api_keys, top_ups

TOP_UP: Table = (
    Field("amount", Kind.DOLLARS, "Dollars to pay in.", required=True),
    Field("note", Kind.TEXT, "What for.", default="", most=200),
)
_OPENING = "opening entry: what was spent before there was a balance"


async def history(desk: Desk, key_id: str) -> tuple[TopUp, ...]:
    """What was paid in, newest first. Raises NotFound."""
    async with desk.db.read() as tx:
        require(await api_keys.get(tx, key_id), "API key")
        return await top_ups.of_key(tx, key_id)


async def top_up(desk: Desk, actor: Actor, key_id: str, raw: Mapping[str, object], *, text: bool = False) -> ApiKey:
    """Pay in; the first payment makes the balance. Raises InvalidFields, and Conflict for a key with an owner."""
    values = read(TOP_UP, raw, partial=False, text=text)
    if values["amount"] == 0:
        raise InvalidFields({"amount": "must be more than 0"})
    async with desk.change(actor) as change:
        before = require(await api_keys.get(change.tx, key_id), "API key")
        if before.user_id is not None:
            raise Conflict("This key has an owner, whose quota holds; only a key that stands alone has a balance.")
        credited = before.credited_nano
        if credited is None:
            credited = desk.state.spends.of(key_owner(key_id), Period.NONE, change.at).spent
            if credited:
                await _pay_in(change, key_id, credited, _OPENING)
        await _pay_in(change, key_id, values["amount"], values["note"])
        return await _credit(change, before, credited + values["amount"], "top_up")


async def close(desk: Desk, actor: Actor, key_id: str) -> ApiKey:
    """Take the balance away, with what is left of it: from then on only the budget holds, where there is one."""
    async with desk.change(actor) as change:
        before = require(await api_keys.get(change.tx, key_id), "API key")
        await top_ups.delete_of_key(change.tx, key_id)
        return await _credit(change, before, None, "close_balance")


async def _pay_in(change: Change, key_id: str, nano: int, note: str) -> None:
    await top_ups.insert(change.tx, TopUp(new_id(), key_id, nano, note, change.actor.name, change.at))


async def _credit(change: Change, before: ApiKey, credited: int | None, action: str) -> ApiKey:
    await api_keys.credit(change.tx, before.id, credited, change.at)
    after = replace(before, credited_nano=credited, updated_at=change.at, version=before.version + 1)
    change.note(action, "api_key", before.id, before, after)
    return after
