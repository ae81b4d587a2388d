"""What happened at the endpoints of a provider lately."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.control import backends, health_monitor
from gateway.control.backends import BackendMade
from gateway.control.desk import Desk
from gateway.control.health_monitor import CELLS, EventKind, MonitorEvent, ProviderMonitor, cells
from gateway.errors import InvalidFields, NotFound
from gateway.model.calls import Attempt, CallRecord
from gateway.store import calls
from tests.desks import ANN, START_MS, Office
from tests.store.rows import ATTEMPT, SKIP, call

pytestmark = pytest.mark.anyio

HOUR_MS = 3600 * 1000


@pytest.fixture
async def made(desk: Desk) -> BackendMade:
    return await backends.create(desk, ANN, {"name": "acme", "base_url": "https://a.example/v1"})


def tried(made: BackendMade, ago_ms: int, *outcomes: str, **changes: object) -> CallRecord:
    attempts: list[Attempt] = [
        replace(ATTEMPT, number=number, backend_id=made.backend_id, backend="acme/main", outcome=outcome, started_ms=0)
        for number, outcome in enumerate(outcomes, 1)
    ]
    at = START_MS - ago_ms
    return call(at, attempts=tuple(attempts), skips=(), **changes)


def passed_by(made: BackendMade, ago_ms: int) -> CallRecord:
    return replace(tried(made, ago_ms), skips=(replace(SKIP, backend_id=made.backend_id, backend="acme/main"),))


async def seen(desk: Desk, made: BackendMade, rows: list[CallRecord], **query: object) -> ProviderMonitor:
    async with desk.db.write() as tx:
        await calls.insert_many(tx, rows)
    return await health_monitor.look(desk, made.provider.id, {name: str(value) for name, value in query.items()})


async def test_each_event_counts_as_what_it_says_of_health(desk: Desk, made: BackendMade) -> None:
    rows = [
        tried(made, 5, "ok"),
        tried(made, 4, "failed", "credentials_refused", "rate_limited"),
        tried(made, 3, "client_fault", "not_served", "abandoned"),
        passed_by(made, 2),
    ]

    found = (await seen(desk, made, rows)).endpoints[0]

    assert (found.success, found.failed, found.limited, found.other, found.skipped) == (1, 2, 1, 3, 1)
    assert found.success_rate == pytest.approx(1 / 3)
    assert found.last_at == START_MS - 2
    newest = found.events[0]
    assert (newest.kind, newest.status, newest.latency_ms) == (EventKind.SKIPPED, None, None)
    assert newest.error == SKIP.sentence
    oldest = found.events[-1]
    assert (oldest.kind, oldest.status, oldest.latency_ms, oldest.backend) == (EventKind.SUCCESS, 200, 30, "acme/main")


async def test_without_success_and_failure_there_is_no_rate(desk: Desk, made: BackendMade) -> None:
    nothing = (await seen(desk, made, [])).endpoints[0]
    assert (nothing.success_rate, nothing.last_at, nothing.events, len(nothing.cells)) == (None, None, (), CELLS)

    only_others = (await seen(desk, made, [tried(made, 1, "rate_limited"), passed_by(made, 2)])).endpoints[0]
    assert only_others.success_rate is None


async def test_a_list_that_is_cut_says_so_and_begins_its_cells_at_its_oldest_event(
    desk: Desk, made: BackendMade
) -> None:
    rows = [tried(made, number * 1000, "ok") for number in range(1, 31)]

    cut = (await seen(desk, made, rows, per_endpoint_limit=10)).endpoints[0]
    assert (len(cut.events), cut.success, cut.is_cut) == (10, 10, True)
    assert cut.cells[0].since == cut.events[-1].at == START_MS - 10_000

    whole = (await health_monitor.look(desk, made.provider.id, {"per_endpoint_limit": "30"})).endpoints[0]
    assert (len(whole.events), whole.is_cut) == (30, False)
    assert whole.cells[0].since == START_MS - 6 * HOUR_MS


async def test_only_the_span_is_looked_at(desk: Desk, made: BackendMade) -> None:
    rows = [tried(made, 2 * HOUR_MS, "failed"), tried(made, HOUR_MS // 2, "ok")]

    assert (await seen(desk, made, rows, lookback_hours=1)).endpoints[0].failed == 0
    assert (await health_monitor.look(desk, made.provider.id, {"lookback_hours": "3"})).endpoints[0].failed == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("lookback_hours", "0"), ("lookback_hours", "73"), ("per_endpoint_limit", "9"), ("per_endpoint_limit", "201")],
)
async def test_spans_and_lists_have_bounds(office: Office, made: BackendMade, name: str, value: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        await health_monitor.look(office.desk, made.provider.id, {name: value})
    assert list(caught.value.fields) == [name]


async def test_a_provider_that_is_not_there_has_no_health(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await health_monitor.look(desk, "nowhere", {})


def event(at: int, kind: EventKind) -> MonitorEvent:
    return MonitorEvent(kind, at, "acme/main", "req_1", "ok", None, None, "")


def test_cells_share_the_span_evenly_and_lose_no_event() -> None:
    events = [event(at, EventKind.SUCCESS) for at in (0, 99, 4800, 4799, 9999)] + [event(4800, EventKind.SKIPPED)]

    found = cells(events, 0, 10_000)

    assert len(found) == CELLS
    assert sum(cell.success + cell.skipped for cell in found) == 6
    assert (found[0].success, found[-1].success) == (2, 1)
    assert [cell.since for cell in found[:3]] == [0, 167, 334]


def test_a_cell_of_skips_alone_is_no_success() -> None:
    found = cells([event(5, EventKind.SKIPPED)], 0, 100)
    assert [(cell.success, cell.skipped) for cell in found].count((0, 1)) == 1
    assert sum(cell.success for cell in found) == 0
