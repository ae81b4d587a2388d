"""The newest events of each endpoint, out of the ledger."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.store import calls, endpoint_events
from gateway.store.database import Database
from gateway.store.endpoint_events import SKIPPED, EndpointEvent
from tests.store.rows import ATTEMPT, SKIP, call

pytestmark = pytest.mark.anyio


async def test_a_busy_endpoint_leaves_a_quiet_one_its_place(db: Database) -> None:
    quiet = replace(ATTEMPT, backend_id="quiet:key9", backend="groq/free", outcome="failed", status=None, error="gone")
    rows = [call(number, skips=()) for number in range(2, 1000)]
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, attempts=(quiet,), skips=()), *rows])

    async with db.read() as tx:
        busy = await endpoint_events.newest(tx, "end1", 0, 10)
        found = await endpoint_events.newest(tx, "quiet", 0, 10)

    assert [event.at for event in busy] == [number + 5 for number in range(999, 989, -1)]
    assert found == (EndpointEvent("groq/free", "req_00000000000000000001", 6, "failed", None, 30, "gone"),)


async def test_attempts_of_all_keys_and_skips_stand_in_one_order(db: Database) -> None:
    other = replace(
        ATTEMPT, number=2, backend_id="end1:key2", backend="openai/spare", started_ms=50, first_output_ms=None
    )
    skip = replace(SKIP, backend_id="end1:key3", backend="openai/third")
    async with db.write() as tx:
        await calls.insert_many(tx, [call(100, attempts=(ATTEMPT, other), skips=(skip, SKIP))])

    async with db.read() as tx:
        found = await endpoint_events.newest(tx, "end1", 0, 10)

    assert [(event.backend, event.at, event.outcome, event.latency_ms) for event in found] == [
        ("openai/spare", 150, "ok", 40),
        ("openai/main", 105, "ok", 30),
        ("openai/third", 100, SKIPPED, None),
    ]


async def test_a_backend_that_a_call_tried_was_not_passed_by_it(db: Database) -> None:
    skip = replace(SKIP, backend_id=ATTEMPT.backend_id)
    async with db.write() as tx:
        await calls.insert_many(tx, [call(100, skips=(skip,)), call(200, attempts=(), skips=(skip,))])

    async with db.read() as tx:
        found = await endpoint_events.newest(tx, "end1", 0, 10)

    assert [(event.at, event.outcome) for event in found] == [(200, SKIPPED), (105, "ok")]


async def test_other_endpoints_and_older_calls_are_left_out(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(99), call(100)])

    async with db.read() as tx:
        assert len(await endpoint_events.newest(tx, "end1", 100, 10)) == 1
        assert await endpoint_events.newest(tx, "end", 0, 10) == ()


async def test_skips_among_many_attempts_keep_their_place(db: Database) -> None:
    at_once = replace(ATTEMPT, started_ms=0)
    skip = replace(SKIP, backend_id="end1:key3", backend="openai/third")
    tried = [call(number, attempts=(at_once,), skips=()) for number in range(1, 100, 2)]
    passed_by = [call(number, attempts=(), skips=(skip,)) for number in range(2, 100, 2)]
    async with db.write() as tx:
        await calls.insert_many(tx, [*tried, *passed_by])

    async with db.read() as tx:
        found = await endpoint_events.newest(tx, "end1", 0, 10)

    assert [(event.at, event.outcome == SKIPPED) for event in found] == [
        (number, number % 2 == 0) for number in range(99, 89, -1)
    ]


async def test_a_busy_endpoint_costs_the_same_however_many_calls_there_are(db: Database) -> None:
    async def steps() -> int:
        """How often SQLite did a hundred steps for the answer."""
        taken = 0

        def count() -> int:
            nonlocal taken
            taken += 1
            return 0

        async with db.read() as tx:
            await tx.set_progress_handler(count, 100)
            assert len(await endpoint_events.newest(tx, "end1", 0, 10)) == 10
        return taken

    async with db.write() as tx:
        await calls.insert_many(tx, [call(number) for number in range(1, 101)])
    few = await steps()
    async with db.write() as tx:
        await calls.insert_many(tx, [call(number) for number in range(101, 3001)])

    assert await steps() <= few + 1
