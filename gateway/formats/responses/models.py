"""What OpenAI's models differ in, told by the provider's name of the model: nothing else of it is known here.

The lists follow OpenAI's guide to reasoning models and what its API answers to those that it is about.
"""

from __future__ import annotations

_WITHOUT_THOUGHTS = ("gpt-3", "gpt-4", "chatgpt", "gpt-5-chat")
_WITH_THOUGHTS = ("o1", "o3", "o4", "gpt-5", "gpt-6", "codex")


def can_think(model: str) -> bool:
    """False for models that refuse every word about thinking."""
    return not _bare(model).startswith(_WITHOUT_THOUGHTS)


def refuses_sampling(model: str, effort: str) -> bool:
    """True for models that refuse to be told how to sample while they think; `none` is that they do not."""
    return effort != "none" and can_think(model) and _bare(model).startswith(_WITH_THOUGHTS)


def _bare(model: str) -> str:
    """Without what routers put before a model's name: `openai/gpt-5`."""
    return model.lower().rpartition("/")[2]
