"""How pools and backends look: cards, meters and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.admin import strips
from gateway.control.pool_stats import BackendStats, BackendStatus, PoolStats

_SHADES = 6

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


@dataclass(frozen=True, slots=True)
class PoolCard:
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


@dataclass(frozen=True, slots=True)
class BackendRow:
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


def backend_groups(pools: Sequence[PoolStats]) -> list[tuple[str, list[BackendRow]]]:
    """Every backend under its pool, in the order in which they are tried; empty pools are left out."""
    return [(pool.name, [backend_row(backend) for backend in pool.backends]) for pool in pools if pool.backends]


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
