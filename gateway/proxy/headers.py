"""Which headers pass: short allow-lists in both directions, and our own."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from gateway.errors import GatewayError
from gateway.formats.passage import Passage
from gateway.model.calls import Attribution
from gateway.money import exact_dollars
from gateway.routing.buckets import TokenBucket
from gateway.routing.budgets import Standing
from gateway.routing.purposes import Purpose

Header = tuple[bytes, bytes]

_TO_UPSTREAM = frozenset({b"accept", b"openai-beta", b"idempotency-key"})
_TO_ANY_UPSTREAM = frozenset({b"idempotency-key"})
_TO_UPSTREAM_PREFIXES = (b"anthropic-", b"x-goog-")
_NEVER_UPSTREAM = frozenset({b"x-goog-api-key"})
_FROM_UPSTREAM = frozenset({b"openai-processing-ms", b"openai-version", b"retry-after", b"retry-after-ms"})
_AGENT_HEADERS = (
    b"x-claude-code-session-id",
    b"x-claude-code-agent-id",
    b"x-claude-code-parent-agent-id",
    b"x-claude-code-request-class",
)
"""As Claude Code names them; in the order of Attribution."""
_REQUEST_CLASS = b"x-claude-code-request-class"
_NOBODY = Attribution()
_OF_OUR_KEY = (b"anthropic-ratelimit-", b"anthropic-organization-")
"""What a provider says of our account is not the client's."""
_SESSIONS = (b"x-claude-code-session-id", b"x-session-id")
_SAFE_VALUE = re.compile(rb"[\t\x20-\x7e]*")
_SAFE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MEDIA = re.compile(
    rb"(?:application/(?:(?:[\w.+-]+\+)?json|octet-stream)|text/event-stream|audio/[\w.+-]+|image/[\w.+-]+)(?:;.*)?"
)
_LONGEST_VALUE = 1024


def to_upstream(headers: Sequence[Header], passage: Passage, *, is_demo: bool) -> list[Header]:
    """The client's headers that a provider may see, and what its format needs besides. Named in `Connection` means:
    for us alone. Of a translated call's, only those that the provider's format understands.
    """
    names = _TO_ANY_UPSTREAM if passage.is_translated else _TO_UPSTREAM
    prefixes = passage.upstream.passes if passage.is_translated else _TO_UPSTREAM_PREFIXES
    passed = [
        (name, value)
        for name, value in headers
        if (name in names or name.startswith(prefixes) or (is_demo and name == b"x-demo-fault"))
        and name not in _NEVER_UPSTREAM
        and _SAFE_VALUE.fullmatch(value)
    ]
    hop_by_hop = {
        token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")
    }
    if hop_by_hop:
        passed = [header for header in passed if header[0] not in hop_by_hop]
    if not passage.upstream.headers:
        return passed
    there = {name for name, _ in passed}
    return [*passed, *(header for header in passage.upstream.headers if header[0] not in there)]


def joined(headers: Iterable[Header], name: bytes) -> str:
    """Every value of a lower-case name, with commas between them; empty without one."""
    return ",".join(value.decode("latin-1") for found, value in headers if found == name)


def purpose_of(headers: Mapping[bytes, bytes]) -> Purpose:
    """What the call says that it is for. A coding agent's class of requests is a business of its own, such as
    `claude-code:subagent`, where no other is named.
    """
    request_class = _word(headers, _REQUEST_CLASS)
    return Purpose(
        agent=_word(headers, b"x-gateway-agent"),
        business=_word(headers, b"x-gateway-business") or (request_class and f"claude-code:{request_class}"),
        capability=_word(headers, b"x-gateway-capability"),
    )


def session_of(headers: Mapping[bytes, bytes]) -> str:
    """What the client calls its conversation; empty where it does not say."""
    return next((word for name in _SESSIONS if name in headers and (word := _word(headers, name))), "")


def _word(headers: Mapping[bytes, bytes], name: bytes) -> str:
    return headers[name].decode("latin-1").strip() if name in headers else ""


def attribution_of(headers: Mapping[bytes, bytes]) -> Attribution:
    """What a coding agent says of itself in its headers; each at most 100 characters, empty where it says nothing."""
    if headers.keys().isdisjoint(_AGENT_HEADERS):
        return _NOBODY
    words = (headers.get(name, b"") for name in _AGENT_HEADERS)
    return Attribution(*(word.decode("latin-1").strip()[:100] if word.isascii() else "" for word in words))


