"""A stream's way back to the client, whatever is done to it on the way."""

from __future__ import annotations

from typing import Protocol

from gateway.formats.metering import Tap


class StreamSide(Protocol):
    """A stream's way back to the client. `tap` has read all that was passed on; `ping` fills a long silence.

    `tells_errors`: an error inside the stream is passed on like everything else; else somebody must tell it.
    """

    @property
    def ping(self) -> bytes: ...

    @property
    def tells_errors(self) -> bool: ...

    @property
    def tap(self) -> Tap: ...

    @property
    def lost(self) -> tuple[str, ...]:
        """Names of what was left out so far."""
        ...

    def pass_on(self, event: bytes) -> bytes:
        """What the client gets of one whole event of the provider's."""
        ...

    def pass_block(self, block: bytes) -> bytes | None:
        """The same of several whole events, one after the other; None where they must be looked at one by one."""
        ...

    def rest(self, rest: bytes) -> bytes:
        """What the client gets at the end, where `rest` came after the last whole event; nothing of a torn one."""
        ...
