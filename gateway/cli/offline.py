"""A desk on a data directory that nothing serves: what set-up commands work with."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from gateway.clock import Clock, SystemClock
from gateway.control import catalogue
from gateway.control.desk import Desk, SnapshotCell
from gateway.control.instance import open_vault
from gateway.control.snapshots import build, read_registry
from gateway.errors import Unavailable
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState
from gateway.settings import Settings
from gateway.store.database import open_database
from gateway.store.migrate import migrate

_NO_ORIGIN = "http://127.0.0.1"


@contextlib.asynccontextmanager
async def offline_desk(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Desk]:
    """Make or step up the database and open it; whoever calls this holds the data directory's lock."""
    migrate(settings.database)
    clock = clock or SystemClock()
    async with open_database(settings.database) as db:
        vault = await open_vault(db, settings, clock)
        await catalogue.take_packaged(db, clock)
        async with db.read() as tx:
            snapshot = build(await read_registry(tx, _NO_ORIGIN))
        yield Desk(db, vault, SnapshotCell(snapshot), RuntimeState(), clock, settings, _NO_ORIGIN, _ask_nobody)


async def _ask_nobody(_: Backend) -> list[str]:
    raise Unavailable("Nothing is sent from here; start the gateway.")
