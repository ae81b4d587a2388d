"""What Claude models take, told by their names."""

from __future__ import annotations

import pytest

from gateway.formats.messages.models import traits_of


@pytest.mark.parametrize(
    ("model", "by_effort", "sampling", "both"),
    [
        ("claude-opus-4-8", True, False, False),
        ("claude-opus-4-7-20260416", True, False, False),
        ("anthropic/claude-4.7-opus", True, False, False),
        ("claude-sonnet-5", True, False, False),
        ("claude-fable-5-1", True, False, False),
        ("claude-mythos-preview", True, False, False),
        ("us.anthropic.claude-sonnet-4-6-v1:0", True, True, False),
        ("Claude-Opus-4.6", True, True, False),
        ("claude-haiku-4-5-20251001", False, True, False),
        ("claude-opus-4-1-20250805", False, True, False),
        ("claude-sonnet-4-20250514", False, True, True),
        ("claude-3-7-sonnet-20250219", False, True, True),
        ("claude-3-haiku-20240307", False, True, True),
        ("deepseek-chat", False, True, True),
        ("", False, True, True),
    ],
)
def test_the_age_of_a_model_is_in_its_name(model: str, by_effort: bool, sampling: bool, both: bool) -> None:
    traits = traits_of(model)

    assert (traits.thinks_by_effort, traits.takes_sampling, traits.takes_both) == (by_effort, sampling, both)
