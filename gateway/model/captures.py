"""Headers and bodies that are kept of a call."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from gateway.hiding import hiding


class Part(StrEnum):
    REQUEST_HEADERS = "request_headers"
    REQUEST_BODY = "request_body"
    RESPONSE_HEADERS = "response_headers"
    RESPONSE_BODY = "response_body"


class Captured(msgspec.Struct, frozen=True):
    """One part: headers are JSON, a list of pairs; a body is as it was. `size` is the whole one's, in bytes.

    Nothing `is_readable` of what was changed since, or sealed with another master key.
    """

    part: Part
    content: bytes
    size: int
    is_cut: bool
    is_readable: bool = True

    __repr__ = hiding("content")
