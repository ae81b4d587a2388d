"""What changes while calls are served: buckets, places, rests, breakers, faults and what was learned and spent.

Times are monotonic seconds and come in as arguments. What must survive a restart is named in `dirty` and
written behind by the ledger's writer.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.model.words import Word
from gateway.routing.adaptive import Adaptive
from gateway.routing.affinity import Affinities
from gateway.routing.breaker import Breaker
from gateway.routing.buckets import MINUTE, TokenBucket
from gateway.routing.endpoint_rests import EndpointRest
from gateway.routing.quota import Spend
from gateway.routing.retry_budget import RetryBudget
from gateway.routing.snapshot import Backend
from gateway.routing.spends import Spends


class RestKind(Word):
    """Why a backend rests: a passing limit, money or quota that is used up, or a key that the provider refuses."""

    LIMITED = "limited"
    QUOTA = "quota"
    REFUSED = "refused"


class BackendState(msgspec.Struct, gc=False):
    """`fault` is why the last attempt failed, empty after a success. `streak` counts rests without a success.

    After a rest ends, `needs_probe` lets exactly one call go first, the `probe_holder`; the others pass by until
    it is answered. `allowance` is how many calls at once the provider was seen to take, None as many as come;
    `allowed` counts successes since it last changed. `score` is the recent share of successes, for display alone,
    and `first_output_ms` the recent wait for the first output; None is unknown.
    """

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
    allowance: int | None = None
    allowed: int = 0
    score: float | None = None
    first_output_ms: float | None = None
    breaker: Breaker = msgspec.field(default_factory=Breaker)

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

    def is_usable(self, now: float) -> bool:
        return self.seconds_left(now) == 0 and self.breaker.seconds_until_trial(now) == 0

    def clear(self) -> None:
        """An operator's word: rested, no fault, no streak, breaker closed, as many calls at once as come."""
        self.breaker.clear()
        self.resting_until = 0.0
        self.rest_reason = ""
        self.streak = 0
        self.needs_probe = False
        self.probe_holder = ""
        self.fault = ""
        self.fault_at_ms = None
        self.allowance = None


class Dirty(msgspec.Struct):
    """What changed since it was last written: ids of backends and provider keys, names of buckets, base URLs.

    Of the backends in `averages` nothing but what each call moves a little: that may wait longer.
    """

    backends: set[str] = msgspec.field(default_factory=set)
    buckets: set[str] = msgspec.field(default_factory=set)
    endpoints: set[str] = msgspec.field(default_factory=set)
    learned: set[str] = msgspec.field(default_factory=set)
    averages: set[str] = msgspec.field(default_factory=set)

    def __bool__(self) -> bool:
        return self.is_urgent or bool(self.averages)

    @property
    def is_urgent(self) -> bool:
        return bool(self.backends or self.buckets or self.endpoints or self.learned)

    def take(self, *, with_averages: bool = True) -> Dirty:
        """Everything, or all that may not wait; afterwards that is not dirty any more."""
        averages = self.averages if with_averages else set()
        taken = Dirty(self.backends, self.buckets, self.endpoints, self.learned, averages)
        self.backends, self.buckets, self.endpoints, self.learned = set(), set(), set(), set()
        self.averages = set() if with_averages else self.averages
        return taken

    def put_back(self, taken: Dirty) -> None:
        self.backends |= taken.backends
        self.buckets |= taken.buckets
        self.endpoints |= taken.endpoints
        self.learned |= taken.learned
        self.averages |= taken.averages


