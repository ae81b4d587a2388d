"""How much Claude shall think, in the form that each model takes, and within its limits."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.formats.intermediate import Reasoning
from gateway.formats.messages.models import Traits
from gateway.formats.reasoning import LEAST_BUDGET, budget_of, effort_of

DROPPED = "reasoning_effort"
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_NEAREST = {"minimal": "low"}
_ONLY_NEW = frozenset({"xhigh", "max"})


class Plan(msgspec.Struct, frozen=True):
    """Fields of the request: `thinking`, None for none, and `effort` of `output_config`, empty for none.

    `is_exact` tells whether that is what was asked for. `budget` are tokens of the answer that thinking may take.
    """

    thinking: dict[str, Any] | None = None
    effort: str = ""
    is_exact: bool = True

    @property
    def is_on(self) -> bool:
        return self.thinking is not None and self.thinking["type"] != "disabled"

    @property
    def budget(self) -> int:
        return self.thinking.get("budget_tokens", 0) if self.thinking else 0


class Bounds(msgspec.Struct, frozen=True):
    """`most` tokens can be answered, None where nobody said. `may_think` is whether the rest of the request allows it:
    a forced tool does not, and `may_budget` whether it allows to begin in the midst of a turn without a thought.
    """

    most: int | None
    may_think: bool
    may_budget: bool


def planned(reasoning: Reasoning | None, traits: Traits, bounds: Bounds) -> Plan:
    """What to ask the model for."""
    if reasoning is None:
        return Plan()
    if effort_of(reasoning) == "none":
        return Plan({"type": "disabled"})
    if not bounds.may_think:
        return Plan(is_exact=False)
    if traits.thinks_by_effort:
        return _adaptive(reasoning, traits)
    return _budgeted(reasoning, bounds)


def _adaptive(reasoning: Reasoning, traits: Traits) -> Plan:
    asked = effort_of(reasoning)
    effort = _NEAREST.get(asked, asked)
    if effort in _ONLY_NEW and not traits.most_effort:
        return Plan(_shown({"type": "adaptive"}, reasoning), "high", is_exact=False)
    if effort and effort not in _EFFORTS:
        return Plan(is_exact=False)
    return Plan(_shown({"type": "adaptive"}, reasoning), effort)


def _budgeted(reasoning: Reasoning, bounds: Bounds) -> Plan:
    """A budget that is too small or too large is taken to the nearest that is allowed."""
    asked = budget_of(reasoning)
    if asked is None or asked < 0:
        return Plan(is_exact=reasoning == Reasoning())
    budget = max(asked, LEAST_BUDGET)
    if bounds.most is not None and budget >= bounds.most:
        budget = max(bounds.most * 4 // 5, LEAST_BUDGET)
    if not bounds.may_budget or bounds.most is not None and budget >= bounds.most:
        return Plan(is_exact=False)
    effort = reasoning.effort if reasoning.budget is not None and reasoning.effort in _EFFORTS else ""
    return Plan(_shown({"type": "enabled", "budget_tokens": budget}, reasoning), effort, budget == asked)


def _shown(thinking: dict[str, Any], reasoning: Reasoning) -> dict[str, Any]:
    is_shown = True if reasoning.is_shown is None and reasoning.summary else reasoning.is_shown
    if is_shown is None:
        return thinking
    return {**thinking, "display": "summarized" if is_shown else "omitted"}
