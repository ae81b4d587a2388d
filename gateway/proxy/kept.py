"""The beginning of an answer, put aside while it passes."""

from __future__ import annotations

import msgspec


class Kept(msgspec.Struct):
    """No more than `most` bytes, and how long the answer was in all. Nothing at all where that is 0."""

    most: int = 0
    content: bytearray = msgspec.field(default_factory=bytearray)
    size: int = 0

    def add(self, data: bytes) -> None:
        if self.most:
            self.size += len(data)
            self.content += data[: self.most - len(self.content)]
