"""Attempts at providers, minute by minute."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.model.sums import HOUR_MS, MINUTE_MS
from gateway.store import attempt_minutes, calls
from gateway.store.attempt_minutes import ProviderMinute
from gateway.store.database import Database
from tests.store.rows import ATTEMPT, call

pytestmark = pytest.mark.anyio


async def test_minutes_tell_limits_from_failures_and_leave_clients_faults_out(db: Database) -> None:
    attempts = (
        replace(ATTEMPT, number=1, outcome="rate_limited", status=429),
        replace(ATTEMPT, number=2, outcome="failed", status=None),
        replace(ATTEMPT, number=3, backend="groq/free", outcome="ok", started_ms=60_000),
        replace(ATTEMPT, number=4, backend="groq/free", outcome="client_fault", status=400),
        replace(ATTEMPT, number=5, backend="groq/free", outcome="abandoned", status=None),
    )
    async with db.write() as tx:
        await calls.insert_many(tx, [call(60_000, attempts=attempts), call(1, attempts=attempts)])
    async with db.read() as tx:
        assert await attempt_minutes.by_provider(tx, 60_000, 120_000) == (
            ProviderMinute("groq", 0, 1, 0, 0),
            ProviderMinute("openai", 0, 0, 1, 1),
        )


async def test_an_attempt_is_of_the_minute_in_which_it_began(db: Database) -> None:
    """Whenever its call began, so that a second try a minute later is not shown before it was made."""
    tries = tuple(replace(ATTEMPT, number=number, started_ms=number * MINUTE_MS) for number in (1, 2))
    async with db.write() as tx:
        await calls.insert_many(tx, [call(HOUR_MS - 1, attempts=tries)])
    async with db.read() as tx:
        every = await attempt_minutes.by_provider(tx, HOUR_MS - MINUTE_MS, 2 * HOUR_MS)
        last = await attempt_minutes.by_provider(tx, HOUR_MS - MINUTE_MS, HOUR_MS + 1)
    assert [minute.minute for minute in every] == [1, 2]
    assert [minute.minute for minute in last] == [1]
