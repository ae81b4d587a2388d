"""Gemini streamGenerateContent: streams, read and written."""

from __future__ import annotations

from gateway.formats.gemini.read_stream import Reader
from gateway.formats.gemini.write_stream import Writer

__all__ = ["Reader", "Writer"]
