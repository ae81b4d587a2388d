"""A token bucket with continuous refill: no double burst at a minute's boundary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class TokenBucket:
    """`per_minute` requests a minute, at most that many at once. Times are monotonic seconds.

    A refused take consumes nothing.
    """

    per_minute: int
    level: float
    updated: float

    @classmethod
    def full(cls, per_minute: int, now: float) -> TokenBucket:
        return cls(per_minute, float(per_minute), now)

    def take(self, now: float) -> bool:
        self._refill(now)
        if self.level < 1.0:
            return False
        self.level -= 1.0
        return True

    def give_back(self) -> None:
        """Undo a take whose request was never sent."""
        self.level = min(float(self.per_minute), self.level + 1.0)

    def seconds_until_one(self, now: float) -> float | None:
        """0 where a take would succeed now; None where it never will."""
        if self.per_minute == 0:
            return None
        self._refill(now)
        return 0.0 if self.level >= 1.0 else (1.0 - self.level) * 60.0 / self.per_minute

    def resized(self, per_minute: int, now: float) -> TokenBucket:
        """The same bucket under another limit: what was used stays used."""
        self._refill(now)
        used = self.per_minute - self.level
        return TokenBucket(per_minute, max(0.0, per_minute - used), now)

    def _refill(self, now: float) -> None:
        if now > self.updated:
            gained = (now - self.updated) * self.per_minute / 60.0
            # Refilling 60 times a second must not lose the last fraction to rounding.
            self.level = min(float(self.per_minute), self.level + gained + 1e-12)
            self.updated = now
