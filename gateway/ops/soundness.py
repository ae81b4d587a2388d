"""A database that is too large to be looked through before it is served is looked through while it is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from gateway.store.database import quick_check
from gateway.store.migrate import CHECKED_BYTES, damaged

log = logging.getLogger("gateway.soundness")


class Soundness(msgspec.Struct):
    """`fault` says what is wrong with the file and what to do; empty as far as is known."""

    fault: str = ""

    async def check(self, database: Path) -> None:
        verdict = await quick_check(database)
        if verdict != "ok":
            self.fault = damaged(database, verdict)
            log.critical("%s", self.fault)


@contextlib.asynccontextmanager
async def checking(database: Path, larger_than: int = CHECKED_BYTES) -> AsyncIterator[Soundness]:
    """Looks through a large file once, in the background."""
    soundness = Soundness()
    if database.stat().st_size <= larger_than:  # noqa: ASYNC240  # before anything is served
        yield soundness
        return
    looking = asyncio.create_task(soundness.check(database), name="quick check")
    try:
        yield soundness
    finally:
        looking.cancel()
        await asyncio.wait({looking})
