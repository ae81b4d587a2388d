"""Who is tried first, and why."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.model.registry import BillingType, Price, PriceTable, Provider, ProviderKey, Strategy
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.order import WARM, in_order, take_turn
from gateway.routing.snapshot import Lane, build_snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask
from tests.routing.build import FALLBACK, PRIMARY, ask, key, model, provider, snapshot, world

DOLLAR = 10**9


def lanes_of(
    *keys: ProviderKey, strategy: Strategy = Strategy.PRIORITY, providers: tuple[Provider, ...] = (), **of_model: Any
) -> tuple[Lane, ...]:
    """The lanes of model `m`, in a pool primary with this strategy."""
    registry = snapshot(*keys, providers=providers, models=(model("m", **of_model),)).registry
    pools = (replace(PRIMARY, strategy=strategy), FALLBACK)
    return build_snapshot(replace(registry, pools=pools)).lanes["m"]


def told(lanes: tuple[Lane, ...], wanted: Ask, state: RuntimeState | None = None) -> list[tuple[str, str]]:
    found = in_order(lanes, wanted, world(state=state))
    return [(placed.lane.backend.provider.name, placed.why) for placed in found]


def firsts(lanes: tuple[Lane, ...], asks: list[Ask], state: RuntimeState | None = None) -> list[str]:
    return [told(lanes, wanted, state)[0][0] for wanted in asks]


CONVERSATIONS = [ask(session=f"s{number}", seed=number) for number in range(600)]


def test_plain_priority_needs_no_words() -> None:
    lanes = lanes_of(key("b", internal_priority=60), key("a"), key("c", pool_id="fallback"))
    assert told(lanes, ask()) == [("a", ""), ("b", ""), ("c", "")]


def test_among_equals_a_conversation_keeps_to_its_place_whatever_the_seed() -> None:
    lanes = lanes_of(key("a"), key("b"), key("c"))
    for wanted in CONVERSATIONS[:50]:
        assert told(lanes, wanted) == told(lanes, replace(wanted, seed=wanted.seed + 1))
    assert {"a", "b", "c"} == set(firsts(lanes, CONVERSATIONS[:50]))


def test_without_a_session_the_api_key_keeps_to_its_place() -> None:
    lanes = lanes_of(*[key(name) for name in "abcdefgh"])
    callers = [replace(ask().api_key, id=f"key {number}") for number in range(60)]
    assert len(set(firsts(lanes, [ask(api_key=caller) for caller in callers]))) == 8


def test_when_a_backend_leaves_only_its_own_conversations_move() -> None:
    lanes = lanes_of(*[key(name) for name in "abcde"])
    before, after = firsts(lanes, CONVERSATIONS), firsts(lanes[:4], CONVERSATIONS)
    assert all(new == old for old, new in zip(before, after, strict=True) if old != "e")
    assert 60 < before.count("e") < 180


def test_global_priority_goes_across_providers_and_unnumbered_keys_come_after() -> None:
    lanes = lanes_of(
        key("late", global_priority={"openai_chat": 9}),
        key("other", global_priority={"another": 0}, internal_priority=40),
        key("early", global_priority={"openai_chat": 0}),
        key("none"),
        strategy=Strategy.GLOBAL_PRIORITY,
        providers=(provider("early", priority=99),),
    )
    assert told(lanes, ask()) == [
        ("early", "global priority 0"),
        ("late", "global priority 9"),
        ("other", "no global priority"),
        ("none", "no global priority"),
    ]


def test_weighted_goes_by_chance_and_weight_not_by_priority() -> None:
    lanes = lanes_of(key("heavy", weight=3, internal_priority=90), key("light"), strategy=Strategy.WEIGHTED)
    found = firsts(lanes, [ask(seed=seed, session="one") for seed in range(2000)])
    assert 0.7 < found.count("heavy") / 2000 < 0.8
    assert told(lanes, ask(seed=4)) == told(lanes, ask(seed=4, session="another"))
    assert ("heavy", "by chance, weight 3") in told(lanes, ask())


def test_each_has_its_turn_and_a_look_takes_none() -> None:
    lanes = lanes_of(key("a"), key("b"), key("c", internal_priority=1), strategy=Strategy.ROUND_ROBIN)
    state = RuntimeState()
    found = []
    for _ in range(7):
        wanted = ask(turn=state.turns.get("m", 0))
        assert told(lanes, wanted, state) == told(lanes, wanted, state)
        found.append(told(lanes, wanted, state)[0][0])
        take_turn(wanted, world(state=state))
    assert found == ["a", "b", "c", "a", "b", "c", "a"]
    assert told(lanes, ask(turn=1)) == [("b", "its turn"), ("c", ""), ("a", "")]


def test_turns_of_names_that_clients_make_up_are_not_kept_for_ever() -> None:
    state = RuntimeState()
    for number in range(10_050):
        take_turn(ask(model=f"p/{number}"), world(state=state))
    assert len(state.turns) == 10_000


def test_the_least_busy_for_its_weight_goes_first() -> None:
    lanes = lanes_of(key("a"), key("b", weight=4), key("c"), strategy=Strategy.LEAST_BUSY)
    state = RuntimeState()
    for lane, in_flight in zip(lanes, (2, 4, 3), strict=True):
        state.of(lane.backend.id).in_flight = in_flight
    assert told(lanes, ask(), state) == [
        ("b", "least busy (4 in flight)"),
        ("a", "least busy (2 in flight)"),
        ("c", "least busy (3 in flight)"),
    ]
    assert {"a", "b", "c"} == set(firsts(lanes, CONVERSATIONS[:50]))


def test_the_quickest_goes_first_and_the_unmeasured_are_tried_one_call_at_a_time() -> None:
    lanes = lanes_of(key("slow"), key("quick"), key("new"), strategy=Strategy.LOWEST_LATENCY)
    ids = {lane.backend.provider.name: lane.backend.id for lane in lanes}
    state = RuntimeState()
    state.of(ids["slow"]).first_output_ms = 900.0
    state.of(ids["quick"]).first_output_ms = 120.4
    quick, slow = ("quick", "first output after 120 ms"), ("slow", "first output after 900 ms")
    assert told(lanes, ask(), state) == [("new", "not measured yet"), quick, slow]
    state.of(ids["new"]).in_flight = 1
    assert told(lanes, ask(), state) == [quick, slow, ("new", "being measured")]


def test_the_cheapest_goes_first_with_multiplier_and_the_unpriced_last() -> None:
    lanes = list(
        lanes_of(
            key("list"),
            key("half", rate_multiplier=500_000),
            key("chat", rate_multipliers={"openai_chat": 250_000}),
            key("unknown"),
            key("free"),
            strategy=Strategy.LOWEST_COST,
            providers=(provider("free", billing_type=BillingType.FREE_TIER),),
            price=Price(2 * DOLLAR, 8 * DOLLAR, 0, 0, 0),
        )
    )
    lanes = [replace(lane, price=None) if lane.backend.provider.id == "unknown" else lane for lane in lanes]
    assert told(tuple(lanes), ask(tokens=10_000)) == [
        ("free", "about $0 for a call of this size"),
        ("chat", "about $0.0100 for a call of this size"),
        ("half", "about $0.0200 for a call of this size"),
        ("list", "about $0.0400 for a call of this size"),
        ("unknown", "has no price"),
    ]


def test_a_fee_per_request_counts_most_for_small_calls() -> None:
    by_token, by_call = lanes_of(key("a"), key("b"), strategy=Strategy.LOWEST_COST)
    lanes = (
        replace(by_token, price=PriceTable(Price(DOLLAR, DOLLAR, 0, 0, 0))),
        replace(by_call, price=PriceTable(Price(0, 0, 0, 0, DOLLAR // 100))),
    )
    assert firsts(lanes, [ask(tokens=100), ask(tokens=100_000)]) == ["a", "b"]


def test_a_warm_backend_goes_first_of_its_tier_and_never_before_an_earlier_one() -> None:
    lanes = lanes_of(
        key("a"), key("b", internal_priority=60), key("c", pool_id="fallback"), key("d", pool_id="fallback", weight=9)
    )
    by_name = {lane.backend.provider.name: lane.backend for lane in lanes}
    for name, expected in (("b", ["b", "a"]), ("c", ["a", "b", "c", "d"])):
        state, wanted = RuntimeState(), ask(session="talk")
        state.affinities.remember(wanted.conversation, by_name[name], world().now)
        found = told(lanes, wanted, state)
        assert [who for who, _ in found][: len(expected)] == expected
        assert dict(found)[name] == WARM
        assert WARM not in dict(told(lanes, ask(session="another"), state)).values()


def test_a_key_that_wants_no_affinity_any_more_gets_none() -> None:
    lanes = lanes_of(key("a"), key("b", internal_priority=60, cache_ttl_minutes=0))
    state, wanted = RuntimeState(), ask(session="talk")
    warm = replace(lanes[1].backend, key=replace(lanes[1].backend.key, cache_ttl_minutes=5))
    state.affinities.remember(wanted.conversation, warm, world().now)
    assert told(lanes, wanted, state) == [("a", ""), ("b", "")]


every_key = st.lists(
    st.builds(
        lambda number, tier, priority, weight, is_active, able: key(
            "abc"[number % 3],
            id=f"k{number}",
            name=f"k{number}",
            pool_id=("primary", "fallback")[tier],
            internal_priority=priority,
            weight=weight,
            is_active=is_active,
            capabilities=able,
            global_priority={"openai_chat": priority} if priority else {},
        ),
        st.integers(0, 20),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([(), ("cache_1h",), ("eu",)]),
    ),
    max_size=10,
    unique_by=lambda one: one.id,
)


@pytest.mark.parametrize("strategy", Strategy)
@given(found=every_key, seed=st.integers(0, 2**32), warm=st.integers(0, 9), wish=st.sampled_from(["", "eu"]))
def test_each_lane_is_taken_or_skipped_once_and_the_warm_one_leads_its_tier(
    strategy: Strategy, found: list[ProviderKey], seed: int, warm: int, wish: str
) -> None:
    lanes = lanes_of(*found, strategy=strategy) if found else ()
    wanted = ask(seed=seed, session="talk", wanted=frozenset({wish} if wish else ()), turn=seed % 7)
    state = RuntimeState()
    if lanes:
        state.affinities.remember(wanted.conversation, lanes[warm % len(lanes)].backend, world().now)

    plans: list[Plan] = [plan_candidates(lanes, wanted, world(state=state)) for _ in range(2)]

    assert plans[0] == plans[1]
    taken = [lane.backend for lane in plans[0].lanes]
    skipped = {one.backend_id for one in plans[0].skips}
    assert sorted([*(one.id for one in taken), *skipped]) == sorted(lane.backend.id for lane in lanes)
    assert [one.pool.tier for one in taken] == sorted(one.pool.tier for one in taken)
    if lanes and (chosen := lanes[warm % len(lanes)].backend).id not in skipped:
        assert next(one for one in taken if one.pool.tier == chosen.pool.tier) == chosen
    assert len(plans[0].considered()) == len(taken)
