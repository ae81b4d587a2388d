"""How an answer ends and what it used, in the words of OpenAI Responses."""

from __future__ import annotations

from typing import Any

from gateway.formats.intermediate import Stop
from gateway.formats.metering import members
from gateway.model.calls import Usage

COMPLETED, INCOMPLETE = "completed", "incomplete"
_REASONS = {
    Stop.LENGTH: "max_output_tokens",
    Stop.CONTEXT: "max_output_tokens",
    Stop.FILTER: "content_filter",
}


def read_stop(status: Any, details: Any, *, has_calls: bool, refuses: bool) -> Stop:
    """Why an answer ended. One that is incomplete for another reason than a filter was cut."""
    if status == INCOMPLETE:
        return Stop.FILTER if members(details).get("reason") == "content_filter" else Stop.LENGTH
    if has_calls:
        return Stop.TOOL_CALLS
    return Stop.REFUSAL if refuses else Stop.END


def incomplete_reason(stop: Stop, *, refuses: bool) -> str:
    """Why an answer is incomplete; empty where it is complete. A refusal without words is what a filter does here."""
    if stop is Stop.REFUSAL and not refuses:
        return _REASONS[Stop.FILTER]
    return _REASONS.get(stop, "")


def write_usage(usage: Usage) -> dict[str, Any]:
    """Responses' usage object, whose input includes what came from and went to a cache."""
    return {
        "input_tokens": usage.all_input,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_creation + usage.cache_creation_1h,
        },
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.all_input + usage.output,
    }
