"""Reasoning items of OpenAI Responses: thoughts with the proof that only their provider can read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.formats.intermediate import Thinking
from gateway.formats.signatures import marked, unmarked
from gateway.model.registry import ApiFormat

HERE = ApiFormat.OPENAI_RESPONSES
BETWEEN = "\n\n"
"""Between the parts of a summary, where they become one text."""


def thinking_of(content: Sequence[str], summary: Sequence[str], encrypted: str, item_id: str) -> Thinking:
    """The thoughts themselves where the provider shows them, else their summary."""
    signature, origin = unmarked(encrypted, HERE) if encrypted else ("", None)
    return Thinking(BETWEEN.join(content or summary), signature, origin, item_id)


def can_return(thinking: Thinking) -> bool:
    """Whether a provider of this format made it and can read it again."""
    return bool(thinking.signature) and thinking.origin is HERE


def reasoning_item(thinking: Thinking, item_id: str) -> dict[str, Any]:
    """The item as it stands in a request or an answer; without `id` where that is empty."""
    named = {"id": item_id} if item_id else {}
    signed = {"encrypted_content": marked(thinking.signature, thinking.origin, HERE)} if thinking.signature else {}
    summary = [{"type": "summary_text", "text": thinking.text}] if thinking.text else []
    return {"type": "reasoning", **named, "summary": summary, **signed}
