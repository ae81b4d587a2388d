"""What changes while calls are served: buckets, rests, breakers, faults and calls in flight, per backend.

Times are monotonic seconds and come in as arguments. What must survive a restart is named in `dirty` and
written behind by the ledger's writer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.routing.breaker import Breaker
from gateway.routing.buckets import TokenBucket
from gateway.routing.retry_budget import RetryBudget
from gateway.routing.snapshot import Backend


class RestKind(StrEnum):
    """Why a backend rests: a passing limit, money or quota that is used up, or a key that the provider refuses."""

    LIMITED = "limited"
    QUOTA = "quota"
    REFUSED = "refused"


@dataclass(slots=True)
class BackendState:
    """`fault` is why the last attempt failed, empty after a success. `streak` counts rests without a success.

    After a rest ends, `needs_probe` lets exactly one call go first, the `probe_holder`; the others pass by until
    it is answered.
    """

    bucket: TokenBucket | None = None
    resting_until: float = 0.0
    rest_reason: str = ""
    rest_kind: RestKind = RestKind.LIMITED
    streak: int = 0
    needs_probe: bool = False
    probe_holder: str = ""
    in_flight: int = 0
    fault: str = ""
    fault_at_ms: int | None = None
    successes: int = 0
    failures: int = 0
    breaker: Breaker = field(default_factory=Breaker)

    def rest(self, until: float, reason: str, kind: RestKind = RestKind.LIMITED) -> None:
        """Rest until then. A new deadline never shortens an old one."""
        if until > self.resting_until:
            self.resting_until = until
            self.rest_reason = reason
            self.rest_kind = kind
        self.needs_probe = True

    @property
    def probing(self) -> bool:
        return self.probe_holder != ""

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.resting_until - now)

    def clear(self) -> None:
        """An operator's word: rested, no fault, no streak, breaker closed."""
        self.breaker.clear()
        self.resting_until = 0.0
        self.rest_reason = ""
        self.streak = 0
        self.needs_probe = False
        self.probe_holder = ""
        self.fault = ""
        self.fault_at_ms = None


@dataclass(slots=True)
class RuntimeState:
    """All of it, in memory, changed only in the event loop's thread."""

    backends: dict[str, BackendState] = field(default_factory=dict)
    api_key_buckets: dict[str, TokenBucket] = field(default_factory=dict)
    dirty: set[str] = field(default_factory=set)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    usage_refusers: set[str] = field(default_factory=set)
    """Endpoints that answered 400 to a stream's usage being asked for; they are not asked again."""

    def of(self, backend_id: str) -> BackendState:
        state = self.backends.get(backend_id)
        if state is None:
            state = self.backends[backend_id] = BackendState()
        return state

    def bucket(self, backend: Backend, now: float) -> TokenBucket | None:
        """The backend's bucket under its present limit, or None where it has no limit."""
        if backend.key.rpm_limit is None and backend.id not in self.backends:
            return None
        state = self.of(backend.id)
        state.bucket = _fitting(state.bucket, backend.key.rpm_limit, now)
        return state.bucket

    def api_key_bucket(self, key_id: str, rpm_limit: int | None, now: float) -> TokenBucket | None:
        fitting = _fitting(self.api_key_buckets.get(key_id), rpm_limit, now)
        if fitting is None:
            self.api_key_buckets.pop(key_id, None)
        else:
            self.api_key_buckets[key_id] = fitting
        return fitting

    def clear(self, backend_id: str) -> None:
        self.of(backend_id).clear()
        self.dirty.add(backend_id)

    def forget_all_but(self, backend_ids: Iterable[str]) -> None:
        """Drop the state of backends that are gone."""
        kept = set(backend_ids)
        for gone in self.backends.keys() - kept:
            del self.backends[gone]
            self.dirty.add(gone)


def _fitting(bucket: TokenBucket | None, limit: int | None, now: float) -> TokenBucket | None:
    if limit is None:
        return None
    if bucket is None:
        return TokenBucket.full(limit, now)
    return bucket if bucket.per_minute == limit else bucket.resized(limit, now)
