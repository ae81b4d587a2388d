"""A circuit breaker: a backend that mostly fails is left alone, then tried by one call at a time.

    closed ──(of the last 20 results within 300 s, 5 or more and half of them failed)──▶ open
    open ──(30 s, doubling with each opening up to the key's longest)──▶ half-open
    half-open ──(3 successes)──▶ closed, with an empty window
    half-open ──(2 failures)──▶ open
    open ──(nothing else can serve a call; once a second)──▶ half-open ──(1 failure)──▶ open until the same time

Only what speaks of the backend's health counts: not limits (those have their rests), not a client's fault, not a
client that left. Times are monotonic seconds and come in as arguments.
"""

from __future__ import annotations

from array import array

import msgspec

from gateway.model.words import Word

WINDOW_RESULTS = 20
WINDOW_SECONDS = 300.0
LEAST_RESULTS = 5
FAILED_SHARE = 0.5
OPEN_SECONDS = 30.0
LONGEST_OPEN_SECONDS = 32 * 60.0
SUCCESSES_TO_CLOSE = 3
FAILURES_TO_REOPEN = 2
EARLY_SECONDS = 1.0
"""Time between two tries of an open circuit before its time."""
TRIAL_PATIENCE = 1.0
"""Seconds after which a call that found another one trying looks again."""


class BreakerState(Word):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_CLOSED, _OPEN, _HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
"""Looked up once: each look into an enumeration's class takes Python 3.11 as long as a small function."""


class Breaker(msgspec.Struct, gc=False):
    """`openings` counts openings without a closing between them; `trial` is the one claim let in when half-open.
    Of each result in the window there is
    its time, and a bit of `failures`, the newest the lowest: every call of every backend looks here, so it is small.

    `resumes_at` is until when it was open before a call tried early, `early_at` when the next one may.
    """

    state: BreakerState = _CLOSED
    open_until: float = 0.0
    openings: int = 0
    trial: str = ""
    trial_successes: int = 0
    trial_failures: int = 0
    resumes_at: float = 0.0
    early_at: float = 0.0
    times: array[float] = msgspec.field(default_factory=lambda: array("d"))
    failures: int = 0

    @property
    def results(self) -> list[tuple[float, bool]]:
        """Of each in the window, oldest first, when it was and whether it succeeded."""
        ages = range(len(self.times) - 1, -1, -1)
        return [(at, not self.failures >> age & 1) for at, age in zip(self.times, ages, strict=True)]

    def seconds_until_trial(self, now: float) -> float:
        """How long to stay away; 0 where a call may come now."""
        if self.state is _OPEN and now < self.open_until:
            return self.open_until - now
        return TRIAL_PATIENCE if self.trial else 0.0

    def try_early(self, now: float) -> bool:
        """Nothing else can serve a call: let one try before the time. False where that is not to be."""
        if self.state is not _OPEN or now >= self.open_until or now < self.early_at:
            return False
        self.early_at = now + EARLY_SECONDS
        self.resumes_at, self.open_until = self.open_until, now
        return True

    def admit(self, claim_id: str, now: float) -> None:
        """A call goes to the backend; `seconds_until_trial` was 0."""
        if self.state is _OPEN and now >= self.open_until:
            self.state = _HALF_OPEN
            self.trial_successes = self.trial_failures = 0
        if self.state is _HALF_OPEN:
            self.trial = claim_id

    def abandon(self, claim_id: str) -> None:
        """The call ended without a word about health: another one may try."""
        if self.trial == claim_id:
            self.trial = ""

    def record(self, claim_id: str, *, succeeded: bool, now: float, longest_open: float = LONGEST_OPEN_SECONDS) -> bool:
        """A result; True where the state changed. Results of calls from before an opening say nothing new.

        `longest_open` bounds the seconds for which it may open now.
        """
        if self.state is _CLOSED:
            self._note(now, succeeded=succeeded)
            return self.failures > 0 and self._open_if_failing(now, longest_open)
        if self.trial != claim_id:
            return False
        self.trial = ""
        if not succeeded and now < self.resumes_at:
            # Tried before its time: as if it had not been.
            self.state, self.open_until = _OPEN, self.resumes_at
            return True
        self.resumes_at = 0.0
        self.trial_successes += succeeded
        self.trial_failures += not succeeded
        if self.trial_failures >= FAILURES_TO_REOPEN:
            self._open(now, longest_open)
        elif self.trial_successes >= SUCCESSES_TO_CLOSE:
            self.clear()
        return self.state is not _HALF_OPEN

    def clear(self) -> None:
        """Closed, with an empty window."""
        self.state = _CLOSED
        self.open_until = 0.0
        self.openings = 0
        self.trial = ""
        self.resumes_at = 0.0
        self._forget_all()

    def restore(self, openings: int, open_until: float) -> None:
        """What was written down before a restart: open until then, or already past it and to be tried."""
        if openings:
            self.state = _OPEN
            self.openings = openings
            self.open_until = open_until

    def _note(self, now: float, *, succeeded: bool) -> None:
        times = self.times
        times.append(now)
        self.failures = self.failures << 1 | (not succeeded)
        while len(times) > WINDOW_RESULTS or now - times[0] > WINDOW_SECONDS:
            del times[0]
        if self.failures:
            self.failures &= (1 << len(times)) - 1

    def _forget_all(self) -> None:
        del self.times[:]
        self.failures = 0

    def _open_if_failing(self, now: float, longest: float) -> bool:
        known = len(self.times)
        if known < LEAST_RESULTS or self.failures.bit_count() < FAILED_SHARE * known:
            return False
        self._open(now, longest)
        return True

    def _open(self, now: float, longest: float) -> None:
        self.state = _OPEN
        self.open_until = now + min(OPEN_SECONDS * 2 ** min(self.openings, 16), longest)
        self.openings += 1
        self.trial = ""
        self.resumes_at = 0.0
        self._forget_all()
