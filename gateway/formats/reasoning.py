"""How much a model shall think: the word that some formats take and the number of tokens that others do.

The numbers of `low`, `medium` and `high` follow what Google documents for its OpenAI-compatible surface, with room
between `minimal` and `low`; fewer than 1024 tokens no provider takes.
"""

from __future__ import annotations

from gateway.formats.intermediate import Reasoning

LEAST_BUDGET = 1024
BUDGETS = {"none": 0, "minimal": 1024, "low": 2048, "medium": 8192, "high": 24576, "xhigh": 32768, "max": 32768}


def budget_of(reasoning: Reasoning) -> int | None:
    """Tokens; 0 is none at all, None where the request leaves it to the model."""
    return reasoning.budget if reasoning.budget is not None else BUDGETS.get(reasoning.effort)


def effort_of(reasoning: Reasoning) -> str:
    """`none`, `low`, `medium` or `high`, or the word that was given; empty where it is left to the model."""
    budget = reasoning.budget
    if reasoning.effort or budget is None or budget < 0:
        return reasoning.effort
    if budget == 0:
        return "none"
    if budget < (BUDGETS["low"] + BUDGETS["medium"]) // 2:
        return "low"
    return "medium" if budget < (BUDGETS["medium"] + BUDGETS["high"]) // 2 else "high"