class RuntimeState(msgspec.Struct):
    """All of it, in memory, changed only in the event loop's thread.

    `buckets` and `places` (calls at once) go by a name that says whose they are, as routing/limits.py makes it;
    `endpoint_rests` and `neighbours` by base URL, `learned` by provider key, `spent` by provider, with what calls
    under way have reserved there in `promised`; `spends` are those of API keys and users. `kept_levels` are what was
    left in buckets (level, monotonic time) before a restart: each is looked at when its bucket is first asked for.
    """

    backends: dict[str, BackendState] = msgspec.field(default_factory=dict)
    buckets: dict[str, TokenBucket] = msgspec.field(default_factory=dict)
    places: dict[str, int] = msgspec.field(default_factory=dict)
    endpoint_rests: dict[str, EndpointRest] = msgspec.field(default_factory=dict)
    learned: dict[str, Adaptive] = msgspec.field(default_factory=dict)
    spent: dict[str, Spend] = msgspec.field(default_factory=dict)
    promised: dict[str, int] = msgspec.field(default_factory=dict)
    spends: Spends = msgspec.field(default_factory=Spends)
    neighbours: Mapping[str, tuple[Backend, ...]] = msgspec.field(default_factory=dict)
    kept_levels: dict[str, tuple[float, float]] = msgspec.field(default_factory=dict)
    dirty: Dirty = msgspec.field(default_factory=Dirty)
    retry_budget: RetryBudget = msgspec.field(default_factory=RetryBudget)
    affinities: Affinities = msgspec.field(default_factory=Affinities)
    turns: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls of each model so far, for the pools that take turns."""
    usage_refusers: set[str] = msgspec.field(default_factory=set)
    """Endpoints that answered 400 to a stream's usage being asked for; they are not asked again."""

    def of(self, backend_id: str) -> BackendState:
        state = self.backends.get(backend_id)
        if state is None:
            state = self.backends[backend_id] = BackendState()
        return state

    def bucket(self, name: str, limit: int | None, now: float, period: float = MINUTE) -> TokenBucket | None:
        """The bucket of this name under its present limit, or None where it has no limit."""
        bucket = self.buckets.get(name)
        if limit is None:
            if bucket is not None:
                del self.buckets[name]
                self.dirty.buckets.add(name)
            return None
        if bucket is None:
            level, updated = self.kept_levels.pop(name, (float(limit), now))
            bucket = self.buckets[name] = TokenBucket(limit, min(level, float(limit)), updated, period)
        elif bucket.limit != limit:
            bucket.resize(limit, now)
            self.dirty.buckets.add(name)
        return bucket

    def endpoint_rest(self, base_url: str) -> EndpointRest:
        return self.endpoint_rests.setdefault(base_url, EndpointRest())

    def learned_of(self, key_id: str) -> Adaptive:
        found = self.learned.get(key_id)
        if found is None:
            found = self.learned[key_id] = Adaptive()
        return found

    def forget_learned(self, key_id: str, wall_ms: int) -> None:
        """An operator's word: nothing is known of this key's requests per minute."""
        if key_id in self.learned:
            self.learned[key_id].reset(wall_ms)
            self.dirty.learned.add(key_id)

    def clear(self, backend_id: str) -> None:
        """An operator's word: this backend may be tried at once, and so may its endpoint."""
        self.of(backend_id).clear()
        self.dirty.backends.add(backend_id)
        for base_url, there in self.neighbours.items():
            if base_url in self.endpoint_rests and any(backend.id == backend_id for backend in there):
                self.endpoint_rests[base_url].clear()
                self.dirty.endpoints.add(base_url)

    def follow(self, backends: Mapping[str, Backend]) -> None:
        """Know who shares a base URL, and forget what belongs to backends, keys and addresses that are gone."""
        neighbours: dict[str, list[Backend]] = {}
        for backend in backends.values():
            neighbours.setdefault(backend.endpoint.base_url, []).append(backend)
        self.neighbours = {base_url: tuple(found) for base_url, found in neighbours.items()}
        for gone in self.backends.keys() - backends.keys():
            del self.backends[gone]
            self.dirty.backends.add(gone)
        for base_url in self.endpoint_rests.keys() - neighbours.keys():
            del self.endpoint_rests[base_url]
            self.dirty.endpoints.add(base_url)
        keys = {backend.key.id for backend in backends.values()}
        for key_id in self.learned.keys() - keys:
            del self.learned[key_id]
            self.dirty.learned.add(key_id)
        for name in [*self.buckets, *self.kept_levels]:
            if name.startswith("key:") and name.split(":")[1] not in keys:
                self.buckets.pop(name, None)
                self.kept_levels.pop(name, None)
                self.dirty.buckets.add(name)
