"""The order in which a pool's backends would be tried for a model now, and what puts each at its place."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import msgspec

from gateway.control.desk import Desk
from gateway.control.explanations import ANYONE
from gateway.control.lookup import require
from gateway.model.registry import ApiFormat, Price, PriceTable, Strategy
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.snapshot import Lane, Snapshot
from gateway.routing.world import Ask, World

_ANY_PRICE = PriceTable(Price(1_000_000_000, 1_000_000_000, 0, 0, 0))
"""Where no model is asked about: a quota of money must not miss a price there, and rates may still differ."""
_AT_ANY_PRICE = "by its rate, as if all prices were equal"


class PoolPlace(msgspec.Struct, frozen=True):
    """A backend of the pool. `why` says what put it there besides priority; `fault` why nothing is sent to it now.

    `api_format` is the endpoint's: one that is not the call's is reached by translation.
    """

    backend_id: str
    backend: str
    why: str
    fault: str
    seconds: float | None
    api_format: str


def models_of(snapshot: Snapshot, pool_id: str) -> dict[str, int]:
    """How many of the pool's backends serve each model, by code, in alphabetical order."""
    found = {
        snapshot.models_by_id[model_id].code: sum(lane.backend.pool.id == pool_id for lane in lanes)
        for model_id, lanes in snapshot.lanes.items()
    }
    return {code: found[code] for code in sorted(found) if found[code]}


def places(
    desk: Desk, pool_id: str, model: str | None, api_format: ApiFormat = ApiFormat.OPENAI_CHAT, seed: int = 0
) -> tuple[PoolPlace, ...]:
    """For a new conversation of nobody in particular; without a model, as if each backend served it at one price.

    Backends that cannot serve a call of the API format are left out, those that are passed over come last. Raises
    NotFound for an unknown model.
    """
    snapshot, clock = desk.snapshot(), desk.clock
    lanes = _lanes(snapshot, pool_id, model)
    ask = Ask(ANYONE, api_format, model or "", seed=seed, turn=desk.state.turns.get(model or "", 0))
    world = World(desk.state, clock.mono(), Random(seed), desk.settings.secrets, clock.wall_ms())  # noqa: S311
    plan = plan_candidates(lanes, ask, world)
    taken = tuple(
        PoolPlace(lane.backend.id, lane.backend.name, why, "", None, lane.backend.endpoint.api_format.value)
        for lane, why in _told(plan, model)
    )
    skipped = (
        PoolPlace(one.backend_id, one.backend, "", one.sentence, one.seconds, one.api_format) for one in plan.skips
    )
    return (*taken, *skipped)


def _told(plan: Plan, model: str | None) -> Iterator[tuple[Lane, str]]:
    """Each lane with its reason. A cost in dollars is told only of a model that has one."""
    for lane, why in zip(plan.lanes, plan.whys, strict=True):
        is_by_cost = lane.backend.pool.strategy is Strategy.LOWEST_COST
        yield lane, _AT_ANY_PRICE if model is None and is_by_cost else why


def _lanes(snapshot: Snapshot, pool_id: str, model: str | None) -> list[Lane]:
    if model is None:
        return [Lane(backend, "", _ANY_PRICE) for backend in snapshot.backends.values() if backend.pool.id == pool_id]
    found = require(snapshot.models.get(model), "model")
    return [lane for lane in snapshot.lanes.get(found.id, ()) if lane.backend.pool.id == pool_id]
