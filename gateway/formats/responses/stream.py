"""OpenAI Responses: streams, read and written."""

from __future__ import annotations

from gateway.formats.responses.read_stream import Reader
from gateway.formats.responses.write_stream import Writer

__all__ = ["Reader", "Writer"]
