"""Headers and bodies that are kept of a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Part(StrEnum):
    REQUEST_HEADERS = "request_headers"
    REQUEST_BODY = "request_body"
    RESPONSE_HEADERS = "response_headers"
    RESPONSE_BODY = "response_body"


@dataclass(frozen=True, slots=True)
class Captured:
    """One part: headers are JSON, a list of pairs; a body is as it was. `size` is the whole one's, in bytes."""

    part: Part
    content: bytes = field(repr=False)
    size: int
    is_cut: bool
