"""A plan told: which backends a call would be sent to now, in which order, and why not the others."""

from __future__ import annotations

from gateway.routing.candidates import Plan
from gateway.routing.resolve import Target


def explain(target: Target, plan: Plan) -> dict[str, object]:
    """JSON values. `seconds` says when a reason ends by itself; null where it does not."""
    taken = [
        {
            "backend": lane.backend.name,
            "pool": lane.backend.pool.name,
            "upstream_model": lane.upstream_name,
            "taken": True,
        }
        for lane in plan.lanes
    ]
    skipped = [
        {
            "backend": skip.backend,
            "pool": skip.pool,
            "taken": False,
            "reason": skip.reason,
            "sentence": skip.sentence,
            "seconds": None if skip.seconds is None else round(skip.seconds, 3),
        }
        for skip in plan.skips
    ]
    return {
        "object": "gateway.plan",
        "model": target.model,
        "config_version": target.config_version,
        "candidates": [*taken, *skipped],
    }
