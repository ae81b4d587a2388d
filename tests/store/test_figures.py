"""Sums over the ledger."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.model.calls import CallStatus, Usage, UsageSource
from gateway.store import calls, figures
from gateway.store.database import Database
from gateway.store.figures import ProviderMinute, Slice, Totals
from tests.store.rows import ATTEMPT, call, failed

pytestmark = pytest.mark.anyio


async def test_totals_count_what_started_inside_the_span(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(
            tx,
            [
                call(99),
                call(100),
                failed(150, usage=Usage(), cost_nano=None),
                call(160, status=CallStatus.CANCELLED, code=499, cost_nano=None),
                call(200),
            ],
        )
    async with db.read() as tx:
        assert await figures.totals(tx, 100, 200) == Totals(3, 1, 1, 20, 40, 6, 8, 123, 1)


async def test_totals_of_nothing_are_zero(db: Database) -> None:
    async with db.read() as tx:
        assert await figures.totals(tx, 0, 10**15) == Totals(0, 0, 0, 0, 0, 0, 0, 0, 0)
        assert await figures.series(tx, 0, 10**15, 1000) == ()
        assert await figures.first_byte_histogram(tx, 0, 10**15) == (0,) * 13


async def test_series_are_per_bucket_and_model(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(
            tx,
            [
                call(100),
                call(109),
                call(110, served_model="other", cost_nano=None),
                failed(129, served_model="", usage=Usage(), cost_nano=None),
            ],
        )
    async with db.read() as tx:
        assert await figures.series(tx, 100, 130, 10) == (
            Slice(0, "gpt", 2, 0, 74, 246, 0),
            Slice(1, "other", 1, 0, 37, 0, 1),
            Slice(2, "", 1, 1, 0, 0, 0),
        )


async def test_provider_minutes_tell_limits_from_failures_and_leave_clients_faults_out(db: Database) -> None:
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
        assert await figures.provider_minutes(tx, 60_000, 120_000) == (
            ProviderMinute("groq", 1, 1, 0, 0),
            ProviderMinute("openai", 0, 0, 1, 1),
        )


@pytest.mark.parametrize(
    ("first_byte_ms", "bucket"), [(0, 0), (15, 0), (16, 1), (31, 1), (32, 2), (32_767, 11), (32_768, 12), (10**7, 12)]
)
async def test_a_first_byte_falls_into_its_power_of_two(db: Database, first_byte_ms: int, bucket: int) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, first_byte_ms=first_byte_ms), call(2, first_byte_ms=None)])
    async with db.read() as tx:
        counts = await figures.first_byte_histogram(tx, 0, 10)
    assert counts == tuple(int(number == bucket) for number in range(13))


async def test_guessed_usage_without_a_price_counts_as_unpriced(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, usage=Usage(1, source=UsageSource.ESTIMATED), cost_nano=None)])
    async with db.read() as tx:
        assert (await figures.totals(tx, 0, 10)).unpriced == 1
