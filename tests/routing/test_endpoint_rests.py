"""When most keys of one base URL are limited at once, the whole endpoint rests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.model.calls import Skip
from gateway.routing.endpoint_rests import EndpointRest
from gateway.routing.health import Claim, Ending, Verdict, claim, conclude
from gateway.routing.rate_limits import LimitClass, Limited
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState
from tests.routing.build import ask, key, lane, snapshot, world

NOW = 1000.0


def keys(count: int, **changes: object) -> tuple[list[Backend], RuntimeState]:
    """Backends that are keys of one endpoint, and a state that knows them."""
    found = snapshot(*[key("a", id=f"k{number}", name=f"k{number}", **changes) for number in range(count)])
    state = RuntimeState()
    state.follow(found.backends)
    return list(found.backends.values()), state


def limited(seconds: float, limit_class: LimitClass = LimitClass.REQUESTS) -> Ending:
    return Ending(Verdict.LIMITED, "HTTP 429", Limited(limit_class, seconds))


def refuse(one: Backend, state: RuntimeState, now: float, ending: Ending) -> None:
    found = claim(lane(one), ask(), f"{one.id}@{now}", world(now, state))
    assert isinstance(found, Claim), found
    conclude(found, ending, world(now, state), 0)


def why(one: Backend, state: RuntimeState, now: float) -> tuple[str, float | None] | None:
    found = claim(lane(one), ask(), "x", world(now, state))
    return (found.reason, found.seconds) if isinstance(found, Skip) else None


def test_two_of_three_keys_within_a_second_rest_the_third_as_well() -> None:
    (one, two, three), state = keys(3)
    refuse(one, state, NOW, limited(20))
    refuse(two, state, NOW + 0.5, limited(40))
    assert why(three, state, NOW + 1) == ("endpoint_cooling", 39.5)
    assert state.dirty.endpoints == {one.endpoint.base_url}


def test_one_key_half_of_the_keys_or_two_a_while_apart_do_not() -> None:
    for count, waits, ending in ((1, [0.0], limited(20)), (4, [0, 0], limited(20)), (3, [0, 1.5], limited(20))):
        backends, state = keys(count)
        for number, wait in enumerate(waits):
            refuse(backends[number], state, NOW + wait, ending)
        assert state.endpoint_rest(backends[0].endpoint.base_url).seconds_left(NOW + 2) == 0


def test_a_quota_says_nothing_of_the_endpoint() -> None:
    (one, two), state = keys(2)
    for found in (one, two):
        refuse(found, state, NOW, limited(20, LimitClass.QUOTA))
    assert state.endpoint_rests == {}


def test_keys_that_could_not_be_used_anyway_are_not_counted() -> None:
    (one, two, three, four), state = keys(4)
    for resting in (three, four):
        state.of(resting.id).rest(NOW + 500, "an older limit")
    for found in (one, two):
        refuse(found, state, NOW, limited(20))
    assert state.endpoint_rest(one.endpoint.base_url).seconds_left(NOW) == 20


def test_after_the_rest_one_call_goes_first_and_its_success_frees_the_endpoint() -> None:
    (one, two, three), state = keys(3)
    for found in (one, two):
        refuse(found, state, NOW, limited(20))
    probe = claim(lane(three), ask(), "probe", world(NOW + 20, state))
    assert isinstance(probe, Claim)
    assert why(one, state, NOW + 20) == ("endpoint_probing", 1.0)

    conclude(probe, Ending(Verdict.OK), world(NOW + 21, state), 0)

    assert why(one, state, NOW + 21) is None
    assert not state.endpoint_rest(one.endpoint.base_url).needs_probe


def test_a_probe_that_meets_the_limit_again_rests_the_endpoint_again() -> None:
    (one, two, three), state = keys(3)
    for found in (one, two):
        refuse(found, state, NOW, limited(20))
    refuse(three, state, NOW + 20, limited(30))
    assert why(one, state, NOW + 21) == ("endpoint_cooling", 29.0)


def test_a_probe_whose_client_left_lets_another_one_try() -> None:
    (one, two), state = keys(2)
    for found in (one, two):
        refuse(found, state, NOW, limited(20))
    refuse(one, state, NOW + 20, Ending(Verdict.ABANDONED))
    assert why(two, state, NOW + 20) is None
    assert state.endpoint_rest(one.endpoint.base_url).needs_probe


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 500)), max_size=20))
def test_a_deadline_never_moves_earlier(steps: list[tuple[float, float]]) -> None:
    rest, now, latest = EndpointRest(), 0.0, 0.0
    for wait, seconds in steps:
        now += wait
        rest.rest(now + seconds, "test")
        assert rest.resting_until >= latest
        latest = rest.resting_until


class Crowd(RuleBasedStateMachine):
    """Calls for three keys of one endpoint come and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.backends, self.state = keys(3)
        self.rest = self.state.endpoint_rest(self.backends[0].endpoint.base_url)
        self.now, self.count = NOW, 0
        self.open: list[Claim] = []
        self.probes: set[str] = set()

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(index=st.integers(0, 2))
    def a_call_comes(self, index: int) -> None:
        self.count += 1
        was_probe = self.rest.needs_probe
        found = claim(lane(self.backends[index]), ask(), str(self.count), world(self.now, self.state))
        if isinstance(found, Claim):
            assert self.rest.seconds_left(self.now) == 0
            self.open.append(found)
            if was_probe:
                self.probes.add(found.id)

    @precondition(lambda self: bool(self.open))
    @rule(
        index=st.integers(0, 50),
        ending=st.sampled_from([Ending(Verdict.OK), limited(10), Ending(Verdict.ABANDONED), limited(0.5)]),
    )
    def a_call_ends(self, index: int, ending: Ending) -> None:
        found = self.open.pop(index % len(self.open))
        conclude(found, ending, world(self.now, self.state), 0)
        self.probes.discard(found.id)
        if not self.rest.needs_probe:
            self.probes.clear()  # answered for: whoever is still out is no probe any more

    @invariant()
    def at_most_one_probe(self) -> None:
        assert len(self.probes) <= 1

    @invariant()
    def every_place_is_held_by_a_call(self) -> None:
        assert self.state.places.get("endpoint:e-a", 0) == len(self.open)


TestCrowd = Crowd.TestCase
