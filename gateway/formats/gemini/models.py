"""What Gemini's models differ in, told by the provider's name of the model: nothing else of it is known here."""

from __future__ import annotations

_BUDGETS = {"pro": (128, 32768), "flash-lite": (512, 24576)}
_BUDGET = (1, 24576)  # flash, and whatever has another name


def budget_for(model: str, budget: int) -> int:
    """A budget of thoughts that the model takes, as Google documents them: not all of them can do without thoughts."""
    name = model.lower()
    least, most = next((bounds for word, bounds in _BUDGETS.items() if word in name), _BUDGET)
    if budget == 0 and "pro" not in name:
        return 0
    return min(max(budget, least), most)


def needs_signatures(model: str) -> bool:
    """Whether the model refuses calls in the conversation that no signature of its own stands on."""
    return "gemini-3" in model.lower()
