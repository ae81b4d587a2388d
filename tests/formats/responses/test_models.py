"""What is known of OpenAI's models by their names."""

from __future__ import annotations

import pytest

from gateway.formats.responses.models import can_think, refuses_sampling


@pytest.mark.parametrize("model", ["gpt-5", "openai/o3-mini", "gpt-5.1-codex", "codex-mini-latest", "GPT-6-astra"])
def test_models_that_think_refuse_to_be_told_how_to_sample(model: str) -> None:
    assert can_think(model)
    assert refuses_sampling(model, "")
    assert refuses_sampling(model, "low")
    assert not refuses_sampling(model, "none")


@pytest.mark.parametrize(
    "model", ["gpt-4o", "openai/gpt-4.1-mini", "gpt-3.5-turbo", "chatgpt-4o-latest", "gpt-5-chat-latest"]
)
def test_models_that_do_not_think_take_every_sampling(model: str) -> None:
    assert not can_think(model)
    assert not refuses_sampling(model, "")


@pytest.mark.parametrize("model", ["llama-3", "gpt-oss-120b", "qwen3", ""])
def test_of_other_models_nothing_is_assumed(model: str) -> None:
    assert can_think(model)
    assert not refuses_sampling(model, "high")
