"""How much Claude shall think, in the form that each model takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.intermediate import Reasoning
from gateway.formats.messages.models import traits_of
from gateway.formats.messages.thinking import Bounds, Plan, planned

BUDGETS = traits_of("claude-sonnet-4-5")
EFFORTS = traits_of("claude-sonnet-4-6")
ALL_EFFORTS = traits_of("claude-opus-4-8")
WIDE = Bounds(64_000, may_think=True, may_budget=True)
ADAPTIVE = {"type": "adaptive"}


def budget(tokens: int, **fields: Any) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens, **fields}


@pytest.mark.parametrize(
    ("reasoning", "plan"),
    [
        (None, Plan()),
        (Reasoning(), Plan()),
        (Reasoning(effort="none"), Plan({"type": "disabled"})),
        (Reasoning(budget=0), Plan({"type": "disabled"})),
        (Reasoning(effort="low"), Plan(budget(2048))),
        (Reasoning(effort="high", is_shown=False), Plan(budget(24576, display="omitted"))),
        (Reasoning(budget=5000, is_shown=True), Plan(budget(5000, display="summarized"))),
        (Reasoning(effort="low", budget=5000), Plan(budget(5000), "low")),
        (Reasoning(budget=500), Plan(budget(1024), is_exact=False)),
        (Reasoning(budget=-1), Plan(is_exact=False)),
        (Reasoning(effort="galactic"), Plan(is_exact=False)),
    ],
)
def test_older_models_think_in_tokens(reasoning: Reasoning | None, plan: Plan) -> None:
    assert planned(reasoning, BUDGETS, WIDE) == plan


@pytest.mark.parametrize(
    ("reasoning", "plan"),
    [
        (Reasoning(), Plan(ADAPTIVE)),
        (Reasoning(effort="none"), Plan({"type": "disabled"})),
        (Reasoning(effort="minimal"), Plan(ADAPTIVE, "low")),
        (Reasoning(effort="medium", summary="auto"), Plan({**ADAPTIVE, "display": "summarized"}, "medium")),
        (Reasoning(effort="xhigh"), Plan(ADAPTIVE, "xhigh")),
        (Reasoning(budget=8192), Plan(ADAPTIVE, "medium")),
        (Reasoning(budget=-1), Plan(ADAPTIVE)),
        (Reasoning(effort="galactic"), Plan(is_exact=False)),
    ],
)
def test_newer_models_think_by_effort(reasoning: Reasoning, plan: Plan) -> None:
    assert planned(reasoning, ALL_EFFORTS, WIDE) == plan


def test_the_highest_efforts_are_known_to_the_newest_models_only() -> None:
    assert planned(Reasoning(effort="xhigh"), EFFORTS, WIDE) == Plan(ADAPTIVE, "high", is_exact=False)


@pytest.mark.parametrize("traits", [BUDGETS, ALL_EFFORTS])
def test_a_model_does_not_think_where_a_tool_is_forced(traits: Any) -> None:
    bounds = Bounds(64_000, may_think=False, may_budget=True)

    assert planned(Reasoning(effort="high"), traits, bounds) == Plan(is_exact=False)
    assert planned(Reasoning(effort="none"), traits, bounds).is_exact


def test_a_turn_that_began_without_a_thought_goes_on_without_a_budget() -> None:
    bounds = Bounds(64_000, may_think=True, may_budget=False)

    assert planned(Reasoning(effort="high"), BUDGETS, bounds) == Plan(is_exact=False)
    assert planned(Reasoning(effort="high"), ALL_EFFORTS, bounds).is_on


@given(st.integers(min_value=1, max_value=100_000), st.integers(min_value=1, max_value=100_000))
def test_a_budget_is_within_the_limits_or_not_there(most: int, asked: int) -> None:
    plan = planned(Reasoning(budget=asked), BUDGETS, Bounds(most, may_think=True, may_budget=True))

    assert plan.is_exact == (1024 <= asked < most)
    assert not plan.is_on or 1024 <= plan.budget < most
    assert plan.is_on or most <= 1024
