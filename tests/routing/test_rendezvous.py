"""Every caller has its own order, and it moves as little as it can."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.rendezvous import distance, first_of

CALLERS = [f"caller {number}" for number in range(2000)]
NAMES = ("a", "b", "c", "d")


@given(st.text(), st.text(), st.floats(0.01, 1e6))
def test_a_distance_is_a_number_that_is_not_negative(caller: str, name: str, weight: float) -> None:
    assert 0 <= distance(caller, name, weight) < float("inf")
    assert distance(caller, name, weight) == distance(caller, name, weight)


def test_callers_are_spread_evenly_among_equals() -> None:
    firsts = [first_of(NAMES, caller) for caller in CALLERS]

    assert all(420 < firsts.count(name) < 580 for name in NAMES)


def test_twice_the_weight_gets_twice_as_many() -> None:
    weights = {"a": 1, "b": 2, "c": 1}
    firsts = [min(weights, key=lambda name: distance(caller, name, weights[name])) for caller in CALLERS]

    assert 900 < firsts.count("b") < 1100


def test_only_those_of_one_that_leaves_move() -> None:
    for caller in CALLERS:
        before, after = first_of(NAMES, caller), first_of(NAMES[:3], caller)
        assert after == before or before == "d"
