"""A long ledger is proved while calls go on: what is wrong is corrected by as much, whatever is spent meanwhile."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.model.people import Period
from gateway.ops.verify_ledger import verify
from gateway.proxy.ledger import Entry, Ledger, open_ledger
from gateway.proxy.memory import restore_state
from gateway.proxy.proof import correct, prove, proving
from gateway.proxy.recovery import differences, recover
from gateway.routing.spends import DAY_MS
from gateway.routing.state import RuntimeState
from gateway.store import calls, spends
from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate
from gateway.store.spends import DaySpend
from tests.desks import START_MS, FakeClock
from tests.store.rows import call

pytestmark = pytest.mark.anyio

OWNER = "api_key:ak1"
PRICE = 100


@dataclass(slots=True)
class Till:
    """A ledger of `long` calls, as far as its hours tell, and what its one key spent."""

    path: Path
    db: Database
    ledger: Ledger
    state: RuntimeState
    clock: FakeClock

    def spend(self, number: int) -> None:
        hold = self.state.spends.reserve([OWNER], PRICE, self.clock.wall_ms())
        days = self.state.spends.settle(hold, PRICE)
        row = call(number, api_key_id="ak1", cost_nano=PRICE, charged_at=hold.charged_at, actual_nano=None, price=None)
        spent = tuple(DaySpend(one.owner, one.since // DAY_MS, one.spent) for one in days)
        self.ledger.record(Entry(row, spends=spent))

    def spent(self, period: Period = Period.NONE) -> int:
        return self.state.spends.of(OWNER, period, self.clock.wall_ms()).spent

    async def stored(self) -> dict[int, int]:
        await self.ledger.flush()
        async with self.db.read() as tx:
            return {one.day: one.nano for one in await spends.every(tx)}

    async def wrong(self) -> dict[tuple[str, int], int]:
        await self.ledger.flush()
        async with self.db.read() as tx:
            return await differences(tx)

    async def prove(self) -> None:
        await prove(self.path, self.db, self.ledger, self.state.spends)


async def add(db: Database, nano: int, at: int = START_MS) -> None:
    async with db.write() as tx:
        await spends.add(tx, DaySpend(OWNER, at // DAY_MS, nano))


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    path, clock = tmp_path / "gateway.db", FakeClock()
    migrate(path)
    async with open_database(path) as db:
        async with db.write() as tx:
            rows = [call(number, api_key_id="ak1", cost_nano=PRICE, charged_at=START_MS) for number in range(3)]
            await calls.insert_many(tx, rows)
            await tx.execute("INSERT INTO hours (hour, calls) VALUES (3600000, 1000000)")
        await add(db, 3 * PRICE)
        yield await opened(path, db, clock)


async def opened(path: Path, db: Database, clock: FakeClock) -> Till:
    state = RuntimeState()
    await restore_state(db, state, clock)
    return Till(path, db, Ledger(db, state, clock), state, clock)


async def test_a_long_ledger_is_not_gone_through_before_it_is_served(till: Till) -> None:
    await add(till.db, 7)
    await recover(till.db, till.clock, was_left_open=True)
    assert await till.wrong() == {(OWNER, START_MS // DAY_MS): -7}

    async with till.db.write() as tx:
        await tx.execute("UPDATE hours SET calls = 3 WHERE calls > 3")
    await recover(till.db, till.clock, was_left_open=True)
    assert await till.wrong() == {}


@pytest.mark.parametrize("by", [7, -PRICE])
async def test_what_is_wrong_is_corrected_in_memory_and_on_the_disk(till: Till, by: int) -> None:
    await add(till.db, by)
    again = await opened(till.path, till.db, till.clock)
    assert again.spent() == 3 * PRICE + by

    await again.prove()

    assert [again.spent(period) for period in Period] == [3 * PRICE] * 4
    assert await again.stored() == {START_MS // DAY_MS: 3 * PRICE}


async def test_nothing_is_written_where_nothing_is_wrong(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    told: list[str] = []
    await till.db._writer.set_trace_callback(told.append)
    with caplog.at_level(logging.ERROR, "gateway.ledger"):
        await till.prove()
    assert told == []
    assert caplog.text == ""


async def test_calls_go_on_meanwhile_and_every_one_is_counted_once(till: Till) -> None:
    await add(till.db, 7)
    again = await opened(till.path, till.db, till.clock)

    async def customers() -> None:
        for number in range(100, 200):
            again.spend(number)
            await asyncio.sleep(0.001)

    async with asyncio.TaskGroup() as group:
        group.create_task(customers())
        await asyncio.sleep(0.02)
        await again.ledger.flush()
        group.create_task(again.prove())

    assert again.spent() == 103 * PRICE
    assert await again.wrong() == {}


async def test_rows_that_wait_are_written_before_their_sums_are_corrected(till: Till) -> None:
    await add(till.db, 7)
    again = await opened(till.path, till.db, till.clock)
    async with again.db.read() as tx:
        found = await differences(tx)
    again.spend(100)

    await correct(found, again.db, again.ledger, again.state.spends)

    assert again.spent() == 4 * PRICE
    assert await again.wrong() == {}


async def test_a_day_that_is_over_is_corrected_on_the_disk_and_in_the_periods_that_it_is_in(till: Till) -> None:
    await add(till.db, 7, START_MS - 40 * DAY_MS)
    again = await opened(till.path, till.db, till.clock)
    before = [again.spent(period) for period in Period]

    await again.prove()

    assert before == [3 * PRICE + 7, 3 * PRICE, 3 * PRICE, 3 * PRICE]
    assert [again.spent(period) for period in Period] == [3 * PRICE] * 4
    assert await again.wrong() == {}


async def test_a_locked_file_delays_the_correction(till: Till) -> None:
    await till.db._writer.execute("PRAGMA busy_timeout = 20")
    await add(till.db, 7)
    again = await opened(till.path, till.db, till.clock)
    with closing(sqlite3.connect(till.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        correcting = asyncio.create_task(again.prove())
        await asyncio.sleep(0.2)
        other.execute("ROLLBACK")
    await correcting
    assert await again.wrong() == {}


async def test_it_is_done_in_the_background_and_told(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    await add(till.db, 7)
    state = RuntimeState()
    await restore_state(till.db, state, till.clock)
    with caplog.at_level(logging.ERROR, "gateway.ledger"):
        async with (
            open_ledger(till.db, state, till.clock) as ledger,
            proving(till.path, till.db, ledger, state.spends),
        ):
            async with asyncio.timeout(5):
                while state.spends.of(OWNER, Period.NONE, till.clock.wall_ms()).spent != 3 * PRICE:
                    await asyncio.sleep(0.01)
            await ledger.flush()
    assert f"what {OWNER} spent is not what the calls come to" in caplog.text
    async with till.db.read() as tx:
        assert [one for one in (await verify(tx)).differences if "spent" in one] == []


async def test_a_stop_does_not_wait_for_it(till: Till) -> None:
    async with (
        open_ledger(till.db, till.state, till.clock) as ledger,
        proving(till.path, till.db, ledger, till.state.spends),
    ):
        pass
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "proof"] == []
