"""Gemini: why an answer ended and what it used, in the words of the format."""

from __future__ import annotations

from typing import Any

from gateway.formats.intermediate import Stop
from gateway.formats.metering import count
from gateway.model.calls import Usage, UsageSource

_STOPS = {
    **{"STOP": Stop.END, "MAX_TOKENS": Stop.LENGTH, "FINISH_REASON_UNSPECIFIED": Stop.END},
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "OTHER"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION"),
        ),
        Stop.FILTER,
    ),
}
_FAILURES = (
    *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"),
    "MALFORMED_RESPONSE",
)
_REASONS = {
    Stop.END: "STOP",
    Stop.LENGTH: "MAX_TOKENS",
    Stop.TOOL_CALLS: "STOP",
    Stop.STOP_SEQUENCE: "STOP",
    Stop.FILTER: "SAFETY",
    Stop.REFUSAL: "SAFETY",
    Stop.CONTEXT: "MAX_TOKENS",
    Stop.PAUSE: "STOP",
}
MALFORMED_CALL = "MALFORMED_FUNCTION_CALL"


def is_failure(reason: object) -> bool:
    """Whether the model made something that is no answer."""
    return reason in _FAILURES


def read_stop(reason: object, *, calls: bool) -> Stop:
    """Gemini ends with STOP when it calls tools too. Unknown words mean an end."""
    found = _STOPS.get(reason, Stop.END) if isinstance(reason, str) else Stop.END
    return Stop.TOOL_CALLS if calls and found == Stop.END else found


def finish_reason(stop: Stop, *, refuses: bool) -> str:
    """A refusal in the model's own words is an answer like any other; one without words was cut by a filter."""
    return "STOP" if stop == Stop.REFUSAL and refuses else _REASONS[stop]


def read_usage(found: Any) -> Usage | None:
    """Google's usage. Its prompt tokens include the cached ones, its candidates' tokens exclude thoughts; what its own
    tools read counts as input. Here each is counted once.
    """
    if not isinstance(found, dict) or "promptTokenCount" not in found and "candidatesTokenCount" not in found:
        return None
    prompt, thoughts = count(found.get("promptTokenCount")), count(found.get("thoughtsTokenCount"))
    read = min(count(found.get("cachedContentTokenCount")), prompt)
    return Usage(
        input=prompt - read + count(found.get("toolUsePromptTokenCount")),
        output=count(found.get("candidatesTokenCount")) + thoughts,
        cache_read=read,
        reasoning=thoughts,
        source=UsageSource.REPORTED,
    )


def write_usage(usage: Usage) -> dict[str, int]:
    thoughts = min(usage.reasoning, usage.output)
    written = {
        "promptTokenCount": usage.all_input,
        "candidatesTokenCount": usage.output - thoughts,
        "totalTokenCount": usage.all_input + usage.output,
    }
    if usage.cache_read:
        written["cachedContentTokenCount"] = usage.cache_read
    if thoughts:
        written["thoughtsTokenCount"] = thoughts
    return written
