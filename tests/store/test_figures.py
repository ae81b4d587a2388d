"""Sums over the ledger."""

from __future__ import annotations

import pytest

from gateway.control.usage_terms import METRICS
from gateway.model.calls import CallStatus, Usage, UsageSource
from gateway.model.sums import DAY_MS, HOUR_MS, MINUTE_MS, Sums
from gateway.ops import rollups
from gateway.store import calls, figure_times, figures
from gateway.store.database import Database
from gateway.store.figure_pieces import Question
from gateway.store.figures import Group
from tests.desks import FakeClock
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio


async def test_sums_count_what_began_inside_the_span(db: Database) -> None:
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
        (found,) = await figures.sums(tx, Question(100, 200))
    assert found == Group(0, "", "", Sums(3, 1, 1, 0, 1, 20, 40, 6, 12, 10, 123, 0))


async def test_of_nothing_there_are_no_figures(db: Database) -> None:
    async with db.read() as tx:
        assert await figures.sums(tx, Question(0, 10**15)) == ()
        assert await figure_times.of_first_bytes(tx, Question(0, 10**15)) == ()
        assert await figure_times.of_all(tx, Question(5, 5)) == ()


async def test_sums_are_by_bucket_and_subject(db: Database) -> None:
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
        found = await figures.sums(tx, Question(100, 130, "model", bucket_ms=10))
    assert [(group.bucket, group.first, group.sums.requests, group.sums.cost_nano) for group in found] == [
        (0, "gpt", 2, 246),
        (1, "other", 1, 0),
        (2, "", 1, 0),
    ]


@pytest.mark.parametrize(
    ("asked", "uses_days", "uses_hours"),
    [
        (Question(5, 10**9), True, True),
        (Question(0, 10**9, bucket_ms=DAY_MS), True, True),
        (Question(HOUR_MS, 10**9, bucket_ms=DAY_MS), False, True),
        (Question(HOUR_MS, 10**9, bucket_ms=4 * HOUR_MS), False, True),
        (Question(1, 10**9, bucket_ms=HOUR_MS), False, False),
        (Question(0, 10**9, bucket_ms=60_000), False, False),
        (Question(0, 10**9, "user", "model", bucket_ms=HOUR_MS), False, True),
        (Question(0, 10**9, "user", "model", bucket_ms=DAY_MS), True, True),
    ],
)
def test_sums_are_used_where_they_fit_the_pieces(asked: Question, *, uses_days: bool, uses_hours: bool) -> None:
    assert (asked.uses_days, asked.uses_hours) == (uses_days, uses_hours)


@pytest.mark.parametrize(
    ("asked", "uses_minutes"),
    [
        (Question(0, 10**9), True),
        (Question(MINUTE_MS, 10**9, "model", bucket_ms=2 * MINUTE_MS), True),
        (Question(1, 10**9), False),
        (Question(0, 10**9, bucket_ms=1000), False),
        (Question(0, 10**9, "user"), False),
        (Question(0, 10**9, "user", "model"), False),
        (Question(0, 10**9, "model", "provider"), False),
    ],
)
def test_minutes_have_sums_by_model_alone(asked: Question, *, uses_minutes: bool) -> None:
    assert asked.uses_minutes is uses_minutes


@pytest.mark.parametrize(
    ("first_byte_ms", "bucket"), [(0, 0), (15, 0), (16, 1), (31, 1), (32, 2), (32_767, 11), (32_768, 12), (10**7, 12)]
)
async def test_a_first_byte_falls_into_its_power_of_two(db: Database, first_byte_ms: int, bucket: int) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, first_byte_ms=first_byte_ms), call(2, first_byte_ms=None)])
    async with db.read() as tx:
        (found,) = await figure_times.of_first_bytes(tx, Question(0, 10))
    assert found.counts == tuple(int(number == bucket) for number in range(13))


async def test_guessed_usage_without_a_price_counts_as_unpriced(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(1, usage=Usage(1, source=UsageSource.ESTIMATED), cost_nano=None)])
    async with db.read() as tx:
        (found,) = await figures.sums(tx, Question(0, 10))
    assert found.sums.unpriced == 1


@pytest.mark.parametrize("figure", [code for code, metric in METRICS.items() if metric.share is None])
@pytest.mark.parametrize("is_summed", [False, True])
async def test_one_figure_alone_is_what_all_figures_have_of_it(db: Database, figure: str, *, is_summed: bool) -> None:
    async with db.write() as tx:
        await calls.insert_many(
            tx,
            [
                call(1),
                call(HOUR_MS, served_model="other", usage=Usage(5, 6, 7, 8, 9, source=UsageSource.REPORTED)),
                failed(HOUR_MS + 1, 404),
                call(DAY_MS + 5, status=CallStatus.CANCELLED, code=499, cost_nano=None),
                call(DAY_MS + HOUR_MS, usage=Usage(1, source=UsageSource.ESTIMATED), cost_nano=None),
            ],
        )
    if is_summed:
        await rollups.catch_up(db, FakeClock(5 * DAY_MS), pair_calls=1)
    async with db.read() as tx:
        for asked in (
            Question(0, 10 * DAY_MS),
            Question(0, 10 * DAY_MS, "model", bucket_ms=HOUR_MS, own=("gpt",), own_of="first"),
            Question(0, 10 * DAY_MS, "api_key", "model", bucket_ms=DAY_MS, only_second="gpt"),
        ):
            alone = await figures.amounts(tx, asked, figure)
            every = await figures.sums(tx, asked)
            assert [(one.bucket, one.first, one.second, one.amount) for one in alone] == [
                (group.bucket, group.first, group.second, METRICS[figure].of(group.sums)) for group in every
            ]
            assert alone
