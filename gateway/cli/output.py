"""What the program says, written by a thread of its own: who does not read it keeps nobody waiting but that thread."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import TextIO

MOST_LINES, MOST_BYTES = 5_000, 1024 * 1024
_END_SECONDS = 2.0


class Output:
    """Writes in the order of `put`. What was not taken yet is kept, up to a bound.

    Beyond it all is dropped and counted, until what is kept was taken; then `loss` makes the line that says how many.
    It goes past Python's own buffers, as whoever waits within those cannot be left behind at the end of the program.
    """

    def __init__(self, stream: TextIO, loss: Callable[[int], bytes]) -> None:
        self._stream = stream
        self._loss = loss
        self._kept: SimpleQueue[tuple[bytes, int, TextIO] | None] = SimpleQueue()
        # One that a thread may enter again: who collects garbage in there may have something to say.
        self._counting = threading.RLock()
        self._lines = self._bytes = self._lost = 0

    def put(self, data: bytes, lines: int = 1, stream: TextIO | None = None) -> None:
        """Whole lines, and how many; for another stream than usual where one is given. Never waits."""
        with self._counting:
            if self._lost or (self._lines and self._is_too_much(lines, len(data))):
                self._lost += lines
                return
            self._lines += lines
            self._bytes += len(data)
        self._kept.put((data, lines, stream or self._stream))

    def _is_too_much(self, lines: int, size: int) -> bool:
        return self._lines + lines > MOST_LINES or self._bytes + size > MOST_BYTES

    def end(self) -> None:
        """What is kept is still written, and then no more."""
        self._kept.put(None)

    def write_all(self) -> None:
        """Until the end; to be run in a thread."""
        while piece := self._kept.get():
            data, lines, stream = piece
            _write(data, stream)
            if lost := self._taken(lines, len(data)):
                _write(self._loss(lost) + b"\n", self._stream)

    def _taken(self, lines: int, size: int) -> int:
        """How many lines were lost, where it is time to tell."""
        lost = 0
        with self._counting:
            self._lines -= lines
            self._bytes -= size
            if self._lost and not self._lines:
                lost, self._lost = self._lost, 0
        return lost


def _write(data: bytes, stream: TextIO) -> None:
    try:
        descriptor, left = stream.fileno(), memoryview(data)
        while left:
            try:
                left = left[os.write(descriptor, left) :]
            except BlockingIOError:  # another program has it as well, and does not want to wait
                select.select([], [descriptor], [])
    except (OSError, ValueError):
        pass  # nobody reads it any more


@contextlib.contextmanager
def writing(stream: TextIO, loss: Callable[[int], bytes]) -> Generator[Output]:
    """At the end a reader gets two seconds for what is kept; a thread that still waits for it ends with the program."""
    output = Output(stream, loss)
    thread = threading.Thread(target=output.write_all, name="output", daemon=True)
    thread.start()
    try:
        yield output
    finally:
        output.end()
        thread.join(_END_SECONDS)
