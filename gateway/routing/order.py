"""The order in which backends are tried: pools by tier, inside a pool by its strategy, the warm one first of its tier.

A strategy gives each lane a place, lower first, and says in words what put it there where that is not plain priority.
Among equals every conversation has its own order by weight, and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from gateway.model.calls import Usage, UsageSource
from gateway.model.registry import BillingType, Strategy, Translated
from gateway.money import format_dollars
from gateway.routing.cost import actual_cost, cost_of, price_for
from gateway.routing.rendezvous import distance
from gateway.routing.snapshot import Lane
from gateway.routing.world import Ask, World

WARM = "served this conversation before"
_LAST = float("inf")
_LEAST_TOKENS = 1000
_INPUT_PER_OUTPUT = 4


class Placed(msgspec.Struct, frozen=True):
    """A lane at its place, and why it is there besides priority."""

    lane: Lane
    why: str = ""


Place = tuple[tuple[float, ...], str]
"""Where in its pool, lower first, and why."""


def in_order(lanes: Iterable[Lane], ask: Ask, world: World) -> list[Placed]:
    """All of `lanes`, none of which has the weight 0. What must be translated is last, but where its pool says
    otherwise.
    """
    lanes = list(lanes)
    if len(lanes) == 1 and lanes[0].backend.pool.strategy in _PLAIN:
        return [Placed(lanes[0], WARM if ask.session and _is_warm(lanes[0], ask, world) else "")]
    pools: dict[tuple[bool, int, str], list[Lane]] = {}
    for lane in lanes:
        pool = lane.backend.pool
        is_late = lane.backend.endpoint.api_format is not ask.api_format and pool.translated is Translated.LAST
        pools.setdefault((is_late, pool.tier, pool.id), []).append(lane)
    warm = world.state.affinities.of(ask.conversation, world.now)
    found: list[Placed] = []
    first_of_tier: int = 0
    tier: tuple[bool, int] | None = None
    for place in sorted(pools):
        if place[:2] != tier:
            first_of_tier, tier = len(found), place[:2]
        for placed in _in_pool(pools[place], ask, world):
            if placed.lane.backend.id == warm and placed.lane.backend.key.cache_ttl_minutes:
                found.insert(first_of_tier, Placed(placed.lane, WARM))
            else:
                found.append(placed)
    return found


def _is_warm(lane: Lane, ask: Ask, world: World) -> bool:
    warm = world.state.affinities.of(ask.conversation, world.now)
    return lane.backend.id == warm and lane.backend.key.cache_ttl_minutes > 0


def take_turn(ask: Ask, world: World) -> None:
    """One call more of this model. A plan that is only looked at takes no turn."""
    turns = world.state.turns
    turns[ask.model] = turns.get(ask.model, 0) + 1
    if len(turns) > _MOST_TURNS:
        del turns[next(iter(turns))]


_MOST_TURNS = 10_000
"""Clients can make up names of models as provider/anything."""


def _in_pool(lanes: list[Lane], ask: Ask, world: World) -> Iterable[Placed]:
    strategy = lanes[0].backend.pool.strategy
    if len(lanes) == 1 and strategy in _PLAIN:
        return [Placed(lanes[0])]
    if strategy is Strategy.ROUND_ROBIN:
        return _by_turns(lanes, ask)
    place_of = _STRATEGIES[strategy]
    placed = [(place_of(lane, ask, world), lane) for lane in lanes]
    caller = str(ask.seed) if strategy is Strategy.WEIGHTED else ask.caller
    placed.sort(key=lambda pair: (pair[0][0], _distance(pair[1], caller)))
    return [Placed(lane, why) for (_, why), lane in placed]


def _by_turns(lanes: list[Lane], ask: Ask) -> Iterable[Placed]:
    ring = sorted(lanes, key=lambda lane: lane.backend.id)
    first = ask.turn % len(ring)
    return [Placed(lane, "its turn" if not place else "") for place, lane in enumerate(ring[first:] + ring[:first])]


def _distance(lane: Lane, caller: str) -> float:
    return distance(caller, lane.backend.id, lane.backend.key.weight)


def _by_priority(lane: Lane, ask: Ask, world: World) -> Place:
    return (lane.backend.provider.priority, lane.backend.key.internal_priority), ""


def _by_global_priority(lane: Lane, ask: Ask, world: World) -> Place:
    own = lane.backend.key.global_priority.get(lane.backend.endpoint.api_format.text)
    rank, _ = _by_priority(lane, ask, world)
    if own is None:
        return (_LAST, *rank), "no global priority"
    return (own, *rank), f"global priority {own}"


def _by_weight(lane: Lane, ask: Ask, world: World) -> Place:
    return (), f"by chance, weight {lane.backend.key.weight}"


def _by_calls_in_flight(lane: Lane, ask: Ask, world: World) -> Place:
    in_flight = _in_flight(lane, world)
    return (in_flight / lane.backend.key.weight,), f"least busy ({in_flight} in flight)"


def _by_latency(lane: Lane, ask: Ask, world: World) -> Place:
    """One that nobody has measured goes first, but not a second time before the first call has come back."""
    state = world.state.backends.get(lane.backend.id)
    seen = state.first_output_ms if state is not None else None
    if seen is not None:
        return (1, seen), f"first output after {seen:.0f} ms"
    return ((2,), "being measured") if _in_flight(lane, world) else ((0,), "not measured yet")


def _by_cost(lane: Lane, ask: Ask, world: World) -> Place:
    """The cost of a call of this size, with a quarter as many tokens out as in."""
    tokens = max(ask.tokens, _LEAST_TOKENS)
    usage = Usage(input=tokens, output=tokens // _INPUT_PER_OUTPUT, source=UsageSource.ESTIMATED)
    nano = actual_cost(cost_of(usage, price_for(lane.price, usage)), lane.backend)
    if lane.backend.provider.billing_type is BillingType.FREE_TIER:
        nano = 0
    if nano is None:
        return (_LAST,), "has no price"
    return (nano,), f"about {format_dollars(nano)} for a call of this size"


def _in_flight(lane: Lane, world: World) -> int:
    state = world.state.backends.get(lane.backend.id)
    return state.in_flight if state is not None else 0


_PLAIN = frozenset({Strategy.PRIORITY, Strategy.GLOBAL_PRIORITY, Strategy.ROUND_ROBIN, Strategy.WEIGHTED})
"""Where one that is alone in its pool has nothing to be told."""

_STRATEGIES: Mapping[Strategy, Callable[[Lane, Ask, World], Place]] = {
    Strategy.PRIORITY: _by_priority,
    Strategy.GLOBAL_PRIORITY: _by_global_priority,
    Strategy.WEIGHTED: _by_weight,
    Strategy.LEAST_BUSY: _by_calls_in_flight,
    Strategy.LOWEST_LATENCY: _by_latency,
    Strategy.LOWEST_COST: _by_cost,
}
