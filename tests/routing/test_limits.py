"""Limits at every level: a refused call consumes nothing, tokens are conserved, and every reason has its seconds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import RateLimited
from gateway.model.calls import Skip
from gateway.routing import bounds, limits
from gateway.routing.adaptive import Adaptive
from gateway.routing.health import Claim, Ending, Verdict, claim, conclude, not_sent
from gateway.routing.limits import Grant
from gateway.routing.quota import Spend
from gateway.routing.rate_limits import LimitClass, Limited
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState
from tests.routing.build import ANYONE, ask, backend, lane, world

NOW = 1000.0
DAY_MS = 86_400_000


def limited_by(**changes: Any) -> Backend:
    """A backend with limits named by their level: `provider_rpm_limit`, `endpoint_max_concurrent`, `key_tpm_limit`."""
    one = backend()
    for name, value in changes.items():
        level, _, field = name.partition("_")
        one = replace(one, **{level: replace(getattr(one, level), **{field: value})})
    return one


def told(one: Backend, state: RuntimeState, now: float = NOW, tokens: int = 0) -> tuple[str, float | None] | None:
    found = limits.full(lane(one), ask(tokens=tokens), world(now, state))
    return None if found is None else (found.reason, found.seconds)


def sent(one: Backend, state: RuntimeState, now: float = NOW, tokens: int = 0) -> Claim:
    found = claim(lane(one), ask(tokens=tokens), f"c{now}{len(state.buckets)}", world(now, state))
    assert isinstance(found, Claim), found
    return found


EMPTY: list[tuple[dict[str, int], str, float]] = [
    ({"provider_rpm_limit": 1}, "provider_rpm_empty", 60),
    ({"endpoint_rpm_limit": 1}, "endpoint_rpm_empty", 60),
    ({"key_rpm_limit": 1}, "rpm_empty", 60),
    ({"key_tpm_limit": 10}, "tpm_empty", 60),
    ({"key_daily_limit": 1}, "daily_empty", 86_400),
    ({"key_monthly_limit": 1}, "monthly_empty", 30 * 86_400),
    ({"provider_concurrent_limit": 1}, "provider_busy", 1),
    ({"endpoint_max_concurrent": 1}, "endpoint_busy", 1),
    ({"key_max_concurrent": 1}, "key_busy", 1),
]


@pytest.mark.parametrize(("changes", "reason", "seconds"), EMPTY, ids=[reason for _, reason, _ in EMPTY])
def test_each_limit_says_its_reason_its_number_and_its_seconds(
    changes: dict[str, int], reason: str, seconds: float
) -> None:
    one, state = limited_by(**changes), RuntimeState()
    sent(one, state, tokens=10)

    found = limits.full(lane(one), ask(tokens=10), world(NOW, state))

    assert found is not None
    assert (found.reason, found.seconds) == (reason, pytest.approx(seconds))
    assert f" {next(iter(changes.values()))} " in found.sentence
    assert isinstance(claim(lane(one), ask(), "c2", world(NOW, state)), Skip)


@pytest.mark.parametrize("name", [next(iter(changes)) for changes, _, _ in EMPTY])
def test_null_is_unlimited_and_zero_admits_nothing(name: str) -> None:
    assert told(limited_by(**{name: None}), RuntimeState()) is None
    found = told(limited_by(**{name: 0}), RuntimeState())
    assert found is not None
    assert (found[0].rpartition("_")[2], found[1]) == ("zero", None)


def test_of_several_reasons_the_one_that_lasts_longest_is_told() -> None:
    one, state = limited_by(key_max_concurrent=1, key_rpm_limit=1, provider_rpm_limit=2), RuntimeState()
    sent(one, state)
    assert told(one, state) == ("rpm_empty", 60)
    assert told(limited_by(key_rpm_limit=1, endpoint_rpm_limit=0), state) == ("endpoint_rpm_zero", None)


def test_a_keys_bucket_is_shared_by_its_endpoints_and_a_providers_by_its_keys() -> None:
    one, state = limited_by(key_rpm_limit=1), RuntimeState()
    elsewhere = replace(one, id="e2:k-a", endpoint=replace(one.endpoint, id="e2"))
    sent(one, state)
    assert told(elsewhere, state) == ("rpm_empty", 60)

    other_key = replace(one, id="e-a:k2", key=replace(one.key, id="k2"))
    assert told(other_key, state) is None


levels = {name: st.none() | st.integers(0, 3) for name in [next(iter(changes)) for changes, _, _ in EMPTY]}
steps = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 9), st.sampled_from(Verdict), st.booleans()), max_size=30)


@given(st.fixed_dictionaries(levels), steps)
def test_a_refused_call_consumes_nothing_at_any_level(
    changes: dict[str, int | None], calls: list[tuple[float, int, Verdict, bool]]
) -> None:
    one, state, now, running = limited_by(**changes), RuntimeState(), NOW, []
    for wait, tokens, verdict, stays in calls:
        now += wait
        for bucket in state.buckets.values():
            bucket.refill(now)
        before = {name: bucket.level for name, bucket in state.buckets.items()}, dict(state.places)
        found = claim(lane(one), ask(tokens=tokens), str(len(running)), world(now, state))
        if isinstance(found, Skip):
            known = {name: state.buckets[name].level for name in before[0]}
            assert (known, state.places) == before
            assert all(bucket.level == bucket.limit for name, bucket in state.buckets.items() if name not in known)
        else:
            running.append(found)
        if running and not stays:
            ending = Ending(verdict, "x", Limited(LimitClass.UNKNOWN, 0.0) if verdict is Verdict.LIMITED else None)
            conclude(running.pop(), ending, world(now, state), 0)
    for claimed in running:
        conclude(claimed, Ending(Verdict.ABANDONED), world(now, state), 0)
    assert state.places == {}
    assert state.of(one.id).in_flight == 0


@given(st.integers(1, 500), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=20))
def test_settled_tokens_are_those_that_were_used(limit: int, calls: list[tuple[int, int]]) -> None:
    """At one moment, so that nothing refills: what is missing from the bucket is what was used."""
    one, state, used_in_all = limited_by(key_tpm_limit=limit), RuntimeState(), 0
    for tokens, used in calls:
        found = claim(lane(one), ask(tokens=tokens), "c", world(NOW, state))
        if isinstance(found, Claim):
            conclude(found, Ending(Verdict.OK), world(NOW, state), 0, first_output_ms=5)
            limits.settle(found.grant, used, state)
            used_in_all += used
            assert state.buckets["key:k-a:tpm"].level == limit - used_in_all


def test_more_tokens_than_the_bucket_holds_go_when_it_is_full() -> None:
    one, state = limited_by(key_tpm_limit=100), RuntimeState()
    found = sent(one, state, tokens=250)
    assert state.buckets["key:k-a:tpm"].level == -150
    conclude(found, Ending(Verdict.OK), world(NOW, state), 0, first_output_ms=5)
    limits.settle(found.grant, 250, state)
    assert told(one, state, tokens=250) == ("tpm_empty", 150.0)
    assert told(one, state, NOW + 149, tokens=250) == ("tpm_empty", pytest.approx(1))
    assert told(one, state, NOW + 150, tokens=250) is None


def test_an_attempt_without_output_gives_its_tokens_back() -> None:
    one, state = limited_by(key_tpm_limit=100, key_rpm_limit=5), RuntimeState()
    conclude(sent(one, state, tokens=60), Ending(Verdict.FAILED, "HTTP 500"), world(NOW, state), 0)
    assert (state.buckets["key:k-a:tpm"].level, state.buckets["key:k-a:rpm"].level) == (100, 4)


def test_what_was_never_sent_was_not_a_request_at_any_level() -> None:
    names = ("provider_rpm_limit", "endpoint_rpm_limit", "key_rpm_limit", "key_daily_limit", "key_monthly_limit")
    one, state = limited_by(**dict.fromkeys(names, 3), key_tpm_limit=9), RuntimeState()
    found = sent(one, state, tokens=4)
    not_sent(found, world(NOW, state))
    conclude(found, Ending(Verdict.FAILED, "could not connect"), world(NOW, state), 0)
    assert [bucket.limit - bucket.level for bucket in state.buckets.values()] == [0] * 6


def test_a_limit_that_is_set_while_calls_run_sees_them() -> None:
    one, state = backend(), RuntimeState()
    running = sent(one, state)
    assert told(limited_by(provider_concurrent_limit=1), state) == ("provider_busy", 1)
    conclude(running, Ending(Verdict.OK), world(NOW, state), 0)
    assert told(limited_by(provider_concurrent_limit=1), state) is None


def test_places_of_a_backend_that_was_deleted_are_free_all_the_same() -> None:
    one, state = backend(), RuntimeState()
    running = sent(one, state)
    state.follow({})
    assert conclude(running, Ending(Verdict.OK), world(NOW, state), 0) is None
    assert state.places == {}


@pytest.mark.parametrize(
    ("quota", "used", "expected"),
    [
        (None, 10**15, None),
        (0, 0, ("quota_exhausted", None)),
        (100, 99, None),
        (100, 100, ("quota_exhausted", 30 * 86_400 - 1000)),
        (100, 500, ("quota_exhausted", 30 * 86_400 - 1000)),
    ],
)
def test_a_quota_ends_when_it_is_used_up(
    quota: int | None, used: int, expected: tuple[str, float | None] | None
) -> None:
    state = RuntimeState(spent={"a": Spend(used, 0)})
    assert told(limited_by(provider_monthly_quota=quota), state) == expected


def test_a_quota_that_has_no_calls_yet_is_whole_and_an_expired_one_is_none() -> None:
    assert told(limited_by(provider_monthly_quota=1), RuntimeState()) is None
    assert told(limited_by(provider_quota_expires_at=999_999), RuntimeState()) == ("quota_expired", None)
    assert told(limited_by(provider_quota_expires_at=1_000_001), RuntimeState()) is None


def test_a_learned_limit_is_enforced_while_it_is_believed_and_only_without_a_number() -> None:
    one, state = backend(), RuntimeState()
    state.learned["k-a"] = Adaptive(limit=5, boundary=6, certainty=0.9, confirmed_at=NOW)
    for _ in range(5):
        sent(one, state)
    assert told(one, state) == ("rpm_learned_empty", 12)
    assert told(limited_by(key_rpm_limit=100), state) is None
    assert told(one, state, NOW + 3700) is None
    state.forget_learned("k-a", 0)
    assert told(one, state) is None
    assert state.dirty.learned == {"k-a"}


def test_when_a_limit_is_learned_the_minute_before_counts() -> None:
    one, state = backend(), RuntimeState()
    ending = Ending(Verdict.LIMITED, "HTTP 429", Limited(LimitClass.REQUESTS, 1.0, 10))
    last = [sent(one, state) for _ in range(9)][-1]
    conclude(last, ending, world(NOW, state), 0)
    conclude(sent(one, state, NOW + 2), ending, world(NOW + 2, state), 0)
    assert told(one, state, NOW + 3) == ("rpm_learned_empty", pytest.approx(60 / 9 - 1))


def test_an_allowance_holds_back_what_would_be_one_too_many() -> None:
    one, state = backend(), RuntimeState()
    state.of(one.id).allowance = 2
    running = [sent(one, state), sent(one, state)]
    assert told(one, state) == ("allowance_full", 1)
    conclude(running[0], Ending(Verdict.OK), world(NOW, state), 0)
    assert told(one, state) is None


REFUSED: list[tuple[dict[str, int], int, float | None, str]] = [
    ({"rpm_limit": 2}, 2, 30, "This API key's limit of 2 requests per minute"),
    ({"tpm_limit": 20}, 2, 30, "This API key's limit of 20 tokens per minute"),
    ({"max_concurrent": 2}, 2, 1, "This API key's limit of 2 calls at once"),
    ({"rpm_limit": 0}, 0, None, "This API key's limit of 0 requests per minute"),
    ({"tpm_limit": 0}, 0, None, "This API key's limit of 0 tokens per minute"),
    ({"max_concurrent": 0}, 0, None, "This API key's limit of 0 calls at once"),
]


@pytest.mark.parametrize(("changes", "admitted", "seconds", "words"), REFUSED, ids=str)
def test_an_api_keys_limit_refuses_with_its_name_and_exact_seconds(
    changes: dict[str, int], admitted: int, seconds: float | None, words: str
) -> None:
    api_key, state = replace(ANYONE, **changes), RuntimeState()
    for _ in range(admitted):
        limits.admit(bounds.of_caller(api_key, None), 10, world(NOW, state))

    with pytest.raises(RateLimited, match=words) as refused:
        limits.admit(bounds.of_caller(api_key, None), 10, world(NOW, state))

    assert refused.value.retry_after == pytest.approx(seconds)
    assert refused.value.retryable is (seconds is not None)
    (field, most), details = next(iter(changes.items())), refused.value.details
    names = {"rpm_limit": "api_key_rpm", "tpm_limit": "api_key_tpm", "max_concurrent": "api_key_concurrent"}
    assert (details["limit"], details["limit_value"]) == (names[field], most)
    assert details["used"] == admitted * (10 if field == "tpm_limit" else 1)
    assert details["resets_in"] == (None if seconds is None else pytest.approx(seconds))
    assert state.places.get("api_key:k", 0) == admitted


def test_what_an_api_key_was_granted_is_given_back_left_and_settled() -> None:
    state = RuntimeState()
    grant = limits.admit(bounds.of_caller(replace(ANYONE, rpm_limit=5, tpm_limit=100), None), 30, world(NOW, state))
    assert grant == Grant(("api_key:k",), ("api_key:k:rpm",), ("api_key:k:tpm",), 30)
    limits.settle(grant, 70, state)
    limits.leave(grant, state)
    assert ({name: bucket.level for name, bucket in state.buckets.items()}, state.places) == (
        {"api_key:k:rpm": 4, "api_key:k:tpm": 30},
        {},
    )
    limits.give_back(grant, state)
    assert state.buckets["api_key:k:rpm"].level == 5
