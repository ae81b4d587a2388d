"""How the endpoints of a provider were doing lately, out of the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

import msgspec

from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, Values, read
from gateway.control.lookup import require
from gateway.model.registry import Endpoint
from gateway.store import endpoint_events, endpoints, providers
from gateway.store.endpoint_events import SKIPPED, EndpointEvent

CELLS = 60
_HOUR_MS = 3600 * 1000

FILTERS: Table = (
    Field("lookback_hours", Kind.INT, "How far to look back.", default=6, least=1, most=72),
    Field("per_endpoint_limit", Kind.INT, "At most so many events of each endpoint.", default=48, least=10, most=200),
)


class EventKind(StrEnum):
    """What an event says of health. LIMITED and OTHER say nothing of it: a limit, a client's fault, a client that left.

    SKIPPED: the endpoint was passed by and nothing was sent.
    """

    SUCCESS = "success"
    FAILED = "failed"
    LIMITED = "limited"
    OTHER = "other"
    SKIPPED = "skipped"


_KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        "ok": EventKind.SUCCESS,
        "failed": EventKind.FAILED,
        "credentials_refused": EventKind.FAILED,
        "rate_limited": EventKind.LIMITED,
        SKIPPED: EventKind.SKIPPED,
    }
)
"""As routing/health.py counts for the circuit breaker; every other outcome is OTHER."""


class MonitorEvent(msgspec.Struct, frozen=True):
    """One attempt, or one call that passed the endpoint by. Times as in the ledger: Unix milliseconds."""

    kind: EventKind
    at: int
    backend: str
    call_id: str
    outcome: str
    status: int | None
    latency_ms: int | None
    error: str


class MonitorCell(msgspec.Struct, frozen=True):
    """Events of one stretch of time, counted by what they say."""

    since: int
    success: int
    failed: int
    limited: int
    other: int
    skipped: int


class EndpointMonitor(msgspec.Struct, frozen=True):
    """`events` are the newest ones, newest first, and everything is counted over them.

    `success_rate` is success / (success + failed), None where there is neither. `is_cut`: there were more events than
    are listed, so that the cells begin at the oldest of these instead of at the beginning of the span.
    """

    id: str
    api_format: str
    base_url: str
    is_active: bool
    success: int
    failed: int
    limited: int
    other: int
    skipped: int
    success_rate: float | None
    last_at: int | None
    is_cut: bool
    cells: tuple[MonitorCell, ...]
    events: tuple[MonitorEvent, ...]


class ProviderMonitor(msgspec.Struct, frozen=True):
    """The endpoints of one provider from `since` to `until`, Unix milliseconds."""

    provider_id: str
    provider: str
    since: int
    until: int
    lookback_hours: int
    per_endpoint_limit: int
    endpoints: tuple[EndpointMonitor, ...]


def parse(raw: Mapping[str, object]) -> Values:
    """What query parameters ask for; the usual where they say nothing. Raises InvalidFields."""
    return read(FILTERS, raw, partial=False, text=True)


async def look(desk: Desk, provider_id: str, raw: Mapping[str, object]) -> ProviderMonitor:
    """`raw` are query parameters. Raises NotFound or InvalidFields."""
    wanted = parse(raw)
    until = desk.clock.wall_ms()
    since = until - wanted["lookback_hours"] * _HOUR_MS
    most = wanted["per_endpoint_limit"]
    async with desk.db.read() as tx:
        provider = require(await providers.get(tx, provider_id), "provider")
        there = await endpoints.of_provider(tx, provider.id)
        # One more than is shown tells whether there were more.
        events = {row.id: await endpoint_events.newest(tx, row.id, since, most + 1) for row in there}
    return ProviderMonitor(
        provider_id=provider.id,
        provider=provider.name,
        since=since,
        until=until,
        lookback_hours=wanted["lookback_hours"],
        per_endpoint_limit=most,
        endpoints=tuple(monitored(endpoint, events[endpoint.id], most, (since, until)) for endpoint in there),
    )


def monitored(endpoint: Endpoint, rows: Sequence[EndpointEvent], most: int, span: tuple[int, int]) -> EndpointMonitor:
    """`rows` newest first, one more than `most` where there were more."""
    is_cut = len(rows) > most
    events = tuple(_event(row) for row in rows[:most])
    since = events[-1].at if is_cut else span[0]
    success, failed = _count(events, EventKind.SUCCESS), _count(events, EventKind.FAILED)
    return EndpointMonitor(
        id=endpoint.id,
        api_format=endpoint.api_format.value,
        base_url=endpoint.base_url,
        is_active=endpoint.is_active,
        success=success,
        failed=failed,
        limited=_count(events, EventKind.LIMITED),
        other=_count(events, EventKind.OTHER),
        skipped=_count(events, EventKind.SKIPPED),
        success_rate=success / (success + failed) if success + failed else None,
        last_at=events[0].at if events else None,
        is_cut=is_cut,
        cells=cells(events, since, span[1]),
        events=events,
    )


def cells(events: Sequence[MonitorEvent], since: int, until: int) -> tuple[MonitorCell, ...]:
    """CELLS stretches of equal length, oldest first."""
    width = max(1, -(-(until + 1 - since) // CELLS))
    found: list[list[MonitorEvent]] = [[] for _ in range(CELLS)]
    for event in events:
        found[min(CELLS - 1, max(0, (event.at - since) // width))].append(event)
    return tuple(
        MonitorCell(since + number * width, *(_count(inside, kind) for kind in EventKind))
        for number, inside in enumerate(found)
    )


def _event(row: EndpointEvent) -> MonitorEvent:
    return MonitorEvent(
        kind=_KINDS.get(row.outcome, EventKind.OTHER),
        at=row.at,
        backend=row.backend,
        call_id=row.call_id,
        outcome=row.outcome,
        status=row.status,
        latency_ms=row.latency_ms,
        error=row.error,
    )


def _count(events: Sequence[MonitorEvent], kind: EventKind) -> int:
    return sum(event.kind is kind for event in events)
