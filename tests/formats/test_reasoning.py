"""Words for how much to think, and numbers of tokens."""

from __future__ import annotations

import pytest

from gateway.formats.intermediate import Reasoning
from gateway.formats.reasoning import BUDGETS, budget_of, effort_of


@pytest.mark.parametrize("word", ["none", "low", "medium", "high"])
def test_a_word_survives_being_told_in_tokens(word: str) -> None:
    assert effort_of(Reasoning(budget=budget_of(Reasoning(effort=word)))) == word


@pytest.mark.parametrize(
    ("budget", "word"),
    [(0, "none"), (1, "low"), (1024, "low"), (5119, "low"), (5120, "medium"), (16383, "medium"), (16384, "high")],
)
def test_a_budget_becomes_the_nearest_word(budget: int, word: str) -> None:
    assert effort_of(Reasoning(budget=budget)) == word


def test_what_is_left_to_the_model_stays_so() -> None:
    assert budget_of(Reasoning()) is None
    assert effort_of(Reasoning()) == ""
    assert effort_of(Reasoning(budget=-1)) == ""
    assert budget_of(Reasoning(effort="strange")) is None


def test_a_word_that_was_given_is_kept() -> None:
    assert [effort_of(Reasoning(effort=word, budget=5)) for word in BUDGETS] == list(BUDGETS)


def test_more_is_never_less() -> None:
    assert sorted(BUDGETS.values()) == list(BUDGETS.values())
