from __future__ import annotations

import pytest

from gateway.formats.chat.dialect import limit_field, takes_cache_control, takes_thought_signatures


@pytest.mark.parametrize("model", ["o1", "o3-mini", "gpt-5.1", "openai/gpt-5", "codex-mini"])
def test_newer_models_of_openais_have_the_newer_limit(model: str) -> None:
    assert limit_field(model) == "max_completion_tokens"


@pytest.mark.parametrize("model", ["gpt-4o", "llama3", "olmo", "mistral/o-1", ""])
def test_every_other_server_has_the_older_one(model: str) -> None:
    assert limit_field(model) == "max_tokens"


def test_what_only_some_models_take_is_told_by_their_names() -> None:
    assert takes_cache_control("anthropic/Claude-x")
    assert not takes_cache_control("gpt-4o")
    assert takes_thought_signatures("google/gemini-3-pro")
    assert not takes_thought_signatures("gpt-4o")
