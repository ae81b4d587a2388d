"""What chat servers differ in, told by the provider's name of the model: nothing else of it is known here."""

from __future__ import annotations

_NEWER_LIMIT = ("o1", "o3", "o4", "o5", "gpt-5", "gpt-6", "codex")
"""Models of OpenAI's that refuse `max_tokens`; most other servers know nothing else."""


def limit_field(model: str) -> str:
    """The field for the most tokens of an answer."""
    return "max_completion_tokens" if _bare(model).startswith(_NEWER_LIMIT) else "max_tokens"


def takes_cache_control(model: str) -> bool:
    """Whether content may say what to keep in a cache: Claude behind a chat API. OpenAI refuses the member."""
    return "claude" in model.lower()


def takes_thought_signatures(model: str) -> bool:
    """Whether calls may carry Google's signatures: Gemini behind a chat API. OpenAI refuses the member."""
    return "gemini" in model.lower()


def _bare(model: str) -> str:
    """Without what routers put before a model's name: `openai/gpt-5`."""
    return model.lower().rpartition("/")[2]
