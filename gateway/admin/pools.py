"""How pools and backends look: cards, meters and rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from gateway.admin import strips
from gateway.control.pool_stats import BackendStats, BackendStatus, PoolStats
from gateway.model.registry import ApiFormat
from gateway.routing.snapshot import Snapshot

_SHADES = 6
_FEW, _FIRST = 3, 2
_LOUDEST = ("bad", "warn", "good", "")

_LOOKS: Mapping[BackendStatus, tuple[str, str]] = MappingProxyType(
    {
        BackendStatus.DISABLED: ("", "disabled"),
        BackendStatus.UNBOUND: ("bad", "enter key"),
        BackendStatus.ENV_MISSING: ("bad", "variable missing"),
        BackendStatus.COOLING: ("warn", "cooling"),
        BackendStatus.OPEN: ("bad", "circuit open"),
        BackendStatus.PROBING: ("warn", "trying"),
        BackendStatus.ERROR: ("bad", "error"),
        BackendStatus.HEALTHY: ("good", "healthy"),
        BackendStatus.UNKNOWN: ("", "not used yet"),
    }
)

_EXPLAINED = frozenset(
    {
        BackendStatus.COOLING,
        BackendStatus.OPEN,
        BackendStatus.ERROR,
        BackendStatus.ENV_MISSING,
        BackendStatus.UNBOUND,
    }
)


class PoolCard(msgspec.Struct, frozen=True):
    """A pool in numbers; `meter` is the same as one bar, `words` for those who cannot see it."""

    id: str
    name: str
    total: int
    enabled: int
    healthy: int
    cooling: int
    error: int
    meter: tuple[strips.Part, ...]
    words: str


class BackendRow(msgspec.Struct, frozen=True):
    """A backend as a row. `seconds` of its rest or open breaker, None without; `secret` its masked or env: form.

    `reason` is why it is not well, empty where the state says enough.
    """

    stats: BackendStats
    look: str
    state: str
    seconds: float | None
    reason: str
    secret: str
    initials: str
    shade: int
    can_clear: bool


def pool_cards(pools: Sequence[PoolStats]) -> list[PoolCard]:
    return [_card(pool) for pool in pools]


class KeyRow(msgspec.Struct, frozen=True):
    """A provider key with its backends: one for each API format that it is for, in the order of `ApiFormat`.

    `main` is the first of them, `lead` the one that needs attention most and speaks for all.
    """

    main: BackendRow
    lead: BackendRow
    backends: tuple[BackendRow, ...]

    @property
    def in_flight(self) -> int:
        return sum(row.stats.in_flight for row in self.backends)

    @property
    def shown(self) -> tuple[BackendRow, ...]:
        """All of a few; of many the first, and those that need attention."""
        first = self.backends[: _FEW if len(self.backends) <= _FEW else _FIRST]
        return tuple(row for row in self.backends if row in first or row.look in ("bad", "warn"))

    @property
    def others(self) -> tuple[str, ...]:
        """The API formats of those that are not shown."""
        return tuple(row.stats.api_format for row in self.backends if row not in self.shown)


def key_groups(pools: Sequence[PoolStats]) -> list[tuple[str, list[KeyRow]]]:
    """Every key under its pool, in the order in which they are tried; empty pools are left out."""
    return [(pool.name, key_rows(pool.backends)) for pool in pools if pool.backends]


def key_rows(backends: Iterable[BackendStats]) -> list[KeyRow]:
    """Keys in the order in which their first backends come."""
    by_key: dict[str, list[BackendRow]] = {}
    for backend in backends:
        by_key.setdefault(backend.key_id, []).append(backend_row(backend))
    return [_key_row(sorted(rows, key=lambda row: place_of(row.stats.api_format))) for rows in by_key.values()]


def _key_row(rows: Sequence[BackendRow]) -> KeyRow:
    return KeyRow(rows[0], min(rows, key=lambda row: loudness(row.stats)), tuple(rows))


def loudness(stats: BackendStats) -> tuple[int, bool]:
    """Lower for what needs more attention."""
    return _LOUDEST.index(_LOOKS[stats.status][0]), not stats.is_enabled


def place_of(api_format: str) -> int:
    """Of an API format among all of them: chats come first."""
    return list(ApiFormat).index(ApiFormat(api_format))


def several(snapshot: Snapshot) -> frozenset[str]:
    """The names that more backends than one have: those of keys that are for several API formats."""
    count = Counter(backend.name for backend in snapshot.backends.values())
    return frozenset(name for name, number in count.items() if number > 1)


def initials(name: str) -> str:
    return name[:2].capitalize()


def shade(name: str) -> int:
    """One of the colours of tiles, always the same for a name."""
    return sum(name.encode()) % _SHADES + 1


def _card(pool: PoolStats) -> PoolCard:
    off = max(0, pool.total - pool.healthy - pool.cooling - pool.error)
    meter = strips.meter(
        [
            ("ok", "healthy", pool.healthy),
            ("limited", "cooling", pool.cooling),
            ("failed", "in error", pool.error),
            ("none", "disabled or not used yet", off),
        ]
    )
    words = ", ".join(part.title for part in meter)
    return PoolCard(pool.id, pool.name, pool.total, pool.enabled, pool.healthy, pool.cooling, pool.error, meter, words)


def look_of(status: BackendStatus) -> tuple[str, str]:
    """Its colour (good, warn, bad or none) and its name."""
    return _LOOKS[status]


def backend_row(stats: BackendStats) -> BackendRow:
    look, state = _LOOKS[stats.status]
    counts_down = stats.status in (BackendStatus.COOLING, BackendStatus.OPEN)
    return BackendRow(
        stats=stats,
        look=look,
        state=state,
        seconds=stats.seconds_left if counts_down else None,
        reason=stats.reason if stats.status in _EXPLAINED else "",
        secret=f"env:{stats.env_name}" if stats.env_name else stats.masked,
        initials=initials(stats.provider),
        shade=shade(stats.provider),
        can_clear=bool(stats.seconds_left or stats.fault or stats.streak or stats.status is BackendStatus.PROBING),
    )
