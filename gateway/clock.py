"""The two clocks. Whatever decides takes the time as an argument; only the edges read it here."""

from __future__ import annotations

import time
from typing import Protocol

loop_time = time.monotonic
"""What asyncio's event loops go by: to ask which loop runs is a system call each time."""


class Clock(Protocol):
    def wall_ms(self) -> int:
        """Unix time in milliseconds: for what is written down."""

    def mono(self) -> float:
        """Seconds that never go back: for limits, rests and deadlines."""


class SystemClock:
    mono = staticmethod(time.monotonic)

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000
