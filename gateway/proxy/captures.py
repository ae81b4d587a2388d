"""Headers and bodies of a call, where an operator wants them kept: cut to a size, without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from gateway.formats.body import encode_object
from gateway.model.calls import CallRecord, CallStatus
from gateway.model.captures import Captured, Part
from gateway.model.system_settings import Capture, SystemSettings
from gateway.proxy.call import Call, Header
from gateway.proxy.kept import Kept
from gateway.proxy.said import SECRETS

HIDDEN = "***"
_OFF = Capture.OFF
_KEYS = re.compile(rb"\b(?:sk|pk|rk|gsk|xai|ghp|gho|hf|AIza)[-_][A-Za-z0-9_-]{16,}|\bAIza[A-Za-z0-9_-]{30,}")
"""What looks like a provider's or our own key, wherever in a body it was pasted."""


def most_kept(settings: SystemSettings) -> int:
    """Bytes of each body; 0 where nothing is kept of any call."""
    return 0 if settings.capture is _OFF else settings.capture_bytes


def is_kept(settings: SystemSettings, row: CallRecord) -> bool:
    if settings.capture is _OFF:
        return False
    failed = row.status is not CallStatus.COMPLETED or row.code >= 400  # noqa: PLR2004
    return settings.capture is Capture.ALL or failed


def captured(call: Call, answered: Iterable[Header], kept: Kept, most: int) -> tuple[Captured, ...]:
    """The request, and of the answer what there was: `answered` are its headers."""
    parts = [
        _headers(Part.REQUEST_HEADERS, call.arrival.headers),
        _body(Part.REQUEST_BODY, encode_object(call.request.fields), None, most),
    ]
    if kept.size:
        parts.append(_headers(Part.RESPONSE_HEADERS, answered))
        parts.append(_body(Part.RESPONSE_BODY, bytes(kept.content), kept.size, most))
    return tuple(parts)


def _headers(part: Part, headers: Iterable[Header]) -> Captured:
    shown = [
        (name.decode("latin-1"), HIDDEN if name in SECRETS else without_keys(value).decode("latin-1"))
        for name, value in headers
    ]
    content = msgspec.json.encode(shown)
    return Captured(part, content, len(content), is_cut=False)


def _body(part: Part, content: bytes, size: int | None, most: int) -> Captured:
    whole = len(content) if size is None else size
    return Captured(part, without_keys(content[:most]), whole, is_cut=whole > most)


def without_keys(content: bytes) -> bytes:
    """`content` with a mark in place of everything that looks like a key."""
    return _KEYS.sub(HIDDEN.encode(), content)
