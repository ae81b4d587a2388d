"""Learning a provider key's requests per minute from the provider's refusals, where the operator set no number.

There is no limit until there is evidence: two refusals that name the same number, or three at about the same count
of our own. What was learned is believed less from minute to minute and enforced while it is believed enough. Under
load it grows back to where the refusals were, and after a quiet half hour it tries one request more.

Times are monotonic seconds, `wall_ms` Unix milliseconds; both are arguments.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import asdict

LEAST_LIMIT, MOST_LIMIT = 5, 10_000
COUNT_SECONDS = 60
ENFORCED_FROM = 0.6
DECAY_PER_MINUTE = 0.005
NAMED_SHARE, NAMED_CONFIDENCE = 0.95, 0.9
COUNTED_SHARE, COUNTED_CONFIDENCE = 0.90, 0.75
COUNTED_SPREAD = 0.30
GROWTH, PROBE = 5, 1
QUIET_BEFORE_GROWTH = 300.0
QUIET_BEFORE_PROBE = 1800.0
SAMPLE_SECONDS = 10.0
"""Time between two looks at how much is used, so that growth takes most of a minute at least."""
SAMPLED_SECONDS = 120.0
LEAST_SAMPLES = 5
BUSY_USE, BUSY_SHARE = 0.7, 0.6


class Observation(msgspec.Struct, frozen=True):
    """One refusal: how many requests we had sent within a minute, and the limit that the provider named, if any."""

    at_ms: int
    counted: int
    named: int | None


class Adjustment(msgspec.Struct, frozen=True):
    """A change of the limit; None is no limit."""

    at_ms: int
    before: int | None
    after: int | None
    reason: str


class Learned(msgspec.Struct, frozen=True):
    """What is known of a key's limit, to be shown. `boundary` is where the refusals were; newest entries last."""

    limit: int | None
    boundary: int | None
    confidence: float
    enforced: bool
    observations: tuple[Observation, ...]
    adjustments: tuple[Adjustment, ...]
    requests_last_minute: int


