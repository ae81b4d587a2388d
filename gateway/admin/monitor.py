"""The health monitor as a page shows it: a strip of cells, counts and the newest events of each endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from gateway.admin.pools import place_of
from gateway.admin.site import Site
from gateway.admin.strips import PITCH, VERDICTS, Box
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import full_time, percent
from gateway.control import health_monitor
from gateway.control.health_monitor import EndpointMonitor, EventKind, MonitorCell, MonitorEvent
from gateway.errors import InvalidFields, Unavailable

HOURS = (1, 6, 24, 72)
_MOST_IDLE = 2

_LOOKS: Mapping[EventKind, tuple[str, str]] = MappingProxyType(
    {
        EventKind.SUCCESS: ("good", "Answered"),
        EventKind.FAILED: ("bad", "Failed"),
        EventKind.LIMITED: ("warn", "Limited"),
        EventKind.OTHER: ("", "Says nothing of health"),
        EventKind.SKIPPED: ("", "Passed by"),
    }
)


class EventRow(msgspec.Struct, frozen=True):
    """An event with its colour and what happened in words."""

    event: MonitorEvent
    look: str
    words: str


class MonitorRow(msgspec.Struct, frozen=True):
    """An endpoint: `words` say what the strip shows, `counts` are colours, numbers and words."""

    of: EndpointMonitor
    boxes: tuple[Box, ...]
    words: str
    counts: tuple[tuple[str, int, str], ...]
    since: int
    events: tuple[EventRow, ...]


class Monitored(msgspec.Struct, frozen=True):
    """`form` is what the page's address asks for; with faults, what is shown is the usual.

    `trouble` says why nothing is shown: the rest of the page does not wait for it. Of many endpoints those where
    nothing happened have no row; `idle` are their API formats.
    """

    lookback_hours: int
    per_endpoint_limit: int
    rows: tuple[MonitorRow, ...]
    form: FormView
    trouble: str = ""
    hours: tuple[int, ...] = HOURS
    idle: tuple[str, ...] = ()


async def look(site: Site, visit: Visit, provider_id: str) -> Monitored:
    """As the page's address asks for it."""
    query = visit.request.query_params
    asked = {field.name: query[field.name][:20] for field in health_monitor.FILTERS if query.get(field.name)}
    faults: Mapping[str, str] = {}
    try:
        wanted = health_monitor.parse(asked)
    except InvalidFields as error:
        faults, wanted = error.fields, health_monitor.parse({})
    hours, limit = wanted["lookback_hours"], wanted["per_endpoint_limit"]
    form = FormView({"per_endpoint_limit": str(limit), **asked}, faults)
    try:
        found = await health_monitor.look(site.desk, provider_id, {name: str(value) for name, value in wanted.items()})
    except Unavailable as error:
        return Monitored(hours, limit, (), form, error.message)
    endpoints = sorted(found.endpoints, key=lambda one: place_of(one.api_format))
    idle = tuple(one.api_format for one in endpoints if not one.events) if len(endpoints) > _MOST_IDLE else ()
    rows = tuple(_row(one) for one in endpoints if one.api_format not in idle)
    return Monitored(hours, limit, rows, form, idle=idle)


def state_of(cell: MonitorCell) -> str:
    """A CSS class. A cell in which the endpoint was only passed by is skipped, not healthy."""
    health = cell.success + cell.failed
    if cell.failed and cell.failed * 2 >= health:
        return "failed"
    if cell.failed or cell.limited:
        return "limited"
    if cell.success:
        return "ok"
    if cell.other:
        return "other"
    return "skipped" if cell.skipped else "none"


def _row(found: EndpointMonitor) -> MonitorRow:
    boxes = tuple(Box(index * PITCH, state_of(cell), _cell_words(cell)) for index, cell in enumerate(found.cells))
    words = f"{percent(found.success_rate)} answered of what says something of health; {found.skipped} times passed by"
    return MonitorRow(
        found, boxes, words, _legend(found), found.cells[0].since, tuple(_event(event) for event in found.events)
    )


def _legend(found: EndpointMonitor) -> tuple[tuple[str, int, str], ...]:
    """What the colours of the strip mean, with the numbers."""
    always = (
        ("good", found.success, "answered"),
        ("bad", found.failed, "failed"),
        ("warn", found.limited, "limited"),
        ("skipped", found.skipped, "passed by"),
    )
    return (*always, ("other", found.other, "without a word on health")) if found.other else always


def _event(event: MonitorEvent) -> EventRow:
    look, words = _LOOKS[event.kind]
    return EventRow(event, look, VERDICTS.get(event.outcome, words))


def _cell_words(cell: MonitorCell) -> str:
    parts = [f"{number} {words}" for number, words in _counts(cell) if number]
    return f"from {full_time(cell.since)[:16]} UTC: {', '.join(parts) or 'nothing'}"


def _counts(cell: MonitorCell) -> tuple[tuple[int, str], ...]:
    return (
        (cell.success, "answered"),
        (cell.failed, "failed"),
        (cell.limited, "limited"),
        (cell.other, "without a word on health"),
        (cell.skipped, "passed by"),
    )
