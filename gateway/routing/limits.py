"""Limits at every level: what is full is said before anything is taken, so that a refused call consumes nothing."""

from __future__ import annotations

from gateway.model.calls import Skip
from gateway.routing.snapshot import Backend
from gateway.routing.world import Ask, World, skip


def full(backend: Backend, ask: Ask, world: World) -> Skip | None:
    """The first limit that leaves no room for this call at this backend now, or None. Takes nothing."""
    bucket = world.state.bucket(backend, world.now)
    if bucket is None:
        return None
    seconds = bucket.seconds_until_one(world.now)
    if seconds == 0.0:
        return None
    limit = f"{bucket.per_minute} requests per minute"
    return skip(backend, "rpm_empty", f"Its {limit} are used up for {seconds:.1f} s.", seconds)
