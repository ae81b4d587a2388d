"""Tells listeners which backends are doing otherwise than a moment ago. Looks at nothing while nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from gateway.control import pool_stats
from gateway.control.desk import Desk
from gateway.control.events import Topic

log = logging.getLogger("gateway.events")

_RETRY_SECONDS = 5.0
Signs = dict[str, tuple[object, ...]]


def signs(desk: Desk) -> Signs:
    """What pages and programs would show differently, by backend: all that changes less often than calls come."""
    state, now = desk.state, desk.clock.mono()
    found: Signs = {}
    for backend in desk.snapshot().backends.values():
        seen = pool_stats.backend_stats(backend, state, desk.settings.secrets, now, ())
        there = state.endpoint_rests.get(backend.endpoint.base_url)
        is_resting = there is not None and there.seconds_left(now) > 0
        found[backend.id] = (seen.status, seen.rest_kind, seen.reason, seen.fault_at, seen.streak, is_resting)
    return found


def publish_changes(desk: Desk, before: Signs) -> Signs:
    """One event about all backends that differ from `before`; what they are like now."""
    now = signs(desk)
    changed = tuple(backend_id for backend_id, seen in now.items() if before.get(backend_id) != seen)
    if changed:
        desk.events.publish(Topic.HEALTH, "update", "backend", changed, desk.snapshot().version, desk.clock.wall_ms())
    return now


@contextlib.asynccontextmanager
async def watching(desk: Desk, every_seconds: float = 1.0) -> AsyncIterator[None]:
    """While open, at most one event in `every_seconds`."""
    watch = asyncio.create_task(_watch(desk, every_seconds), name="health events")
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.wait({watch})


async def _watch(desk: Desk, every_seconds: float) -> None:
    while True:
        await desk.events.until_listener(Topic.HEALTH)
        try:
            seen = signs(desk)
            await asyncio.sleep(every_seconds)
            while desk.events.has_listener(Topic.HEALTH):
                seen = publish_changes(desk, seen)
                await asyncio.sleep(every_seconds)
        except Exception:  # reason: a watch that dies tells nobody of anything that happens later
            log.exception("the state of backends could not be looked at")
            await asyncio.sleep(_RETRY_SECONDS)
