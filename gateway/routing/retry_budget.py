"""A budget for second tries: when everything fails, trying more makes it worse, and failing fast makes it better.

At most a fifth of the calls of any 10 seconds may be retries. A few are always allowed: twenty calls of one agent that
meet a limit at the same moment must all find another backend.
"""

from __future__ import annotations

from collections import deque

import msgspec

WINDOW_SECONDS = 10.0
SHARE = 0.2
ALWAYS = 50


class RetryBudget(msgspec.Struct):
    """Counts first tries and retries of the last WINDOW_SECONDS. Times are monotonic seconds."""

    calls: deque[float] = msgspec.field(default_factory=deque)
    retries: deque[float] = msgspec.field(default_factory=deque)

    def first_try(self, now: float) -> None:
        _forget(self.calls, now)
        self.calls.append(now)

    def take(self, now: float) -> bool:
        """One retry, where there is one left; a refusal counts nothing."""
        _forget(self.calls, now)
        _forget(self.retries, now)
        if len(self.retries) >= max(ALWAYS, int(SHARE * len(self.calls))):
            return False
        self.retries.append(now)
        return True


def _forget(times: deque[float], now: float) -> None:
    while times and now - times[0] >= WINDOW_SECONDS:
        times.popleft()
