"""Backends of another API format: which can serve a call, and where they come."""

from __future__ import annotations

from itertools import product

import pytest
from msgspec.structs import replace

from gateway.model.registry import TRANSLATABLE, ApiFormat, Translated
from gateway.routing.candidates import Plan, plan_candidates
from gateway.routing.order import WARM
from gateway.routing.snapshot import Lane
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask
from tests.routing.build import FALLBACK, PRIMARY, ask, backend, world

CHAT, MESSAGES, EMBEDDINGS = ApiFormat.OPENAI_CHAT, ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.OPENAI_EMBEDDINGS


def lane_in(name: str, api_format: ApiFormat, *, tier: int = 0, translated: Translated = Translated.LAST) -> Lane:
    made = backend(name)
    pool = replace(PRIMARY if tier == 0 else FALLBACK, translated=translated)
    return Lane(replace(made, endpoint=replace(made.endpoint, api_format=api_format), pool=pool), "m")


def planned(*lanes: Lane, wanted: Ask | None = None, state: RuntimeState | None = None) -> Plan:
    return plan_candidates(lanes, wanted or ask(), world(state=state))


def names(plan: Plan) -> list[str]:
    return [lane.backend.provider.name for lane in plan.lanes]


@pytest.mark.parametrize(("asked", "spoken"), list(product(ApiFormat, repeat=2)))
def test_a_format_serves_itself_and_conversations_each_other(asked: ApiFormat, spoken: ApiFormat) -> None:
    serves = asked is spoken or (asked in TRANSLATABLE and spoken in TRANSLATABLE)
    plan = planned(lane_in("a", spoken), wanted=ask(api_format=asked))
    assert names(plan) == (["a"] if serves else [])
    assert plan.skips == ()


def test_the_calls_own_format_comes_first_even_from_a_later_pool() -> None:
    plan = planned(lane_in("translated", MESSAGES), lane_in("own", CHAT), lane_in("spare", CHAT, tier=1))
    assert names(plan) == ["own", "spare", "translated"]


def test_a_pool_may_give_them_their_place_among_the_others() -> None:
    translated = lane_in("translated", MESSAGES, translated=Translated.EQUAL)
    plan = planned(lane_in("spare", CHAT, tier=1), translated)
    assert names(plan) == ["translated", "spare"]


def test_a_pool_may_leave_them_out_and_says_so() -> None:
    never = lane_in("never", MESSAGES, translated=Translated.NEVER)
    plan = planned(never, lane_in("own", CHAT, translated=Translated.NEVER))
    assert names(plan) == ["own"]
    assert [(found.reason, found.seconds) for found in plan.skips] == [("translation_off", None)]
    assert "anthropic_messages" in plan.skips[0].sentence


def test_what_must_stay_in_its_format_goes_nowhere_else() -> None:
    plan = planned(lane_in("a", MESSAGES), lane_in("b", CHAT), wanted=ask(stays=True))
    assert (names(plan), plan.skips) == (["b"], ())


def test_the_warm_backend_goes_first_of_those_that_are_translated() -> None:
    state = RuntimeState()
    lanes = [lane_in(name, MESSAGES) for name in ("a", "b", "c")]
    wanted = ask(session="s")
    state.affinities.remember(wanted.conversation, lanes[2].backend, 1000.0)
    plan = planned(*lanes, lane_in("own", CHAT), wanted=wanted, state=state)
    assert names(plan)[:2] == ["own", "c"]
    assert plan.whys[1] == WARM


def test_an_endpoint_that_speaks_something_else_is_no_candidate_and_no_skip() -> None:
    plan = planned(lane_in("chat", CHAT), lane_in("vectors", EMBEDDINGS))
    assert (names(plan), plan.skips) == (["chat"], ())
