"""Keeping sums: whatever was summed when, what is told is what the calls come to."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from gateway.control.sums_proof import differences
from gateway.control.usage_terms import METRICS
from gateway.model.calls import CallRecord, CallStatus
from gateway.model.histograms import FIRST_BYTE_LEAST_MS, TOTAL_LEAST_MS
from gateway.model.sums import DAY_MS, HAS_MINUTES, HOUR_MS, MINUTE_MS, PAIRS, SINGLES, whole
from gateway.ops import rollups
from gateway.store import attempt_minutes, call_sums, calls, figure_times, figures, unsummed
from gateway.store import rollups as store
from gateway.store.call_sums import Calls
from gateway.store.database import Database, Tx, open_database
from gateway.store.figure_pieces import Question
from gateway.store.figures import Group
from gateway.store.migrate import migrate
from gateway.store.rollups import Stale
from tests.desks import FakeClock
from tests.store.rows import ATTEMPT, call, failed

pytestmark = pytest.mark.anyio

DAY_0 = 20_000 * DAY_MS


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


async def proved(db: Database) -> list[str]:
    async with db.read() as tx:
        return (await differences(tx))[1]


async def insert(db: Database, *records: CallRecord) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, records)


def some_call(rng: Random, number: int, days: int) -> CallRecord:
    row = call(
        number,
        started_at=DAY_0 + rng.randrange(days * DAY_MS),
        user_id=rng.choice([None, "u1", "u2"]),
        api_key_id=rng.choice([None, "ak1", "ak2", "ak3"]),
        served_model=rng.choice(["", "a", "b"]),
        provider_id=rng.choice([None, "p1", "p2"]),
        backend_id=rng.choice([None, "e1:k1", "e1:k2"]),
        status=rng.choice(list(CallStatus)),
        cost_nano=rng.choice([None, 0, 7]),
        total_ms=rng.randrange(200_000),
        first_byte_ms=rng.choice([None, rng.randrange(50_000)]),
    )
    return row if rng.random() < 0.8 else failed(number, 401, started_at=row.started_at, attempts=())


def subject(row: CallRecord, dimension: str) -> str:
    found = {
        "user": row.user_id,
        "api_key": row.api_key_id,
        "model": row.served_model,
        "provider": row.provider_id,
        "provider_key": row.backend_id and row.backend_id.partition(":")[2],
    }
    return found.get(dimension) or ""


def expected(rows: list[CallRecord], asked: Question) -> dict[tuple[int, str, str], tuple[int, ...]]:
    """Requests, failed, denied, unpriced, tokens, cost: summed one by one."""
    found: dict[tuple[int, str, str], tuple[int, ...]] = {}
    for row in rows:
        first, second = subject(row, asked.first), subject(row, asked.second)
        if not asked.since <= row.started_at < asked.until or asked.only_first not in (None, first):
            continue
        place = ((row.started_at - asked.since) // (asked.bucket_ms or 10**15), first, second)
        is_failed = row.status in (CallStatus.FAILED, CallStatus.CRASHED)
        is_denied = row.status is CallStatus.FAILED and not row.attempts and 400 <= row.code < 500
        tokens = row.usage.all_input + row.usage.output
        one = (1, is_failed, is_denied, row.cost_nano is None, tokens, row.cost_nano or 0)
        found[place] = tuple(map(sum, zip(found.get(place, (0,) * 6), one, strict=True)))
    return found


async def told(db: Database, asked: Question) -> dict[tuple[int, str, str], tuple[int, ...]]:
    async with db.read() as tx:
        groups = await figures.sums(tx, asked)
        await are_told_alike(tx, asked, groups)
    return {
        (group.bucket, group.first, group.second): (
            group.sums.requests,
            group.sums.failed,
            group.sums.denied,
            group.sums.unpriced,
            group.sums.tokens,
            group.sums.cost_nano,
        )
        for group in groups
    }


async def are_told_alike(tx: Tx, asked: Question, groups: tuple[Group, ...]) -> None:
    """One figure, some of the groups and times are asked for by other statements, and are of the same calls."""
    requests = [(group.bucket, group.pair, group.sums.requests) for group in groups]
    for figure in ("requests", "cost", "tokens", "failed"):
        found = await figures.amounts(tx, asked, figure)
        assert [(one.bucket, one.pair, one.requests) for one in found] == requests
        assert [one.amount for one in found] == [METRICS[figure].of(group.sums) for group in groups]
    for ask in (figure_times.of_first_bytes, figure_times.of_all):
        assert [(one.bucket, one.pair, one.requests) for one in await ask(tx, asked)] == requests
    some = {group.pair for group in groups[::2]}
    assert await figures.sums(tx, asked, some) == tuple(group for group in groups if group.pair in some)


def bucket_of(ms: int, least: int) -> int:
    return next((number for number in range(12) if ms < least << number), 12)


def questions(rng: Random, days: int) -> list[Question]:
    since = DAY_0 + rng.randrange(days) * DAY_MS
    odd = DAY_0 + rng.randrange(days * DAY_MS)
    until = rng.choice([since + DAY_MS * rng.randrange(1, days + 1), odd + rng.randrange(1, days * DAY_MS)])
    kinds = [(one, "") for one in SINGLES] + [*PAIRS]
    return [
        Question(start, until, *rng.choice(kinds), bucket_ms=rng.choice([None, HOUR_MS, DAY_MS, 7 * 60_000]))
        for start in (since, odd, since // HOUR_MS * HOUR_MS)
    ]


@pytest.mark.parametrize("pair_calls", [1, 3, 1000])
@pytest.mark.parametrize("seed", range(4))
async def test_figures_are_those_of_the_calls_whatever_was_summed_when(
    db: Database, seed: int, pair_calls: int
) -> None:
    rng, clock, rows = Random(seed), FakeClock(DAY_0), []
    for step in range(5):
        new = [some_call(rng, step * 100 + number, 4) for number in range(40)]
        await insert(db, *new)
        rows += new
        clock.wall = DAY_0 + (step + 1) * DAY_MS - rng.randrange(DAY_MS)
        if step % 2:
            await rollups.catch_up(db, clock, pair_calls)
        for asked in questions(rng, 4):
            assert await told(db, asked) == expected(rows, asked), asked
            only = replace(asked, only_first=subject(rows[0], asked.first))
            assert await told(db, only) == expected(rows, only), only
    await rollups.catch_up(db, FakeClock(DAY_0 + 10 * DAY_MS), pair_calls)
    assert await proved(db) == []


def attempts_expected(rows: list[CallRecord], since: int, until: int) -> Counter[tuple[str, int]]:
    """By provider and minute; one that has neither succeeded nor failed is not counted."""
    return Counter(
        (attempt.backend.partition("/")[0], (row.started_at + attempt.started_ms - since) // MINUTE_MS)
        for row in rows
        for attempt in row.attempts
        if row.started_at >= since // HOUR_MS * HOUR_MS
        and since <= row.started_at + attempt.started_ms < whole(until, MINUTE_MS)
        and attempt.outcome not in ("client_fault", "not_served", "abandoned")
    )


@pytest.mark.parametrize("seed", range(6))
async def test_figures_of_minutes_are_those_of_the_calls_at_any_moment(db: Database, seed: int) -> None:
    """Calls come all the time, some of them late; sums are made now and then, and once of the calls themselves."""
    rng, clock, rows = Random(seed), FakeClock(DAY_0 + 20 * HOUR_MS), []
    for step in range(12):
        new = [
            replace(
                some_call(rng, step * 100 + number, 1),
                started_at=clock.wall - rng.choice([0, 60_000, 2 * HOUR_MS]) - rng.randrange(5 * MINUTE_MS),
                attempts=tuple(
                    replace(
                        ATTEMPT,
                        number=one,
                        backend=rng.choice(["openai/main", "groq/free"]),
                        started_ms=rng.randrange(3 * MINUTE_MS),
                        outcome=rng.choice(["ok", "failed", "rate_limited", "client_fault"]),
                    )
                    for one in range(1, rng.randrange(1, 4))
                ),
            )
            for number in range(15)
        ]
        await insert(db, *new)
        rows += new
        if step == 5:
            await wait_no_longer(db)
        if rng.random() < 0.5:
            await rollups.catch_up(db, clock)
        elif rng.random() < 0.5:
            await rollups.add_waiting(db, clock.wall)
        for _ in range(4):
            until = clock.wall - rng.choice([0, 0, HOUR_MS, rng.randrange(3 * HOUR_MS)]) + 1
            since = whole(until, MINUTE_MS) - HOUR_MS
            for first in ("total", "model"):
                asked = Question(since, until, first, bucket_ms=rng.choice([None, MINUTE_MS, 2 * MINUTE_MS]))
                assert await told(db, asked) == expected(rows, asked), asked
            async with db.read() as tx:
                times = await figure_times.of_first_bytes(tx, Question(since, until))
                minutes = await attempt_minutes.by_provider(tx, since, until)
            timed = [row for row in rows if since <= row.started_at < until and row.first_byte_ms is not None]
            assert sum(sum(one.counts) for one in times) == len(timed)
            counted = Counter({(one.provider, one.minute): one.ok + one.failed + one.limited for one in minutes})
            assert counted == attempts_expected(rows, since, until)
        clock.wall += rng.randrange(20 * MINUTE_MS)
    await rollups.catch_up(db, clock)
    assert await proved(db) == []


async def test_the_last_hour_is_read_from_the_sums_of_its_minutes(db: Database) -> None:
    clock = FakeClock(DAY_0 + HOUR_MS + 10 * MINUTE_MS)
    at = DAY_0 + HOUR_MS // 2
    await insert(db, call(1, started_at=at), call(2, started_at=at + HOUR_MS // 2))
    await rollups.catch_up(db, clock)
    async with db.write() as tx:
        await tx.execute("UPDATE hourly_sums SET requests = 10 WHERE dimension = 'minute+model'")
        await tx.execute("UPDATE attempt_minutes SET ok = 20")
    since = DAY_0 + 10 * MINUTE_MS

    for first in ("total", "model"):
        asked = Question(since, clock.wall + 1, first, bucket_ms=2 * MINUTE_MS)
        assert [found[0] for found in (await told(db, asked)).values()] == [10, 10]
    async with db.read() as tx:
        assert [one.ok for one in await attempt_minutes.by_provider(tx, since, clock.wall + 1)] == [20, 20]


@pytest.mark.parametrize(("least", "is_total"), [(FIRST_BYTE_LEAST_MS, False), (TOTAL_LEAST_MS, True)])
async def test_times_are_those_of_the_calls_too(db: Database, least: int, is_total: bool) -> None:  # noqa: FBT001
    rng = Random(1)
    rows = [some_call(rng, number, 2) for number in range(100)]
    await insert(db, *rows)
    wanted = [0] * 13
    for row in rows:
        ms = row.total_ms if is_total else row.first_byte_ms
        if ms is not None:
            wanted[bucket_of(ms, least)] += 1
    ask = figure_times.of_all if is_total else figure_times.of_first_bytes

    for _ in range(2):
        for first, second in (("total", ""), ("model", "provider")):
            async with db.read() as tx:
                found = await ask(tx, Question(DAY_0, DAY_0 + 2 * DAY_MS, first, second))
            assert [sum(counts) for counts in zip(*(times.counts for times in found), strict=True)] == wanted
        await rollups.catch_up(db, FakeClock(DAY_0 + DAY_MS + HOUR_MS))


async def pair_hours(db: Database) -> list[int]:
    async with (
        db.read() as tx,
        tx.execute("SELECT DISTINCT hour FROM hourly_sums WHERE dimension = 'user+model' ORDER BY hour") as rows,
    ):
        return [row[0] for row in await rows.fetchall()]


async def wait_no_longer(db: Database) -> None:
    """As if those that wait were written by a release that did not know of it."""
    async with db.write() as tx:
        await tx.execute("DELETE FROM unsummed_calls")
        await tx.execute("UPDATE hours SET waiting = 0")


async def test_the_latest_busy_hours_have_sums_by_two_dimensions_and_lose_them_later(db: Database) -> None:
    """Today is asked for by two dimensions, and so are the last twenty-four hours: a busy one has no few calls."""
    await insert(db, *(call(number, started_at=DAY_0 + number) for number in range(10)))
    await insert(db, *(call(100 + number, started_at=DAY_0 + HOUR_MS + number) for number in range(9)))
    await wait_no_longer(db)

    await rollups.catch_up(db, FakeClock(DAY_0 + 3 * HOUR_MS), pair_calls=10)
    assert await pair_hours(db) == [DAY_0]
    async with db.write() as tx:
        await tx.execute("UPDATE hourly_sums SET requests = 77 WHERE dimension = 'user+model'")
    asked = Question(DAY_0, DAY_0 + 3 * HOUR_MS, "user", "model", bucket_ms=HOUR_MS)
    assert [found[0] for found in (await told(db, asked)).values()] == [77, 9], "they are what is told"

    await insert(db, call(200, started_at=DAY_0 + 60 * HOUR_MS))
    await rollups.catch_up(db, FakeClock(DAY_0 + 62 * HOUR_MS), pair_calls=10)
    assert await pair_hours(db) == [DAY_0 + 60 * HOUR_MS], "an hour that was added to from its first call has them"


async def test_an_hour_that_runs_is_added_to_as_calls_come(db: Database) -> None:
    clock = FakeClock(DAY_0 + HOUR_MS // 2)
    for number in range(3):
        await insert(db, call(number, started_at=DAY_0 + number), call(10 + number, started_at=DAY_0 + 60_000))
        assert await rollups.add_waiting(db, clock.wall_ms()) == 2
        async with db.read() as tx:
            assert await unsummed.count(tx) == 0
            assert await store.stale_hours(tx, 2**62, 10) == await store.stale_days(tx, 2**62, 10) == ()
            kept = [row[3] for row in await store.kept_by_day(tx, DAY_0) if row[0] == "user+model"]
            hours = [row[3] for row in await store.kept_by_hours(tx, DAY_0) if row[0] == "total"]
            assert kept == hours == [2 * number + 2]
    assert await rollups.add_waiting(db, clock.wall_ms()) == 0
    assert await proved(db) == []


async def test_what_is_told_of_an_hour_that_runs_is_read_from_its_sums(db: Database) -> None:
    """Nothing began after the moment that is asked for, so that the whole hour and the whole day are meant."""
    clock = FakeClock(DAY_0 + HOUR_MS // 2)
    await insert(db, call(1, started_at=DAY_0 + 1))
    await rollups.catch_up(db, clock)
    async with db.write() as tx:
        await tx.execute("UPDATE hourly_sums SET requests = 10 WHERE dimension IN ('total', 'user+model')")
        await tx.execute("UPDATE daily_sums SET requests = 100 WHERE dimensions = 'total'")
    await insert(db, call(2, started_at=DAY_0 + 2))

    until = DAY_0 + HOUR_MS // 2
    for asked, requests in (
        (Question(DAY_0, until, bucket_ms=HOUR_MS), 10 + 1),
        (Question(DAY_0, until, "user", "model", bucket_ms=HOUR_MS), 10 + 1),
        (Question(DAY_0, until), 100 + 1),
        (Question(DAY_0, DAY_0 + 2), 1),
        (Question(DAY_0 + 1, until), 2),
    ):
        assert [found[0] for found in (await told(db, asked)).values()] == [requests], asked


async def test_calls_are_not_added_to_sums_that_lack_others(db: Database) -> None:
    clock = FakeClock(DAY_0 + HOUR_MS // 2)
    await insert(db, call(1, started_at=DAY_0))
    await wait_no_longer(db)
    await insert(db, call(2, started_at=DAY_0 + 1))

    assert await rollups.add_waiting(db, clock.wall_ms()) == 1
    async with db.read() as tx:
        assert await store.stale_hours(tx, 2**62, 10) == await store.stale_days(tx, 2**62, 10) == (Stale(DAY_0, 2),)
    assert await rollups.catch_up(db, clock) == 2
    assert await proved(db) == []


async def test_what_waits_is_added_once_by_two_that_look_at_the_same_time(db: Database) -> None:
    clock = FakeClock(DAY_0 + HOUR_MS // 2)
    await insert(db, *(call(number, started_at=DAY_0 + number) for number in range(50)))
    await asyncio.gather(*(rollups.add_waiting(db, clock.wall_ms()) for _ in range(3)))

    async with db.read() as tx:
        assert [row[3] for row in await store.kept_by_day(tx, DAY_0) if row[0] == "total"] == [50]
    assert await proved(db) == []


async def test_an_hour_that_believes_that_calls_wait_is_made_anew(db: Database) -> None:
    await insert(db, call(1, started_at=DAY_0), call(2, started_at=DAY_0))
    async with db.write() as tx:
        await tx.execute("DELETE FROM unsummed_calls")
    assert await rollups.catch_up(db, FakeClock(DAY_0 + 2 * DAY_MS)) == 2
    async with db.read() as tx:
        assert await store.provable_days(tx) == (DAY_0,)
    assert await proved(db) == []


async def test_catching_up_ends_while_calls_keep_coming(db: Database) -> None:
    numbers = itertools.count()
    await insert(db, call(next(numbers), started_at=DAY_0))
    catching_up = asyncio.create_task(rollups.catch_up(db, FakeClock(DAY_0)))
    while not catching_up.done():
        await insert(db, call(next(numbers), started_at=DAY_0))
        assert next(numbers) < 20_000, "it never ends"
    async with db.read() as tx:
        assert await unsummed.count(tx) > 0


async def varied(db: Database, start: int, calls: int) -> list[CallRecord]:
    """Each of an API key, a model, a user and a provider key of its own."""
    rows = [
        call(
            number,
            started_at=DAY_0 + number,
            api_key_id=f"k{number}",
            served_model=f"m{number}",
            user_id=f"u{number}",
            backend_id=f"e:k{number}",
        )
        for number in range(start, start + calls)
    ]
    for first in range(0, calls, 100):
        await insert(db, *rows[first : first + 100])
    return rows


async def requests_told(db: Database) -> list[int]:
    async with db.read() as tx:
        return [group.sums.requests for group in await figures.sums(tx, Question(DAY_0, DAY_0 + DAY_MS))]


async def test_calls_of_very_many_subjects_are_summed_when_their_hour_and_day_have_ended(db: Database) -> None:
    """Each would change sums of its own: many a second are not added one by one."""
    await varied(db, 0, 1000)
    assert await rollups.add_waiting(db, DAY_0) == 0, "they are too many at once"
    await rollups.catch_up(db, FakeClock(DAY_0 + HOUR_MS // 2), with_running=False)

    async with db.read() as tx:
        assert await unsummed.count(tx) == 0
        assert await store.kept_by_day(tx, DAY_0) == ()
    assert await requests_told(db) == [1000], "they are read from the calls"
    await varied(db, 1000, 100)
    await rollups.catch_up(db, FakeClock(DAY_0 + HOUR_MS // 2), with_running=False)
    assert await requests_told(db) == [1100]

    await rollups.catch_up(db, FakeClock(DAY_0 + 2 * DAY_MS), with_running=False)
    assert await requests_told(db) == [1100]
    async with db.read() as tx:
        assert await store.provable_days(tx) == (DAY_0,)
    assert await proved(db) == []


async def test_few_calls_of_many_subjects_are_added(db: Database) -> None:
    await varied(db, 0, 200)
    assert await rollups.add_waiting(db, DAY_0) == 200
    async with db.read() as tx:
        assert await store.stale_days(tx, 2**62, 10) == ()
    assert await proved(db) == []


async def test_minutes_are_kept_of_the_last_hours_alone(db: Database) -> None:
    await insert(db, call(1, started_at=DAY_0), call(2, started_at=DAY_0 + 5 * HOUR_MS))
    await rollups.catch_up(db, FakeClock(DAY_0 + 5 * HOUR_MS + 1))
    async with db.read() as tx:
        assert await store.hours_with(tx, HAS_MINUTES) == {DAY_0 + 5 * HOUR_MS}
        async with tx.execute("SELECT hour, ok FROM attempt_minutes") as rows:
            assert await rows.fetchall() == [(DAY_0 + 5 * HOUR_MS, 1)]

    await rollups.catch_up(db, FakeClock(DAY_0 + 12 * HOUR_MS))
    async with db.read() as tx:
        assert await store.hours_with(tx, HAS_MINUTES) == frozenset()
        async with tx.execute("SELECT count(*) FROM attempt_minutes") as rows:
            assert await rows.fetchall() == [(0,)]


async def test_a_late_call_of_a_closed_day_is_in_the_sums_by_two_dimensions(db: Database) -> None:
    await insert(db, *(call(number, started_at=DAY_0 + number) for number in range(3)))
    clock = FakeClock(DAY_0 + DAY_MS + HOUR_MS)
    await rollups.catch_up(db, clock, pair_calls=1)
    async with db.write() as tx:
        await tx.execute("UPDATE days SET is_closed = 1")
    await insert(db, call(9, started_at=DAY_0 + 9))

    await rollups.catch_up(db, clock, pair_calls=1)

    asked = Question(DAY_0, DAY_0 + HOUR_MS, "user", "model", bucket_ms=HOUR_MS)
    assert [found[0] for found in (await told(db, asked)).values()] == [4]


async def test_nothing_is_summed_twice(db: Database) -> None:
    await insert(db, *(call(number, started_at=DAY_0 + number) for number in range(10)))
    clock = FakeClock(DAY_0 + 2 * DAY_MS)

    assert await rollups.catch_up(db, clock) == 10
    assert await rollups.catch_up(db, clock) == 0
    await wait_no_longer(db)
    assert await rollups.catch_up(db, clock) == 0
    assert await proved(db) == []


async def test_a_late_call_is_in_the_sums_after_the_next_look(db: Database) -> None:
    clock = FakeClock(DAY_0 + 2 * DAY_MS)
    await insert(db, call(1, started_at=DAY_0))
    await rollups.catch_up(db, clock)
    await insert(db, call(2, started_at=DAY_0))

    assert await rollups.catch_up(db, clock) == 1
    assert await rollups.catch_up(db, clock) == 0
    async with db.read() as tx:
        assert [row[3] for row in await store.kept_by_day(tx, DAY_0) if row[0] == "total"] == [2]


async def test_sums_that_are_wrong_are_told(db: Database) -> None:
    await insert(db, call(1, started_at=DAY_0))
    await rollups.catch_up(db, FakeClock(DAY_0 + 2 * DAY_MS))
    async with db.write() as tx:
        await tx.execute("UPDATE daily_sums SET cost_nano = 5 WHERE dimensions = 'api_key+model'")
        await tx.execute("DELETE FROM hourly_sums WHERE dimension = 'user'")

    found = await proved(db)

    assert found[0] == f"the sums of the day {DAY_0}, api_key+model ak1 gpt: cost_nano 5 instead of 123"
    assert found[1].startswith(f"the sums of the hours of the day {DAY_0}, user: requests 0 instead of 1, ")
    assert len(found) == 2


async def test_sums_are_kept_in_the_background(db: Database) -> None:
    await insert(db, *(call(number, started_at=DAY_0 + number * HOUR_MS) for number in range(30)))

    async with rollups.keeping_sums(db, FakeClock(DAY_0 + 3 * DAY_MS)):
        for _ in range(200):
            await asyncio.sleep(0.01)
            async with db.read() as tx:
                if await unsummed.count(tx) == 0:
                    break
        else:
            pytest.fail("nothing was summed")


async def test_no_write_holds_the_ledger_up_for_long(db: Database) -> None:
    """Of an hour with more subjects than fit one write, each part is a transaction of its own."""
    await insert(
        db,
        *(
            call(number, started_at=DAY_0 + number, api_key_id=f"k{number}", served_model=f"m{number}")
            for number in range(300)
        ),
    )
    await wait_no_longer(db)
    async with db.read() as tx:
        rows = await call_sums.of_day(tx, Calls(DAY_0, DAY_0 + DAY_MS))
    assert len(rows) > 2 * rollups._ROWS_A_WRITE

    summing = asyncio.create_task(rollups.sum_day(db, DAY_0))
    turns = 0
    for _ in itertools.takewhile(lambda _: not summing.done(), itertools.count()):
        async with db.write():
            turns += 1
        await asyncio.sleep(0)
    await summing

    assert turns > 4
    async with db.read() as tx:
        assert len(await store.kept_by_day(tx, DAY_0)) == len(rows)
