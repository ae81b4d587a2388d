"""Reading a 429: what kind of limit it is, and how long the server says to wait."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from gateway.model.words import Word

LONGEST_WORD_SECONDS = 24 * 3600.0
QUOTA_REST_SECONDS = 3600.0
_SHORT_SECONDS = 5.0
_MINUTE = 60.0

_QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "enforced_spend_limit_reached",
        "billing_hard_limit_reached",
    }
)
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


class LimitClass(Word):
    """Which limit a 429 speaks of."""

    QUOTA = "quota"
    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    UNKNOWN = "unknown"


class Limited(msgspec.Struct, frozen=True):
    """A 429 understood. `seconds` is the server's word, None where it gave none.

    `requests_per_minute` is the limit that it named, only with REQUESTS.
    """

    limit_class: LimitClass
    seconds: float | None
    requests_per_minute: int | None = None


def classify(headers: Mapping[str, str], body: Any, now: float) -> Limited:
    """`headers` by lower-case name, `body` decoded JSON or None, `now` in Unix seconds."""
    seconds = server_delay(headers, body, now)
    if _is_quota(headers, body):
        return Limited(LimitClass.QUOTA, seconds)
    requests, tokens = _remaining(headers, "requests"), _remaining(headers, "tokens")
    if requests == 0:
        return Limited(LimitClass.REQUESTS, seconds, _requests_per_minute(headers, now))
    if tokens == 0 or 0 in (_remaining(headers, "input-tokens"), _remaining(headers, "output-tokens")):
        return Limited(LimitClass.TOKENS, seconds)
    if requests is not None and seconds is not None and seconds <= _SHORT_SECONDS:
        return Limited(LimitClass.CONCURRENCY, seconds)
    if requests is not None or any("ratelimit-limit" in name for name in headers):
        return Limited(LimitClass.REQUESTS, seconds, _requests_per_minute(headers, now))
    return Limited(_of_quota_ids(_quota_ids(body)), seconds)


def _of_quota_ids(names: str) -> LimitClass:
    if "Token" in names:
        return LimitClass.TOKENS
    return LimitClass.REQUESTS if "Request" in names else LimitClass.UNKNOWN


def server_delay(headers: Mapping[str, str], body: Any, now: float) -> float | None:
    """Seconds the server asks to wait, from the first source that says so; at most a day."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        milliseconds = _number(headers.get(name))
        if milliseconds is not None and milliseconds > 0:
            return min(milliseconds / 1000, LONGEST_WORD_SECONDS)
    for found in (
        parse_moment(headers.get("retry-after"), now),
        _exhausted_reset(headers, now),
        _body_delay(body),
    ):
        if found is not None and found > 0:
            return min(found, LONGEST_WORD_SECONDS)
    return None


def parse_moment(text: str | None, now: float) -> float | None:
    """Seconds from now: a number, a duration such as `6m0s`, an HTTP date or RFC 3339. None where it is none."""
    if text is None or len(text) > 64:
        return None
    text = text.strip()
    number = _number(text)
    if number is not None:
        return number
    duration = parse_duration(text)
    if duration is not None:
        return duration
    moment = _date(text)
    return None if moment is None else max(0.0, moment - now)


def parse_duration(text: str) -> float | None:
    """`1s`, `6m0s`, `20ms`, `1h2m3.5s` in seconds."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(part) if part else 0.0 for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000


def error_of(body: Any) -> Any:
    """What the member `error` of an answer holds; Gemini's streams have the answer in a list of one."""
    if isinstance(body, list) and body:
        body = body[0]
    return body.get("error") if isinstance(body, dict) else None


def names_spend_limit(body: Any) -> bool:
    """Whether an error says that money is used up, or a day's quota."""
    error = error_of(body)
    if not isinstance(error, dict):
        return False
    details = error.get("details")
    words = [error.get("code"), error.get("type")]
    if isinstance(details, dict):
        words.append(details.get("error_code"))
    if any(isinstance(word, str) and word in _QUOTA_CODES for word in words):
        return True
    message = error.get("message")
    return (isinstance(message, str) and "credit balance is too low" in message) or "PerDay" in _quota_ids(body)


def _quota_ids(body: Any) -> str:
    """Names of the quotas that Gemini's google.rpc.QuotaFailure says were exceeded."""
    error = error_of(body)
    details = error.get("details") if isinstance(error, dict) else None
    found = []
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("violations") if isinstance(detail, dict) else None
        for one in violations if isinstance(violations, list) else ():
            found.append(str(one.get("quotaId")) if isinstance(one, dict) else "")
    return " ".join(found)


def _is_quota(headers: Mapping[str, str], body: Any) -> bool:
    if names_spend_limit(body):
        return True
    # Anthropic sends retry-after with every limit that passes by itself.
    is_anthropic = isinstance(body, dict) and body.get("type") == "error"
    return is_anthropic and "retry-after" not in headers


def _requests_per_minute(headers: Mapping[str, str], now: float) -> int | None:
    """The limit of requests that the headers name; None where it resets too late to be one of a minute."""
    for limit_name, reset_name in (
        ("x-ratelimit-limit-requests", "x-ratelimit-reset-requests"),
        ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-reset"),
    ):
        limit = _number(headers.get(limit_name))
        reset = parse_moment(headers.get(reset_name), now)
        if limit is not None and limit >= 1 and (reset is None or reset <= _MINUTE):
            return int(limit)
    return None


def _remaining(headers: Mapping[str, str], what: str) -> float | None:
    """What is left of a limit; None where not said. Azure's -1 says nothing."""
    for name in (f"x-ratelimit-remaining-{what}", f"anthropic-ratelimit-{what}-remaining"):
        left = _number(headers.get(name))
        limit = _number(headers.get(name.replace("remaining", "limit")))
        if left is not None and left >= 0 and not (left == 0 and limit is not None and limit <= 0):
            return left
    return None


def _exhausted_reset(headers: Mapping[str, str], now: float) -> float | None:
    found = []
    for what in ("requests", "tokens", "input-tokens", "output-tokens"):
        if _remaining(headers, what) == 0:
            for name in (f"x-ratelimit-reset-{what}", f"anthropic-ratelimit-{what}-reset"):
                moment = parse_moment(headers.get(name), now)
                if moment is not None:
                    found.append(moment)
    return max(found, default=None)


def _body_delay(body: Any) -> float | None:
    """Gemini's google.rpc.RetryInfo, in an object or a list of one."""
    error = error_of(body)
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else ():
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str):
            return parse_duration(delay)
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    # NaN and infinities are not waits.
    return value if value is not None and abs(value) < 1e12 else None


def _date(text: str) -> float | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
