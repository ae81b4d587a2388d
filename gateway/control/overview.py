"""What the overview page shows, and the arithmetic for it. Pure: the rows come from control/requests.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from gateway.control.pool_stats import BackendStats, BackendStatus, PoolStats
from gateway.model.histograms import FIRST_BYTE_BOUNDS_MS, percentile
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS, Sums, whole
from gateway.routing.state import RestKind
from gateway.store.attempt_minutes import ProviderMinute
from gateway.store.calls import CallRow
from gateway.store.figures import Group

_SHOWN_MODELS = 4
STRIP_MINUTES = 60


class Span(msgspec.Struct, frozen=True):
    """A range that the page offers, and the width of one point of its chart.

    It begins where a minute, an hour or a day does, by `step_ms`; the running one is its last.
    """

    code: str
    label: str
    length_ms: int
    bucket_ms: int
    step_ms: int

    def since(self, until: int) -> int:
        """Where it begins that ends then, in Unix ms."""
        return whole(until, self.step_ms) - self.length_ms


SPANS: Mapping[str, Span] = MappingProxyType(
    {
        "1h": Span("1h", "Last hour", HOUR_MS, 2 * MINUTE_MS, MINUTE_MS),
        "24h": Span("24h", "Last 24 hours", DAY_MS, HOUR_MS, HOUR_MS),
        "7d": Span("7d", "Last 7 days", 7 * DAY_MS, 4 * HOUR_MS, HOUR_MS),
        "30d": Span("30d", "Last 30 days", 30 * DAY_MS, DAY_MS, DAY_MS),
    }
)
DEFAULT_SPAN = "24h"


class Line(msgspec.Struct, frozen=True):
    """Requests of one model per bucket. `other` sums the models that have no line of their own."""

    model: str
    requests: tuple[int, ...]


class Bucket(msgspec.Struct, frozen=True):
    """Everything in one bucket of time, for the small charts. `at` is its start in Unix milliseconds."""

    at: int
    requests: int
    errors: int
    tokens: int
    cost_nano: int


class FirstByte(msgspec.Struct, frozen=True):
    """Calls by time to first byte, in the buckets of FIRST_BYTE_BOUNDS_MS; percentiles in ms, None without calls."""

    counts: tuple[int, ...]
    p50: float | None
    p95: float | None
    p99: float | None


class Cell(msgspec.Struct, frozen=True):
    """Attempts in one minute."""

    ok: int
    failed: int
    limited: int


class ProviderStrip(msgspec.Struct, frozen=True):
    """The last hour of a provider, oldest minute first. `up` is ok / all, None where nothing was tried."""

    provider: str
    cells: tuple[Cell, ...]
    up: float | None


class Attention(msgspec.Struct, frozen=True):
    """Something an operator should look at. `kind`: cooling, open, quota, refused, unbound, env_missing or unpriced.

    `subject` is the backend's or model's name, with the API formats where it is not so with all of its key's;
    `subject_id` the backend's id or the model's code.
    """

    kind: str
    subject: str
    subject_id: str
    sentence: str
    seconds: float | None = None


class Kept(msgspec.Struct, frozen=True):
    """How long requests are kept and in how many bytes, None without a limit; how many are used, and since when."""

    days: int | None
    most_bytes: int | None
    used_bytes: int
    oldest_at: int | None


class Overview(msgspec.Struct, frozen=True):
    """`before` is the same time one length of the span earlier. Times are Unix milliseconds."""

    span: Span
    since: int
    until: int
    totals: Sums
    before: Sums
    lines: tuple[Line, ...]
    buckets: tuple[Bucket, ...]
    first_byte: FirstByte
    first_byte_before: FirstByte
    providers: tuple[ProviderStrip, ...]
    recent: tuple[CallRow, ...]
    pools: tuple[PoolStats, ...]
    attention: tuple[Attention, ...]
    kept: Kept


def bucket_count(span: Span) -> int:
    return span.length_ms // span.bucket_ms


def lines(groups: Sequence[Group], length: int) -> tuple[Line, ...]:
    """One line for each of the models with most requests, then `other` where there are more. By model and bucket."""
    sums: dict[str, int] = {}
    for item in groups:
        sums[item.first] = sums.get(item.first, 0) + item.sums.requests
    ranked = sorted((model for model in sums if model), key=lambda model: (-sums[model], model))
    own = ranked[:_SHOWN_MODELS]
    points = {model: [0] * length for model in (*own, "other")}
    for item in groups:
        name = item.first if item.first in own else "other"
        points[name][min(item.bucket, length - 1)] += item.sums.requests
    return tuple(Line(model, tuple(found)) for model, found in points.items() if model in own or any(found))


def buckets(groups: Sequence[Group], since: int, span: Span) -> tuple[Bucket, ...]:
    length = bucket_count(span)
    found = [Bucket(since + number * span.bucket_ms, 0, 0, 0, 0) for number in range(length)]
    for item in groups:
        number = min(item.bucket, length - 1)
        there = found[number]
        found[number] = Bucket(
            there.at,
            there.requests + item.sums.requests,
            there.errors + item.sums.failed,
            there.tokens + item.sums.tokens,
            there.cost_nano + item.sums.cost_nano,
        )
    return tuple(found)


def first_byte(counts: Sequence[int]) -> FirstByte:
    p50, p95, p99 = (percentile(counts, share, FIRST_BYTE_BOUNDS_MS) for share in (0.5, 0.95, 0.99))
    return FirstByte(tuple(counts), p50, p95, p99)


def strips(minutes: Sequence[ProviderMinute], names: Sequence[str]) -> tuple[ProviderStrip, ...]:
    """A strip for each of `names`, and for providers that are gone but were tried."""
    cells = {name: [Cell(0, 0, 0)] * STRIP_MINUTES for name in names}
    for item in minutes:
        of_provider = cells.setdefault(item.provider, [Cell(0, 0, 0)] * STRIP_MINUTES)
        number = min(item.minute, STRIP_MINUTES - 1)
        there = of_provider[number]
        of_provider[number] = Cell(there.ok + item.ok, there.failed + item.failed, there.limited + item.limited)
    return tuple(ProviderStrip(name, tuple(found), _up(found)) for name, found in cells.items())


def attention(pools: Sequence[PoolStats], groups: Sequence[Group]) -> tuple[Attention, ...]:
    """Backends that rest or cannot be used, then models that were used without a price.

    What holds for several backends of a key is told once, by the longest.
    """
    found = []
    backends = [backend for pool in pools for backend in pool.backends]
    of_key = Counter(backend.key_id for backend in backends)
    troubled: dict[tuple[str, str], list[BackendStats]] = {}
    for backend in backends:
        kind = _kind(backend)
        if kind is not None:
            troubled.setdefault((backend.key_id, kind), []).append(backend)
    for (key_id, kind), alike in troubled.items():
        worst = max(alike, key=lambda backend: backend.seconds_left)
        formats = ", ".join(backend.api_format for backend in alike)
        subject = worst.name if len(alike) == of_key[key_id] else f"{worst.name} ({formats})"
        found.append(Attention(kind, subject, worst.id, worst.reason, worst.seconds_left or None))
    unpriced = sorted({item.first for item in groups if item.sums.unpriced and item.first})
    sentence = "It was used and has no price; its cost is not counted."
    return (*found, *(Attention("unpriced", model, model, sentence) for model in unpriced))


def _kind(backend: BackendStats) -> str | None:
    """What is wrong with it; None where nothing is."""
    if backend.status is BackendStatus.COOLING and backend.rest_kind is not RestKind.LIMITED:
        return backend.rest_kind.value
    return _KINDS.get(backend.status)


_KINDS: Mapping[BackendStatus, str] = MappingProxyType(
    {
        BackendStatus.COOLING: "cooling",
        BackendStatus.OPEN: "open",
        BackendStatus.UNBOUND: "unbound",
        BackendStatus.ENV_MISSING: "env_missing",
    }
)


def _up(cells: Sequence[Cell]) -> float | None:
    tried = sum(cell.ok + cell.failed + cell.limited for cell in cells)
    return sum(cell.ok for cell in cells) / tried if tried else None
