"""Answers that come as bytes without events, such as sound: passed on as they arrive."""

from __future__ import annotations

import msgspec

from gateway.formats.metering import Tap
from gateway.model.calls import Usage


class NoSplitter:
    """Every piece as it came."""

    __slots__ = ()

    def whole(self, chunk: bytes) -> bytes:
        return chunk

    def rest(self) -> bytes:
        return b""


class RawTap(msgspec.Struct):
    """A metering.Tap: any byte is output, and the end of the bytes their end."""

    has_output: bool = False
    is_finished: bool = False
    error: str = ""
    usage: Usage | None = None
    characters: int = 0
    said: str = ""
    answer_id: str = ""

    def read(self, event: bytes) -> bool:
        self.has_output = self.has_output or bool(event)
        return False


class RawSide(msgspec.Struct):
    """A passage.StreamSide that changes nothing."""

    tap: Tap = msgspec.field(default_factory=RawTap)
    ping: bytes = b""
    tells_errors: bool = True
    lost: tuple[str, ...] = ()

    def pass_on(self, event: bytes) -> bytes:
        self.tap.read(event)
        return event

    def pass_block(self, block: bytes) -> bytes:
        return self.pass_on(block)

    def rest(self, rest: bytes) -> bytes:
        # A connection that breaks off raises before this.
        self.tap.is_finished = True
        return rest
