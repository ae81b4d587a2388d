"""What an upstream's answer means for the call: serve it, blame the client, or go on to the next backend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.routing.health import Ending, Verdict
from gateway.routing.rate_limits import LimitClass, Limited, classify, error_of, names_spend_limit

_REFUSALS = frozenset({401, 402, 403})
_TRY_LATER = frozenset({408, 425})
_PROVIDER_CODES = frozenset({"model_not_found", "unsupported_parameter", "unknown_model", "model_not_available"})
_CONTEXT_CODES = frozenset({"context_length_exceeded", "context_window_exceeded"})
_CONTEXT_WORDS = (
    *("maximum context length", "context length exceeded", "context window", "prompt is too long"),
    "exceeds the maximum number of tokens",
)
_PROVIDER_WORDS = (
    *("unsupported parameter", "model not found", "unknown model", "does not support parameter"),
    *("is not found for api version", "is not supported for generatecontent"),
)
"""The last line is Gemini's."""
_UNKNOWN_MODEL = re.compile(r"model: \S+")
"""All that Anthropic says of a model that it does not know."""
_NO_PATH = frozenset({404, 405})
"""Without an error that a format knows, these mean that the server has no such path: another one may."""


def judge(status: int, headers: Mapping[str, str], body: Any, now: float) -> Ending:
    """Judge an answer whose status is not 2xx. `body` is its decoded JSON or None, `now` Unix seconds."""
    said = _said(body)
    reason = f"HTTP {status}" + (f": {said}" if said else "")
    if status in _REFUSALS or (status == 400 and _names_our_key(body)):
        return Ending(Verdict.REFUSED, f"the provider refused the key ({reason})")
    if status == 429:
        limited = classify(headers, body, now)
        return Ending(Verdict.LIMITED, f"rate limited ({limited.limit_class}; {reason})", limited)
    if status == 400 and names_spend_limit(body):
        return Ending(Verdict.LIMITED, f"out of quota ({reason})", Limited(LimitClass.QUOTA, None))
    if status >= 500 or status < 400 or status in _TRY_LATER:
        return Ending(Verdict.FAILED, reason)
    if names_provider_limit(body) or (status in _NO_PATH and not isinstance(error_of(body), dict)):
        return Ending(Verdict.NOT_SERVED, f"this provider cannot serve it ({reason})")
    return Ending(Verdict.CLIENT_FAULT, reason)


def _names_our_key(body: Any) -> bool:
    """Gemini says with a 400 that a key is none."""
    error = error_of(body)
    details = error.get("details") if isinstance(error, dict) else None
    return isinstance(details, list) and any(
        isinstance(one, dict) and one.get("reason") in ("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED") for one in details
    )


def names_provider_limit(body: Any) -> bool:
    """Whether a 400-class answer blames what this provider can do, so that another one may do it."""
    error = error_of(body)
    if not isinstance(error, dict):
        return False
    message = error.get("message")
    is_unknown_model = isinstance(message, str) and _UNKNOWN_MODEL.fullmatch(message) is not None
    return is_unknown_model or _names(error, _PROVIDER_CODES, _PROVIDER_WORDS) or names_context(body)


def names_context(body: Any) -> bool:
    """Whether it says that the context is too long: a backend that takes a longer one may serve the call."""
    error = error_of(body)
    return isinstance(error, dict) and _names(error, _CONTEXT_CODES, _CONTEXT_WORDS)


def _names(error: Mapping[str, Any], codes: frozenset[str], words: tuple[str, ...]) -> bool:
    code, message = error.get("code"), error.get("message")
    if isinstance(code, str) and code in codes:
        return True
    return isinstance(message, str) and any(found in message.lower() for found in words)


def _said(body: Any) -> str:
    error = error_of(body)
    if isinstance(error, dict):
        error = error.get("message")
    return error[:200] if isinstance(error, str) else ""
