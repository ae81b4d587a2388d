"""Events read many at a time: most of a stream's differ from the one before in one text alone.

Such an event is not decoded: where all around the text is as it was, only its characters are counted. What the text is
is learned from an event that was decoded, and tried on a made-up one before it is relied on.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.formats.metering import Tap

_PROBE = "some other text"
_MOST_LESSONS = 16
"""Streams whose events all differ in more than a text are decoded one by one, and not learned from for ever."""


class Blocks:
    """`tap` reads along; `new_tap` makes another one like it."""

    __slots__ = ("_after", "_before", "_least", "_lessons", "_new_tap", "tap")

    def __init__(self, tap: Tap, new_tap: Callable[[], Tap]) -> None:
        self.tap = tap
        self._new_tap = new_tap
        self._before, self._after, self._least = b"\0", b"\0", 0
        self._lessons = _MOST_LESSONS

    def read(self, block: bytes) -> list[bytes]:
        """Take note of whole events that end with an empty line (\\n\\n); those that only tell the usage."""
        before, after, least, count = self._before, self._after, self._least, 0
        of_usage = []
        for event in block[:-2].split(b"\n\n"):
            if event.startswith(before) and event.endswith(after) and len(event) >= least:
                text = event[len(before) : len(event) - len(after)]
                if text.find(b'"') < 0 and text.find(b"\\") < 0 and text.find(b"\n") < 0:
                    count += len(text) if text.isascii() else len(text.decode("utf-8", "replace"))
                    continue
            had_output = self.tap.has_output
            if self.tap.read(event):
                of_usage.append(event + b"\n\n")
            elif self._lessons and self.tap.said and had_output:  # the first one is waited for
                self._learn(event, self.tap.said)
                before, after, least = self._before, self._after, self._least
        self.tap.characters += count
        return of_usage

    def _learn(self, event: bytes, said: str) -> None:
        self._lessons -= 1
        text = said.encode("utf-8", "replace")
        start = event.find(b'"' + text + b'"') + 1
        before, after = event[:start], event[start + len(text) :]
        probe = self._new_tap()
        if start and not probe.read(before + _PROBE.encode() + after) and probe.said == _PROBE:
            self._before, self._after, self._least = before, after, len(before) + len(after)
