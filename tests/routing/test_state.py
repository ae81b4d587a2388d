"""What changes while calls are served: it follows the configuration and forgets only what is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.routing.snapshot import Backend
from gateway.routing.state import BackendState, RestKind, RuntimeState
from tests.routing.build import backend

NOW = 1000.0


def limited_to(rpm: int | None) -> Backend:
    one = backend()
    return replace(one, key=replace(one.key, rpm_limit=rpm))


def taken(state: RuntimeState, rpm: int, most: int = 200, now: float = NOW) -> int:
    bucket = state.bucket(limited_to(rpm), now)
    assert bucket is not None
    return sum(bucket.take(now) for _ in range(most))


def test_a_backend_is_unknown_once_and_the_same_afterwards() -> None:
    state = RuntimeState()
    first = state.of("b")
    assert first == BackendState()
    assert state.of("b") is first


def test_without_a_limit_there_is_no_bucket() -> None:
    state = RuntimeState()
    assert state.bucket(limited_to(None), NOW) is None
    assert state.api_key_bucket("k", None, NOW) is None
    assert state.api_key_buckets == {}


def test_the_same_limit_keeps_the_same_bucket() -> None:
    state = RuntimeState()
    assert state.bucket(limited_to(10), NOW) is state.bucket(limited_to(10), NOW + 5)
    assert state.api_key_bucket("k", 10, NOW) is state.api_key_bucket("k", 10, NOW + 5)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_changed_limit_keeps_what_was_used(first: int, second: int, used: int) -> None:
    state = RuntimeState()
    used = taken(state, first, used)
    assert taken(state, second) == max(0, second - used)


def test_changing_a_limit_there_and_back_is_no_way_around_it() -> None:
    state = RuntimeState()
    assert taken(state, 5) == 5
    for rpm in (50, 5, 50, 5):
        state.bucket(limited_to(rpm), NOW)
    assert taken(state, 5) == 0


def test_a_limit_of_zero_is_a_bucket_that_gives_nothing() -> None:
    assert taken(RuntimeState(), 0, now=NOW + 10_000) == 0


def test_a_limit_that_was_taken_away_takes_its_bucket_along() -> None:
    state = RuntimeState()
    taken(state, 5)
    assert state.bucket(limited_to(None), NOW) is None
    assert state.of(limited_to(None).id).bucket is None

    of_key = state.api_key_bucket("k", 5, NOW)
    assert of_key is not None
    assert of_key.take(NOW)
    assert state.api_key_bucket("k", None, NOW) is None
    assert "k" not in state.api_key_buckets


def test_two_api_keys_have_two_buckets() -> None:
    state = RuntimeState()
    one, other = state.api_key_bucket("k1", 1, NOW), state.api_key_bucket("k2", 1, NOW)
    assert one is not None
    assert other is not None
    assert [one.take(NOW), one.take(NOW), other.take(NOW)] == [True, False, True]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(RestKind)), min_size=1, max_size=20))
def test_a_rest_is_the_longest_that_was_asked_for_with_its_own_reason(rests: list[tuple[float, RestKind]]) -> None:
    state = BackendState()
    for number, (until, kind) in enumerate(rests):
        state.rest(until, str(number), kind)
    longest = max(until for until, _ in rests)
    assert state.resting_until == longest
    assert state.needs_probe
    if longest > 0:
        assert rests[int(state.rest_reason)] == (longest, state.rest_kind)


@pytest.mark.parametrize(("now", "left"), [(NOW, 5.0), (NOW + 4.5, 0.5), (NOW + 5, 0.0), (NOW + 99, 0.0)])
def test_what_is_left_of_a_rest_never_falls_below_zero(now: float, left: float) -> None:
    state = BackendState()
    state.rest(NOW + 5, "HTTP 429")
    assert state.seconds_left(now) == left


def test_a_probe_is_under_way_while_somebody_holds_it() -> None:
    state = BackendState(needs_probe=True)
    assert not state.probing
    state.probe_holder = "c1"
    assert state.probing


def test_an_operators_word_ends_rest_streak_fault_and_probe_and_is_written_down() -> None:
    state = RuntimeState()
    one = state.of("b")
    one.rest(NOW + 300, "HTTP 429", RestKind.QUOTA)
    one.streak, one.fault, one.fault_at_ms, one.probe_holder = 4, "boom", 1, "c1"

    state.clear("b")

    assert (one.resting_until, one.rest_reason, one.streak, one.fault, one.fault_at_ms) == (0.0, "", 0, "", None)
    assert (one.needs_probe, one.probing) == (False, False)
    assert state.dirty == {"b"}


def test_an_operators_word_keeps_counts_calls_in_flight_and_what_was_used() -> None:
    state = RuntimeState()
    one = limited_to(5)
    assert taken(state, 5, 3) == 3
    found = state.of(one.id)
    found.in_flight, found.successes, found.failures = 2, 10, 1

    state.clear(one.id)

    assert (found.in_flight, found.successes, found.failures) == (2, 10, 1)
    assert taken(state, 5) == 2


def test_only_backends_that_are_gone_are_forgotten_and_their_rows_with_them() -> None:
    state = RuntimeState()
    for name in "abc":
        state.of(name).streak = 1

    state.forget_all_but(["b", "never seen"])

    assert set(state.backends) == {"b"}
    assert state.of("b").streak == 1
    assert state.dirty == {"a", "c"}


def test_to_forget_nothing_writes_nothing() -> None:
    state = RuntimeState()
    state.of("a")
    state.forget_all_but(iter(["a"]))
    assert (set(state.backends), state.dirty) == ({"a"}, set())
