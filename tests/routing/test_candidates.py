from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.registry import ModelStatus
from gateway.routing.candidates import plan_candidates, soonest_recovery
from gateway.routing.health import Claim, claim
from gateway.routing.snapshot import Snapshot
from gateway.routing.state import RuntimeState
from tests.routing.build import ask, key, lane, model, provider, snapshot, world


def names(found: Snapshot, seed: int = 1) -> list[str]:
    wanted = ask(seed=seed, session=f"conversation {seed}")
    return [lane.backend.provider.name for lane in plan_candidates(found.lanes["m"], wanted, world()).lanes]


def test_pools_come_by_tier_then_provider_then_key_priority() -> None:
    found = snapshot(
        key("spare", pool_id="fallback"),
        key("second", internal_priority=60),
        key("third", id="k3"),
        key("first", internal_priority=40),
        providers=(provider("third", priority=70), provider("spare", priority=0)),
    )
    assert names(found) == ["first", "second", "third", "spare"]


def test_weights_share_the_first_place_among_equals() -> None:
    found = snapshot(key("heavy", weight=3), key("light", weight=1), key("never", weight=0))
    firsts = [names(found, seed)[0] for seed in range(2000)]
    assert 0.7 < firsts.count("heavy") / 2000 < 0.8
    assert all("never" not in names(found, seed) for seed in range(50))


REASONS: list[tuple[str, dict[str, Any]]] = [
    ("inactive", {"is_active": False}),
    ("weight_zero", {"weight": 0}),
    ("env_missing", {"env_name": "UNSET_API_KEY"}),
    ("key_unbound", {"masked": "sk-a…wxyz"}),
    ("key_unbound", {"masked": "sk-a…wxyz", "bound_origin": "https://elsewhere.test:443"}),
    ("key_unbound", {"masked": "env:SET_API_KEY", "env_name": "SET_API_KEY", "bound_origin": "http://out.test:80"}),
    ("rpm_zero", {"rpm_limit": 0}),
]


@pytest.mark.parametrize(("reason", "changes"), REASONS)
def test_each_reason_alone_takes_a_backend_out_and_is_said(reason: str, changes: dict[str, Any]) -> None:
    found = snapshot(key("out", **changes), key("in"))
    plan = plan_candidates(found.lanes["m"], ask(), world())
    assert [lane.backend.provider.name for lane in plan.lanes] == ["in"]
    assert [(skip.backend, skip.reason, skip.seconds) for skip in plan.skips] == [("out/main", reason, None)]
    assert plan.skips[0].sentence.endswith(".")


def test_an_inactive_provider_takes_its_backends_out() -> None:
    found = snapshot(key("off"), providers=(provider("off", is_active=False),))
    assert names(found) == []


def test_a_set_environment_variable_keeps_a_backend_in() -> None:
    assert names(snapshot(key("a", env_name="SET_API_KEY", bound_origin="https://a.test:443"))) == ["a"]


def test_rests_and_empty_buckets_say_when_they_end() -> None:
    found = snapshot(key("cool"), key("empty", rpm_limit=1), key("free", pool_id="fallback"))
    state = RuntimeState()
    now = world(state=state)
    cool, empty = found.lanes["m"][0].backend, found.lanes["m"][1].backend
    state.of(cool.id).rest(now.now + 41, "HTTP 429")
    assert isinstance(claim(lane(empty), ask(), "c1", now), Claim)

    plan = plan_candidates(found.lanes["m"], ask(), now)

    assert {skip.reason: skip.seconds for skip in plan.skips} == {"cooling": 41.0, "rpm_empty": pytest.approx(60.0)}
    assert soonest_recovery(plan.skips) == 41.0


keys = st.lists(
    st.builds(
        lambda name, tier, priority, weight, is_active, rpm, rests: (
            key(
                name,
                id=f"{name}{tier}{priority}{weight}",
                name=f"{name}{tier}{priority}{weight}",
                pool_id=("primary", "fallback")[tier],
                internal_priority=priority,
                weight=weight,
                is_active=is_active,
                rpm_limit=rpm,
            ),
            rests,
        ),
        st.sampled_from("abc"),
        st.integers(0, 1),
        st.integers(0, 2),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([None, 0, 5]),
        st.floats(-5, 5),
    ),
    max_size=8,
    unique_by=lambda pair: pair[0].id,
)


@given(keys, st.integers())
def test_a_plan_is_the_same_for_a_seed_and_never_holds_a_skipped_backend(found: list[Any], seed: int) -> None:
    built = snapshot(*[one for one, _ in found])
    state = RuntimeState()
    for one, rests in found:
        state.of(f"e-{one.provider_id}:{one.id}").rest(1000.0 + rests, "test")
    lanes = built.lanes.get("m", ())

    first = plan_candidates(lanes, ask(seed=seed), world(state=state))
    second = plan_candidates(lanes, ask(seed=seed), world(state=state))

    assert first == second
    skipped = {skip.backend_id for skip in first.skips}
    taken = [lane.backend.id for lane in first.lanes]
    assert not skipped & set(taken)
    assert len(taken) + len(skipped) == len(lanes)
    tiers = [lane.backend.pool.tier for lane in first.lanes]
    assert tiers == sorted(tiers)


def test_only_enabled_models_with_an_enabled_backend_are_shown() -> None:
    found = snapshot(
        key("a"),
        models=(model("m"), model("draft", status=ModelStatus.DRAFT), model("old", status=ModelStatus.DEPRECATED)),
    )
    assert [one.code for one in found.serving_models()] == ["m"]
    assert not snapshot(key("a", is_active=False)).serving_models()


def test_chance_is_an_argument() -> None:
    assert Random(1).random() == world().rng.random()