def from_upstream(headers: Sequence[Header]) -> list[Header]:
    """The provider's headers that a client may see, named in lower case; values with control characters are dropped."""
    passed, media, request_id = [], b"", b""
    for name, value in headers:
        if name == b"content-type":
            media = media or value
        elif name in _FROM_UPSTREAM or (name.startswith(b"anthropic-") and not name.startswith(_OF_OUR_KEY)):
            passed.append((name, value))
        elif name == b"request-id" or (name == b"x-request-id" and not request_id):
            request_id = value
    if request_id:
        passed.append((b"x-upstream-request-id", request_id))
    kept = [(name, value) for name, value in passed if len(value) <= _LONGEST_VALUE and _SAFE_VALUE.fullmatch(value)]
    kept.append((b"content-type", _shown_media(media)))
    return kept


@functools.lru_cache(256)
def _shown_media(media: bytes) -> bytes:
    """The type where it is one of those that answers of models have, else that of text, which no browser runs."""
    is_known = len(media) <= _LONGEST_VALUE and _SAFE_VALUE.fullmatch(media) and _MEDIA.fullmatch(media.lower())
    return media if is_known else b"text/plain; charset=utf-8"


def as_json(headers: Iterable[Header]) -> tuple[Header, ...]:
    """The same headers of an answer that is JSON now."""
    return _of_type(headers, b"application/json")


def as_stream(headers: Iterable[Header]) -> tuple[Header, ...]:
    """The same headers of an answer that is a stream of events now."""
    return _of_type(headers, b"text/event-stream; charset=utf-8")


def _of_type(headers: Iterable[Header], media: bytes) -> tuple[Header, ...]:
    return (*(header for header in headers if header[0] != b"content-type"), (b"content-type", media))


def safe_request_id(text: str | None) -> str | None:
    """A client's own request id, where it is harmless to repeat."""
    return text if text is not None and _SAFE_ID.fullmatch(text) else None


def of_error(error: GatewayError) -> list[Header]:
    """`retry-after` in whole seconds, rounded up, and whether a retry can help."""
    found: list[Header] = []
    retryable = error.retryable
    if error.retry_after is not None:
        found.append((b"retry-after", str(max(1, math.ceil(error.retry_after))).encode()))
        retryable = True if retryable is None else retryable
    if retryable is not None:
        found.append((b"x-should-retry", b"true" if retryable else b"false"))
    return found


def narrowest(buckets: Iterable[TokenBucket], now: float) -> TokenBucket | None:
    """The limit that is nearest, as of now (monotonic seconds); None where there is none."""
    there = list(buckets)
    for bucket in there:
        bucket.refill(now)
    return min(there, key=lambda bucket: bucket.level, default=None)


def of_limit(kind: bytes, bucket: TokenBucket | None) -> list[Header]:
    """A limit in OpenAI's words; nothing where there is none. `kind` is what is limited: requests or tokens."""
    if bucket is None:
        return []
    return [
        (b"x-ratelimit-limit-" + kind, str(bucket.limit).encode()),
        (b"x-ratelimit-remaining-" + kind, str(max(0, int(bucket.level))).encode()),
        (b"x-ratelimit-reset-" + kind, f"{_seconds_to_full(bucket):.3f}s".encode()),
    ]


def of_anthropic_limit(kind: bytes, bucket: TokenBucket | None, now: datetime) -> list[Header]:
    """The same in Anthropic's words, whose resets are moments."""
    if bucket is None:
        return []
    reset = now + timedelta(seconds=_seconds_to_full(bucket))
    name = b"anthropic-ratelimit-" + kind
    return [
        (name + b"-limit", str(bucket.limit).encode()),
        (name + b"-remaining", str(max(0, int(bucket.level))).encode()),
        (name + b"-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
    ]


def _seconds_to_full(bucket: TokenBucket) -> float:
    return (bucket.limit - bucket.level) * 60 / bucket.limit if bucket.limit else 0


def of_money(standings: Iterable[Standing]) -> list[Header]:
    """Dollars that are left of the narrowest limit of money, and when that begins anew; nothing where none holds."""
    narrowest = min(standings, key=lambda found: found.left, default=None)
    if narrowest is None:
        return []
    found = [
        (b"x-gateway-budget-limit", exact_dollars(narrowest.limit.nano).encode()),
        (b"x-gateway-budget-remaining", exact_dollars(narrowest.left).encode()),
    ]
    if narrowest.resets_at is not None:
        found.append((b"x-gateway-budget-reset", str(narrowest.resets_at // 1000).encode()))
    return found
