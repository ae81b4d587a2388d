"""What a client asked, in whichever format: taken apart as far as routing needs, the rest untouched."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from gateway.formats.body import WINDOW, Fields, holds
from gateway.hiding import hiding
from gateway.model.registry import ApiFormat


class Asked(msgspec.Struct, frozen=True):
    """A request as it came in, for a format to read.

    `action` is which of the format's paths was called (`edits`, `count_tokens`; empty for the only or main one).
    `model` and `is_stream` are what the path itself says, as Gemini's does.
    """

    body: bytes
    action: str = ""
    model: str = ""
    is_stream: bool = False

    __repr__ = hiding("body")


class Request(msgspec.Struct, frozen=True):
    """`fields` are the body's, raw; `wants_usage` is whether the client asked for the usage chunk of a stream.

    `model` is in `fields` only where the format has it there. `action` as in `Asked`. `source` is the body that the
    fields came from, empty where they are no longer those: `with_fields` changes them.
    """

    api_format: ApiFormat
    model: str
    is_stream: bool
    fields: Fields
    wants_usage: bool = False
    action: str = ""
    source: bytes = b""

    __repr__ = hiding("fields", "source")

    def with_fields(self, fields: Fields) -> Request:
        return replace(self, fields=fields, source=b"")

    def lacks(self, word: bytes) -> bool:
        """Whether it is known, without a copy of anything, that this is nowhere in it."""
        source = self.source
        if len(source) >= WINDOW:
            return not holds(source, word)
        return source != b"" and source.find(word) < 0  # `in` first tries whether the word is a number

    def holds(self, name: str, word: bytes) -> bool:
        """Whether the raw value of a field has this in it."""
        return not self.lacks(word) and name in self.fields and holds(self.fields[name], word)


class Facts(msgspec.Struct, frozen=True):
    """What routing goes by. `tokens` is the estimate of the question that is taken from limits of tokens per minute,
    `most_input` and `most_output` the most tokens that the call can come to.

    `capabilities` are those the body shows that it needs; `session` holds a conversation together, empty where nobody
    asked for it.
    """

    capabilities: frozenset[str] = frozenset()
    tokens: int = 0
    most_input: int = 0
    most_output: int = 0
    session: str = ""
