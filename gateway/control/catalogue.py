"""The catalogue of list prices: taken where it is newer than the one that is there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date

import msgspec

from gateway.clock import Clock
from gateway.control.desk import Desk
from gateway.errors import InvalidFields
from gateway.model.catalogue import Catalogue, is_newer
from gateway.model.people import Actor
from gateway.resources import PRICES
from gateway.store import catalogue
from gateway.store.database import Database

_log = logging.getLogger("gateway")


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As `make prices` writes it. What each provider lists stays as it is until it is looked at."""

    date: str
    version: str
    source: str
    licence: str
    providers: dict[str, msgspec.Raw]

    @property
    def head(self) -> Catalogue:
        return Catalogue(self.date, self.version, self.source, self.licence)

    @property
    def listings(self) -> Mapping[str, str]:
        return {name: bytes(found).decode() for name, found in self.providers.items()}


class Taken(msgspec.Struct, frozen=True):
    """What became of an offered catalogue: whether it was newer and so taken, and which one is in force now."""

    is_taken: bool
    date: str
    version: str
    source: str
    licence: str


async def take_packaged(db: Database, clock: Clock) -> bool:
    """At a start, before anything is served: what this release brings, where it is newer; whether it was."""
    offered = msgspec.json.decode(PRICES.read_bytes(), type=_File)
    async with db.read() as tx:
        there = await catalogue.head(tx)
    if not is_newer(offered.version, there.version):
        return False
    async with db.write() as tx:
        await catalogue.replace(tx, offered.head, offered.listings, clock.wall_ms())
    if there.version:
        _log.info("list prices of %s take the place of those of %s", offered.date, there.date)
    return True


async def take(desk: Desk, actor: Actor, raw: bytes) -> Taken:
    """What an operator offers, as `make prices` writes it. Raises InvalidFields where it is something else."""
    offered = _checked(raw)
    there = desk.snapshot().registry.catalogue
    if not is_newer(offered.version, there.version):
        return _told(there, is_taken=False)
    async with desk.change(actor) as change:
        before = await catalogue.head(change.tx)
        await catalogue.replace(change.tx, offered.head, offered.listings, change.at)
        change.note("update", "catalogue", offered.version, before, offered.head)
    return _told(offered.head, is_taken=True)


def _told(now: Catalogue, *, is_taken: bool) -> Taken:
    return Taken(is_taken, now.date, now.version, now.source, now.licence)


def _checked(raw: bytes) -> _File:
    try:
        found = msgspec.json.decode(raw, type=_File)
        date.fromisoformat(found.date)
        for listings in found.listings.values():
            catalogue.listings_of(listings)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidFields({"catalogue": f"is none: {error}"}) from None
    return found
