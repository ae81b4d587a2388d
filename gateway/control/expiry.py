"""API keys that delete themselves, looked for once a minute."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from gateway.control import api_keys
from gateway.control.desk import Desk

log = logging.getLogger("gateway.expiry")

MINUTE_SECONDS = 60.0


@contextlib.asynccontextmanager
async def watching(desk: Desk, every_seconds: float = MINUTE_SECONDS) -> AsyncIterator[None]:
    """While open, keys whose time is over go within `every_seconds`."""
    watch = asyncio.create_task(_watch(desk, every_seconds), name="expiry of API keys")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait({watch})


async def _watch(desk: Desk, every_seconds: float) -> None:
    while True:
        try:
            for name in await api_keys.delete_ended(desk):
                log.info("the API key %s has ended and was deleted", name)
        except Exception:  # reason: a watch that dies leaves every later key where it is
            log.exception("API keys that have ended could not be deleted")
        await asyncio.sleep(every_seconds)
