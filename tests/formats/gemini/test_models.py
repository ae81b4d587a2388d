from __future__ import annotations

import pytest

from gateway.formats.gemini.models import budget_for, needs_signatures


@pytest.mark.parametrize(
    ("model", "budget", "taken"),
    [
        ("gemini-2.5-flash", 0, 0),
        ("gemini-2.5-flash", 1024, 1024),
        ("gemini-2.5-flash", 32768, 24576),
        ("gemini-2.5-flash-lite", 100, 512),
        ("gemini-2.5-flash-lite", 0, 0),
        ("gemini-2.5-pro", 0, 128),
        ("gemini-2.5-pro", 99999, 32768),
    ],
)
def test_a_budget_becomes_one_that_the_model_takes(model: str, budget: int, taken: int) -> None:
    assert budget_for(model, budget) == taken


def test_newer_models_need_signatures() -> None:
    assert needs_signatures("models/gemini-3-pro-preview")
    assert not needs_signatures("gemini-2.5-pro")
