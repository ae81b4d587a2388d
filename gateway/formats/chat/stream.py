"""OpenAI chat completions: streams, read and written."""

from __future__ import annotations

from gateway.formats.chat.read_stream import Reader
from gateway.formats.chat.write_stream import Writer

__all__ = ["Reader", "Writer"]
