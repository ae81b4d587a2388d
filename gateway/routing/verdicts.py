"""What an upstream's answer means for the call: serve it, blame the client, or go on to the next backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.routing.health import Ending, Verdict
from gateway.routing.rate_limits import classify

_REFUSALS = frozenset({401, 402, 403})
_TRY_LATER = frozenset({408, 425})
_PROVIDER_CODES = frozenset({"model_not_found", "unsupported_parameter", "unknown_model", "model_not_available"})
_PROVIDER_WORDS = ("unsupported parameter", "model not found", "unknown model", "does not support parameter")


def judge(status: int, headers: Mapping[str, str], body: Any, now: float) -> Ending:
    """Judge an answer whose status is not 2xx. `body` is its decoded JSON or None, `now` Unix seconds."""
    said = _said(body)
    reason = f"HTTP {status}" + (f": {said}" if said else "")
    if status in _REFUSALS:
        return Ending(Verdict.REFUSED, f"the provider refused the key ({reason})")
    if status == 429:
        limited = classify(headers, body, now)
        return Ending(Verdict.LIMITED, f"rate limited ({limited.limit_class}; {reason})", limited)
    if status >= 500 or status < 400 or status in _TRY_LATER:
        return Ending(Verdict.FAILED, reason)
    if names_provider_limit(body):
        return Ending(Verdict.NOT_SERVED, f"this provider cannot serve it ({reason})")
    return Ending(Verdict.CLIENT_FAULT, reason)


def names_provider_limit(body: Any) -> bool:
    """Whether a 400-class answer blames what this provider can do, so that another one may do it."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return False
    if error.get("code") in _PROVIDER_CODES:
        return True
    message = error.get("message")
    return isinstance(message, str) and any(words in message.lower() for words in _PROVIDER_WORDS)


def _said(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error[:200] if isinstance(error, str) else ""
