"""Run as a program: step a database up, and end without a word at the n-th statement."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import Any

from gateway.store.migrate import migrate


def main(path: Path, number: int) -> None:
    left = number

    def count(statement: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    class Counting(sqlite3.Connection):
        def __init__(self, *args: Any, **words: Any) -> None:
            super().__init__(*args, **words)
            self.set_trace_callback(count)

    migrate(path, connect=partial(sqlite3.connect, factory=Counting))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
