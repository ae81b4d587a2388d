"""What configuration says of calls is worked out once, and says the same as if it were not."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.errors import BadInput, Forbidden, ModelNotFound
from gateway.model.people import ApiKey
from gateway.model.registry import ApiFormat
from gateway.routing.candidates import Plan, plan_candidates, plan_sifted
from gateway.routing.outlook import Outlook, Outlooks, Question
from gateway.routing.purposes import Purpose
from gateway.routing.snapshot import Snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import Ask
from tests.routing.build import ANYONE, ask, key, model, provider, snapshot, world

M = Question(ApiFormat.OPENAI_CHAT, "m")
CHANGES: list[dict[str, Any]] = [
    {},
    {"is_active": False},
    {"weight": 0},
    {"rpm_limit": 0},
    {"rpm_limit": 1},
    {"max_concurrent": 0},
    {"expires_at": 1},
    {"expires_at": 10**15},
    {"allowed_models": ()},
    {"capabilities": ("cache_1h",)},
    {"env_name": "NOT_SET"},
]


class Here:
    """A snapshot that can be changed."""

    def __init__(self, now: Snapshot) -> None:
        self.now = now
        self.outlooks = Outlooks(lambda: self.now)

    def of(self, api_key: ApiKey = ANYONE, question: Question = M) -> Outlook:
        return self.outlooks.of(api_key, question)


def planned(outlook: Outlook, wanted: frozenset[str], state: RuntimeState) -> tuple[Plan, Plan]:
    """By way of the outlook, and without."""
    there = world(state=state)
    fitting = outlook.fitting("", wanted, there)
    asked: Ask = ask(model=outlook.target.model, wanted=fitting.wanted, seed=7)
    return plan_sifted(fitting.lanes, asked, there), plan_candidates(outlook.target.lanes, asked, there)


@given(
    st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4),
    st.sets(st.sampled_from(["cache_1h", "vision"])),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.0, 5.0, 50.0])), max_size=3),
)
def test_a_plan_by_way_of_an_outlook_is_the_plan_without(
    changes: list[dict[str, Any]], wanted: set[str], rests: list[tuple[int, float]]
) -> None:
    keys = [key(f"p{number}", **change) for number, change in enumerate(changes)]
    here, state = Here(snapshot(*keys)), RuntimeState()
    for _ in range(2):
        one, other = planned(here.of(), frozenset(wanted), state)
        assert one == other
        for number, seconds in rests:
            backend = f"e-p{number}:k-p{number}"
            if backend in here.now.backends:
                state.of(backend).rest(world().now + seconds, "asked to")


def test_the_same_question_has_the_same_outlook_until_the_configuration_changes() -> None:
    here = Here(snapshot(key("a")))
    first = here.of()
    assert here.of() is first and here.of().fitting("", frozenset(), world()) is first.fitting("", frozenset(), world())

    here.now = snapshot(key("a"), key("b"))
    assert [lane.backend.provider.name for lane in here.of().target.lanes] == ["a", "b"]
    here.now = snapshot(key("a", is_active=False))
    assert planned(here.of(), frozenset(), RuntimeState())[0].lanes == ()


def test_each_caller_has_its_own() -> None:
    here = Here(snapshot(key("a"), key("b")))
    narrow = replace(ANYONE, id="narrow", allowed_providers=("b",))
    plans = [planned(here.of(api_key), frozenset(), RuntimeState())[0] for api_key in (ANYONE, narrow)]
    assert [len(plan.skips) for plan in plans] == [0, 1]
    # The same id with other rights, as a key has that was changed.
    wider = replace(narrow, allowed_providers=None)
    assert here.of(wider).caller.api_key is wider


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (M, Question(ApiFormat.ANTHROPIC_MESSAGES, "m")),
        (M, Question(ApiFormat.OPENAI_CHAT, "n")),
        (M, Question(ApiFormat.OPENAI_CHAT, "m", "count")),
        (M, Question(ApiFormat.OPENAI_CHAT, "m", "", Purpose(agent="coder"))),
    ],
)
def test_other_questions_have_others(one: Question, other: Question) -> None:
    here = Here(snapshot(key("a"), models=(model("m"), model("n"))))
    found = {id(here.of(question=question)) for question in (one, other, one, other)}
    assert len(found) == 2


def test_what_is_refused_is_refused_each_time() -> None:
    here = Here(snapshot(key("a")))
    for _, (api_key, question, error) in product(
        range(2),
        [
            (replace(ANYONE, allowed_formats=()), M, Forbidden),
            (replace(ANYONE, allowed_models=()), M, ModelNotFound),
            (ANYONE, Question(ApiFormat.OPENAI_CHAT, "unknown"), ModelNotFound),
        ],
    ):
        with pytest.raises(error):
            here.of(api_key, question)
    with pytest.raises(BadInput, match="kept by a backend"):
        here.of().pinned("elsewhere")


def test_names_that_clients_make_up_do_not_fill_the_memory() -> None:
    here = Here(snapshot(key("a"), providers=(provider("a"),)))
    for number in range(20_000):
        here.of(question=Question(ApiFormat.OPENAI_CHAT, f"a/made-up-{number}"))
    assert len(here.outlooks._known) == 16_384
    outlook = here.of()
    for number in range(200):
        outlook.fitting("", frozenset({f"word{number}"}), world())
    assert len(outlook._fittings) <= 64
