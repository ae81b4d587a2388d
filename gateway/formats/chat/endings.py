"""OpenAI chat completions: why an answer ended and what it used, in the words of the format."""

from __future__ import annotations

from gateway.formats.intermediate import Stop
from gateway.model.calls import Usage

_FAILURES = ("error", "insufficient_system_resource")  # OpenRouter's word and DeepSeek's
_STOPS = {
    "stop": Stop.END,
    "length": Stop.LENGTH,
    "tool_calls": Stop.TOOL_CALLS,
    "function_call": Stop.TOOL_CALLS,
    "content_filter": Stop.FILTER,
    "model_length": Stop.CONTEXT,  # Mistral's word
}
_REASONS = {
    Stop.END: "stop",
    Stop.LENGTH: "length",
    Stop.TOOL_CALLS: "tool_calls",
    Stop.STOP_SEQUENCE: "stop",
    Stop.FILTER: "content_filter",
    Stop.REFUSAL: "content_filter",
    Stop.CONTEXT: "length",
    Stop.PAUSE: "stop",
}


def is_failure(reason: object) -> bool:
    """Whether an answer that ended so is none."""
    return reason in _FAILURES


def read_stop(reason: object, matched: object, *, calls: bool, refuses: bool) -> tuple[Stop, str]:
    """Why, and the stop sequence that was `matched`, which vLLM tells as `stop_reason`.

    Some servers end with `stop` whatever they said: then what is in the answer tells. Unknown words mean an end.
    """
    found = _STOPS.get(reason, Stop.END) if isinstance(reason, str) else Stop.END
    if found != Stop.END:
        return found, ""
    if calls:
        return Stop.TOOL_CALLS, ""
    if isinstance(matched, str) and matched:
        return Stop.STOP_SEQUENCE, matched
    return Stop.REFUSAL if refuses else Stop.END, ""


def finish_reason(stop: Stop, *, refuses: bool) -> str:
    """A refusal in the model's own words is an answer like any other; one without words was cut by a filter."""
    return "stop" if stop == Stop.REFUSAL and refuses else _REASONS[stop]


def matched_field(stop_sequence: str) -> dict[str, str]:
    """The member of a choice that tells which stop sequence ended it, as vLLM has it; none where none did."""
    return {"stop_reason": stop_sequence} if stop_sequence else {}


def write_usage(usage: Usage) -> dict[str, object]:
    """OpenAI's usage object, whose prompt tokens include those of caches."""
    inputs = {"cached_tokens": usage.cache_read}
    if created := usage.cache_creation + usage.cache_creation_1h:
        inputs["cache_write_tokens"] = created
    return {
        "prompt_tokens": usage.all_input,
        "completion_tokens": usage.output,
        "total_tokens": usage.all_input + usage.output,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
