"""How an answer ends and what it used, in the words of Anthropic Messages."""

from __future__ import annotations

from typing import Any

from gateway.formats.intermediate import Stop
from gateway.model.calls import Usage

_READ = {
    "end_turn": Stop.END,
    "max_tokens": Stop.LENGTH,
    "stop_sequence": Stop.STOP_SEQUENCE,
    "tool_use": Stop.TOOL_CALLS,
    "pause_turn": Stop.PAUSE,
    "refusal": Stop.REFUSAL,
    "model_context_window_exceeded": Stop.CONTEXT,
}
_WRITTEN = {**{stop: reason for reason, stop in _READ.items()}, Stop.FILTER: "refusal"}
_WHOLE = frozenset({Stop.END, Stop.TOOL_CALLS, Stop.STOP_SEQUENCE})


def read_stop(reason: Any, *, has_calls: bool) -> Stop:
    """Why an answer ended; an unknown reason is the usual end."""
    found = _READ.get(reason) if isinstance(reason, str) else None
    return found or (Stop.TOOL_CALLS if has_calls else Stop.END)


def stop_reason(stop: Stop, *, has_calls: bool, refuses: bool) -> str:
    """`tool_use` wherever there is a whole call of a tool, and only there; an answer that was cut stays one."""
    if stop in _WHOLE and has_calls:
        return "tool_use"
    if stop in _WHOLE and refuses:
        return "refusal"
    return "end_turn" if stop is Stop.TOOL_CALLS else _WRITTEN[stop]


def explanation_of(details: Any) -> str:
    """Why the model refused, from `stop_details`; empty where it does not say."""
    found = details.get("explanation") if isinstance(details, dict) else None
    return found if isinstance(found, str) else ""


def write_usage(usage: Usage) -> dict[str, Any]:
    """Anthropic's usage object. Its input has at least one token, for clients take none to mean that nobody knows."""
    created = usage.cache_creation + usage.cache_creation_1h
    is_cached = bool(created or usage.cache_read)
    found: dict[str, Any] = {
        "input_tokens": usage.input if is_cached else max(usage.input, 1),
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_creation,
            "ephemeral_1h_input_tokens": usage.cache_creation_1h,
        },
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return found
