"""Thoughts in OpenAI chat completions, which has no place of its own for them.

The text stands in `reasoning_content`, as DeepSeek and many others have it, or in `reasoning`. Signatures stand in
`reasoning_details`, as OpenRouter has them: `reasoning.text` with the text that is signed, `reasoning.encrypted` for
a signature alone. Google's signature of a tool call stands on that call, as on Google's own OpenAI-compatible surface:
`extra_content.google.thought_signature`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.formats.intermediate import Thinking
from gateway.formats.metering import members
from gateway.formats.signatures import marked, unmarked
from gateway.model.registry import ApiFormat

CHAT, GEMINI = ApiFormat.OPENAI_CHAT, ApiFormat.GEMINI_GENERATE

# The words for whose signature it is; clients that know none of them send it back all the same.
_DIALECTS = {
    ApiFormat.ANTHROPIC_MESSAGES: "anthropic-claude-v1",
    ApiFormat.OPENAI_RESPONSES: "openai-responses-v1",
    ApiFormat.GEMINI_GENERATE: "google-gemini-v1",
}


def thoughts_of(message: Any) -> list[Thinking]:
    """The thoughts of a message or an answer, decoded. What is of another type is as good as missing."""
    found = members(message)
    signed = [thought for detail in details_of(found) if (thought := thought_of(detail)) is not None]
    plain = plain_of(found)
    if plain and not any(thought.text for thought in signed):
        return [Thinking(text=plain, origin=CHAT), *signed]
    return signed


def plain_of(found: dict[str, Any]) -> str:
    """The text under either of its names."""
    for name in ("reasoning_content", "reasoning"):
        if isinstance(text := found.get(name), str) and text:
            return text
    return ""


def details_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    listed = found.get("reasoning_details")
    return [members(detail) for detail in listed] if isinstance(listed, list) else []


def thought_of(detail: dict[str, Any]) -> Thinking | None:
    """One of `reasoning_details`; None where it says nothing that can be carried."""
    text = _text(detail, "text") or _text(detail, "summary")
    signature, origin = unmarked(_text(detail, "signature") or _text(detail, "data"), CHAT)
    if not text and not signature:
        return None
    return Thinking(text=text, signature=signature, origin=origin, id=_text(detail, "id"))


def thought_fields(thoughts: Sequence[Thinking]) -> dict[str, object]:
    """The members of a message that carry the thoughts; none where there are none."""
    plain = "".join(thought.text for thought in thoughts)
    fields: dict[str, object] = {"reasoning_content": plain} if plain else {}
    if any(thought.signature for thought in thoughts):
        told = [thought for thought in thoughts if thought.text or thought.signature]
        fields["reasoning_details"] = [detail_for(thought, index) for index, thought in enumerate(told)]
    return fields


def detail_for(thought: Thinking, index: int) -> dict[str, object]:
    """One of `reasoning_details`."""
    signature = marked(thought.signature, thought.origin, CHAT)
    detail: dict[str, object]
    if thought.text:
        detail = {"type": "reasoning.text", "text": thought.text, "signature": signature or None}
    else:
        detail = {"type": "reasoning.encrypted", "data": signature}
    detail["id"] = thought.id or None
    detail["format"] = _DIALECTS.get(thought.origin, "unknown") if thought.origin else "unknown"
    detail["index"] = index
    return detail


def call_signature_of(extra_content: Any) -> str:
    """Google's signature of a tool call, from its `extra_content`."""
    return _text(members(members(extra_content).get("google")), "thought_signature")


def call_extra(signature: str) -> dict[str, object]:
    """The member of a tool call that carries Google's signature of it; none without one."""
    return {"extra_content": {"google": {"thought_signature": signature}}} if signature else {}


def is_of_next_call(thought: Thinking) -> bool:
    """Whether it is a signature of Google's that, directly before a tool call, belongs to that call."""
    return thought.origin == GEMINI and not thought.text and bool(thought.signature)


def _text(found: dict[str, Any], name: str) -> str:
    text = found.get(name)
    return text if isinstance(text, str) else ""
