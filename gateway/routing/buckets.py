"""A token bucket with continuous refill: no double burst at a minute's boundary."""

from __future__ import annotations

import msgspec

MINUTE = 60.0
DAY = 24 * 3600.0
MONTH = 30 * DAY

_ROUNDING = 1e-9
"""Share of the limit that may be missing: refilling 60 times a second must not lose the last fraction to rounding."""


class TokenBucket(msgspec.Struct):
    """`limit` requests or tokens in `period` seconds, at most that many at once. Times are monotonic seconds.

    A refused take consumes nothing. What is settled afterwards may leave a level below zero: a debt.
    """

    limit: int
    level: float
    updated: float
    period: float = MINUTE

    @classmethod
    def full(cls, limit: int, now: float, period: float = MINUTE) -> TokenBucket:
        return cls(limit, float(limit), now, period)

    def take(self, now: float, amount: int = 1) -> bool:
        if self.seconds_until(now, amount) != 0.0:
            return False
        self.level -= amount
        return True

    def give_back(self, amount: int = 1) -> None:
        """Undo a take whose request was never sent; below zero, take what was not reserved."""
        self.level = min(float(self.limit), self.level + amount)

    def seconds_until(self, now: float, amount: int = 1) -> float | None:
        """0 where a take would succeed now; None where it never will.

        More than the whole bucket is there when the bucket is full: it would never be otherwise.
        """
        if self.limit == 0:
            return None
        self.refill(now)
        missing = min(amount, self.limit) - self.level
        return 0.0 if missing <= _ROUNDING * self.limit else missing * self.period / self.limit

    def resize(self, limit: int, now: float) -> None:
        """Another limit: what was used stays used. A smaller one makes no debt, and none is forgiven."""
        self.refill(now)
        used = self.limit - self.level
        self.level = max(min(0.0, self.level), limit - used)
        self.limit = limit

    def refill(self, now: float) -> None:
        if now > self.updated:
            self.level = min(float(self.limit), self.level + (now - self.updated) * self.limit / self.period)
            self.updated = now
