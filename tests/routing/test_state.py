"""What changes while calls are served: it follows the configuration and forgets only what is gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.routing.state import BackendState, Dirty, RestKind, RuntimeState
from tests.routing.build import backend

NOW = 1000.0


def taken(state: RuntimeState, limit: int, most: int = 200, now: float = NOW) -> int:
    bucket = state.bucket("key:k:rpm", limit, now)
    assert bucket is not None
    return sum(bucket.take(now) for _ in range(most))


def test_a_backend_is_unknown_once_and_the_same_afterwards() -> None:
    state = RuntimeState()
    first = state.of("b")
    assert first == BackendState()
    assert state.of("b") is first


def test_without_a_limit_there_is_no_bucket() -> None:
    state = RuntimeState()
    assert state.bucket("key:k:rpm", None, NOW) is None
    assert (state.buckets, bool(state.dirty)) == ({}, False)


def test_the_same_limit_keeps_the_same_bucket() -> None:
    state = RuntimeState()
    assert state.bucket("x", 10, NOW) is state.bucket("x", 10, NOW + 5)


@given(st.integers(1, 100), st.integers(0, 100), st.integers(0, 100))
def test_a_changed_limit_keeps_what_was_used(first: int, second: int, used: int) -> None:
    state = RuntimeState()
    used = taken(state, first, used)
    assert taken(state, second) == max(0, second - used)


def test_changing_a_limit_there_and_back_is_no_way_around_it() -> None:
    state = RuntimeState()
    assert taken(state, 5) == 5
    for limit in (50, 5, 50, 5):
        state.bucket("key:k:rpm", limit, NOW)
    assert taken(state, 5) == 0


def test_a_limit_of_zero_is_a_bucket_that_gives_nothing() -> None:
    assert taken(RuntimeState(), 0, now=NOW + 10_000) == 0


def test_a_limit_that_was_taken_away_takes_its_bucket_along() -> None:
    state = RuntimeState()
    taken(state, 5)
    assert state.bucket("key:k:rpm", None, NOW) is None
    assert (state.buckets, state.dirty.buckets) == ({}, {"key:k:rpm"})


def test_two_names_have_two_buckets() -> None:
    state = RuntimeState()
    one, other = state.bucket("k1", 1, NOW), state.bucket("k2", 1, NOW)
    assert one is not None
    assert other is not None
    assert [one.take(NOW), one.take(NOW), other.take(NOW)] == [True, False, True]


@pytest.mark.parametrize(("limit", "level"), [(60, 40.0), (20, 16.666), (600, 130.0)])
def test_what_was_left_before_a_restart_is_where_a_bucket_begins(limit: int, level: float) -> None:
    state = RuntimeState(kept_levels={"x": (30.0, NOW - 10)})
    bucket = state.bucket("x", limit, NOW)
    assert bucket is not None
    bucket.refill(NOW)
    assert bucket.level == pytest.approx(min(level, limit), abs=4)
    assert state.kept_levels == {}


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
    assert state.dirty.backends == {"b"}


def test_an_operators_word_keeps_counts_and_calls_in_flight() -> None:
    state = RuntimeState()
    found = state.of("b")
    found.in_flight, found.successes, found.failures, found.allowance = 2, 10, 1, 3

    state.clear("b")

    assert (found.in_flight, found.successes, found.failures, found.allowance) == (2, 10, 1, None)


def test_an_operators_word_for_a_backend_ends_its_endpoints_rest_as_well() -> None:
    state, one, other = RuntimeState(), backend("a"), backend("b")
    state.follow({one.id: one, other.id: other})
    for found in (one, other):
        state.endpoint_rest(found.endpoint.base_url).rest(NOW + 9, "limited")

    state.clear(one.id)

    left = [state.endpoint_rest(found.endpoint.base_url).seconds_left(NOW) for found in (one, other)]
    assert left == [0, 9]
    assert state.dirty.endpoints == {one.endpoint.base_url}


def test_only_what_is_gone_is_forgotten_and_its_rows_with_it() -> None:
    state, kept = RuntimeState(), backend("b")
    for name in ("a", kept.id, "c"):
        state.of(name).streak = 1
    for key_id in ("gone", kept.key.id):
        state.learned_of(key_id).sent(NOW)
    for name in ("key:gone:rpm", f"key:{kept.key.id}:rpm", "api_key:gone:rpm", "provider:gone:rpm"):
        state.bucket(name, 5, NOW)
    state.kept_levels["key:gone:daily"] = (1.0, NOW)
    for base_url in ("https://gone", kept.endpoint.base_url):
        state.endpoint_rest(base_url).rest(NOW + 9, "limited")

    state.follow({kept.id: kept})

    assert (set(state.backends), set(state.learned)) == ({kept.id}, {kept.key.id})
    assert set(state.endpoint_rests) == {kept.endpoint.base_url}
    assert list(state.buckets) == [f"key:{kept.key.id}:rpm", "api_key:gone:rpm", "provider:gone:rpm"]
    assert state.dirty == Dirty({"a", "c"}, {"key:gone:rpm", "key:gone:daily"}, {"https://gone"}, {"gone"})


def test_to_forget_nothing_writes_nothing() -> None:
    state, kept = RuntimeState(), backend("a")
    state.of(kept.id)
    state.follow({kept.id: kept})
    assert (set(state.backends), bool(state.dirty)) == ({kept.id}, False)


def test_backends_of_one_base_url_know_each_other() -> None:
    state, one, other = RuntimeState(), backend("a"), backend("b")
    twin = replace(one, id="twin", key=replace(one.key, id="k2"))
    state.follow({found.id: found for found in (one, other, twin)})
    assert state.neighbours == {one.endpoint.base_url: (one, twin), other.endpoint.base_url: (other,)}


def test_what_is_dirty_is_taken_once_and_may_be_put_back() -> None:
    dirty = Dirty({"a"}, {"x"})
    taken = dirty.take()
    assert not dirty
    dirty.backends.add("b")
    dirty.put_back(taken)
    assert dirty == Dirty({"a", "b"}, {"x"})


def test_averages_may_be_left_for_later() -> None:
    dirty = Dirty({"a"}, averages={"b"})
    assert dirty.take(with_averages=False) == Dirty({"a"})
    assert (bool(dirty), dirty.is_urgent) == (True, False)
    taken = dirty.take()
    assert (taken, bool(dirty)) == (Dirty(averages={"b"}), False)
    dirty.put_back(taken)
    assert dirty == Dirty(averages={"b"})
