"""Anthropic Messages: streams, read and written."""

from __future__ import annotations

from gateway.formats.messages.read_stream import Reader
from gateway.formats.messages.write_stream import Writer

__all__ = ["Reader", "Writer"]
