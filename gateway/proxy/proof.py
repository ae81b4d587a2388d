"""After a crash: what API keys and users spent is proved from a ledger that is too long to be read before it is served.

Calls go on meanwhile. Each one writes its sums together with its row, so by how much a sum differs from its calls is
the same before and after it: that much is added to what is in memory and to what is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from gateway.errors import Unavailable
from gateway.proxy.ledger import Ledger
from gateway.proxy.recovery import differences, is_proved_at_once
from gateway.routing.spends import Spends
from gateway.store import pending_sums, spends
from gateway.store.database import Database, open_reader
from gateway.store.spends import DaySpend

log = logging.getLogger("gateway.ledger")
_RETRY_SECONDS = 0.5

Wrong = Mapping[tuple[str, int], int]
"""Nano-dollars that are missing (below zero: too many), by owner and day."""


async def prove(path: Path, db: Database, ledger: Ledger, found: Spends) -> None:
    """Compare, in one view of the file at `path` and however long it takes; then correct what differs."""
    async with open_reader(path) as tx:
        if await is_proved_at_once(tx):
            return
        wrong = await differences(tx)
    if wrong:
        await correct(wrong, db, ledger, found)


async def correct(wrong: Wrong, db: Database, ledger: Ledger, found: Spends) -> None:
    """At a moment when no row waits: one that did would write its sum as it was."""
    while True:
        await ledger.flush()
        async with ledger.between_writes():
            if ledger.queued:
                continue
            for (owner, day), nano in wrong.items():
                found.correct(owner, day, nano)
            await _store(wrong, db)
            return


async def _store(wrong: Wrong, db: Database) -> None:
    """Again until it is written: no row is, before."""
    while True:
        try:
            async with db.write() as tx:
                await pending_sums.settle(tx)
                for key, nano in wrong.items():
                    await spends.add(tx, DaySpend(*key, nano))
        except Unavailable:
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


@contextlib.asynccontextmanager
async def proving(path: Path, db: Database, ledger: Ledger, found: Spends) -> AsyncIterator[None]:
    """Once, in the background, while open."""
    running = asyncio.create_task(_prove(path, db, ledger, found), name="proof")
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait({running})


async def _prove(path: Path, db: Database, ledger: Ledger, found: Spends) -> None:
    try:
        await prove(path, db, ledger, found)
    except (Unavailable, sqlite3.Error) as error:
        log.warning("what was spent could not be proved after the crash: %s; `gateway ledger verify` does", error)