class Adaptive(msgspec.Struct, gc=False):
    """`certainty` is the confidence at `confirmed_at`. `seconds` counts what was sent in each of the last seconds that
    are over, `sent_now` what was in the `second` that is not: every call counts there.
    """

    limit: int | None = None
    boundary: int | None = None
    certainty: float = 0.0
    confirmed_at: float = 0.0
    limited_at: float | None = None
    grown_at: float | None = None
    observations: deque[Observation] = msgspec.field(default_factory=lambda: deque(maxlen=10))
    adjustments: deque[Adjustment] = msgspec.field(default_factory=lambda: deque(maxlen=20))
    seconds: deque[tuple[int, int]] = msgspec.field(default_factory=lambda: deque(maxlen=COUNT_SECONDS + 1))
    second: int = -1
    sent_now: int = 0
    samples: deque[tuple[float, bool]] = msgspec.field(default_factory=deque)

    def sent(self, now: float, count: int = 1) -> None:
        """A request went out; with -1 one that was counted did not."""
        second = int(now)
        if second != self.second:
            if self.sent_now:
                self.seconds.append((self.second, self.sent_now))
            self.second, self.sent_now = second, 0
        self.sent_now = max(0, self.sent_now + count)

    def requests_last_minute(self, now: float) -> int:
        running = self.sent_now if now - self.second < COUNT_SECONDS else 0
        return running + sum(count for second, count in self.seconds if now - second < COUNT_SECONDS)

    def confidence(self, now: float) -> float:
        return max(0.0, self.certainty - DECAY_PER_MINUTE * max(0.0, now - self.confirmed_at) / 60)

    def enforced(self, now: float) -> int | None:
        """The limit to hold calls to, or None."""
        if self.limit is None:
            return None
        # Half an hour's decay of 0.75 is 0.6 but for rounding.
        return self.limit if self.confidence(now) >= ENFORCED_FROM - 1e-9 else None

    def refused(self, named: int | None, now: float, wall_ms: int) -> None:
        """The provider refused a request for its requests per minute, maybe naming the limit."""
        self.limited_at = now
        self.samples.clear()
        self.observations.append(Observation(wall_ms, self.requests_last_minute(now), named))
        if not self._confirm_named(now, wall_ms):
            self._confirm_counted(now, wall_ms)

    def succeeded(self, now: float, wall_ms: int) -> bool:
        """A request was answered; True where the limit grew for it."""
        if self.limit is None or (self.samples and now - self.samples[-1][0] < SAMPLE_SECONDS):
            return False
        self.samples.append((now, self.requests_last_minute(now) >= BUSY_USE * self.limit))
        while now - self.samples[0][0] > SAMPLED_SECONDS:
            self.samples.popleft()
        busy = sum(is_busy for _, is_busy in self.samples)
        if len(self.samples) < LEAST_SAMPLES or busy < BUSY_SHARE * len(self.samples):
            return False
        return self._grow(now, wall_ms)

    def reset(self, wall_ms: int) -> None:
        """An operator's word: nothing is known."""
        self._set(None, "An operator had it forgotten.", wall_ms)
        self.boundary, self.certainty = None, 0.0
        self.limited_at = self.grown_at = None
        self.observations.clear()
        self.samples.clear()

    def view(self, now: float) -> Learned:
        return Learned(
            limit=self.limit,
            boundary=self.boundary,
            confidence=self.confidence(now),
            enforced=self.enforced(now) is not None,
            observations=tuple(self.observations),
            adjustments=tuple(self.adjustments),
            requests_last_minute=self.requests_last_minute(now),
        )

    def _confirm_named(self, now: float, wall_ms: int) -> bool:
        """The newest refusal names a limit, and so did the one before that named any."""
        named = [seen.named for seen in self.observations if seen.named is not None][-2:]
        if self.observations[-1].named is None or len(named) < 2 or named[0] != named[1]:
            return False
        reason = f"Two refusals named a limit of {named[0]} requests per minute."
        self._confirm(named[0], NAMED_SHARE, reason, wall_ms)
        self.certainty, self.confirmed_at = NAMED_CONFIDENCE, now
        return True

    def _confirm_counted(self, now: float, wall_ms: int) -> None:
        """The last three refusals came at about the same count."""
        counted = [seen.counted for seen in self.observations][-3:]
        middle = int(statistics.median(counted))
        if len(counted) < 3 or any(abs(count - middle) > COUNTED_SPREAD * middle for count in counted):
            return
        reason = f"Three refusals came at about {middle} requests per minute."
        self._confirm(middle, COUNTED_SHARE, reason, wall_ms)
        self.certainty, self.confirmed_at = COUNTED_CONFIDENCE, now

    def _confirm(self, boundary: int, share: float, reason: str, wall_ms: int) -> None:
        self.boundary = _bounded(boundary)
        self._set(_bounded(int(boundary * share)), reason, wall_ms)

    def _grow(self, now: float, wall_ms: int) -> bool:
        quiet = now - max(at for at in (self.limited_at, self.grown_at, self.confirmed_at) if at is not None)
        since_refusal = now - (self.limited_at if self.limited_at is not None else self.confirmed_at)
        limit, boundary = self.limit or 0, self.boundary or 0
        if since_refusal < QUIET_BEFORE_GROWTH or limit >= MOST_LIMIT:
            return False
        if limit < boundary:
            self._set(min(limit + GROWTH, boundary), "It was used a lot and nothing was refused.", wall_ms)
        elif quiet >= QUIET_BEFORE_PROBE:
            self._set(limit + PROBE, "Half an hour was quiet: one more is tried.", wall_ms)
        else:
            return False
        self.grown_at = now
        self.samples.clear()
        return True

    def _set(self, limit: int | None, reason: str, wall_ms: int) -> None:
        if limit != self.limit:
            self.adjustments.append(Adjustment(wall_ms, self.limit, limit, reason))
        self.limit = limit


def to_stored(found: Adaptive, now: float, wall_ms: int) -> dict[str, Any]:
    """JSON values, times as Unix milliseconds. What was sent in the last minute is not kept."""

    def moment(at: float | None) -> int | None:
        return None if at is None else wall_ms + round((at - now) * 1000)

    return {
        "limit": found.limit,
        "boundary": found.boundary,
        "certainty": found.certainty,
        "confirmed_at": moment(found.confirmed_at),
        "limited_at": moment(found.limited_at),
        "grown_at": moment(found.grown_at),
        "observations": [asdict(seen) for seen in found.observations],
        "adjustments": [asdict(made) for made in found.adjustments],
    }


def from_stored(stored: Mapping[str, Any], now: float, wall_ms: int) -> Adaptive:
    def moment(at: int | None) -> float | None:
        return None if at is None else now + (at - wall_ms) / 1000

    found = Adaptive(
        limit=stored["limit"],
        boundary=stored["boundary"],
        certainty=stored["certainty"],
        confirmed_at=moment(stored["confirmed_at"]) or 0.0,
        limited_at=moment(stored["limited_at"]),
        grown_at=moment(stored["grown_at"]),
    )
    found.observations.extend(Observation(**seen) for seen in stored["observations"])
    found.adjustments.extend(Adjustment(**made) for made in stored["adjustments"])
    return found


def _bounded(limit: int) -> int:
    return max(LEAST_LIMIT, min(MOST_LIMIT, limit))
