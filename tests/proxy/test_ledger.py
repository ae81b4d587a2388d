"""The ledger loses nothing: not to a locked file, a cancelled write, a broken batch or a stop."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from gateway.model.calls import CallRecord, CallSource, Reservation
from gateway.model.people import Period
from gateway.proxy.ledger import Entry, Ledger, open_ledger
from gateway.proxy.memory import restore_state
from gateway.proxy.recovery import recover
from gateway.routing.spends import DAY_MS
from gateway.routing.state import RestKind, RuntimeState
from gateway.store import calls, last_uses, pending_sums, provider_spend, spends
from gateway.store.call_search import CallFilter
from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend
from tests.desks import FakeClock
from tests.soak.rig import rounds
from tests.store.rows import ATTEMPT, CALL, SKIP

pytestmark = pytest.mark.anyio

ROW = replace(CALL, attempts=(ATTEMPT, replace(ATTEMPT, number=2, outcome="failed", status=500)), skips=(SKIP,))

RESERVATION = Reservation(
    call_id="req_1",
    started_at=1,
    charged_at=1,
    api_key_id="ak1",
    api_key_name="laptop",
    user_id=None,
    user_name="",
    api_format="openai_chat",
    path="/v1/chat/completions",
    asked_model="gpt",
    served_model="gpt",
    is_stream=False,
    source=CallSource.API,
    config_version=1,
    client_ip="192.0.2.1",
    input_tokens=1,
    output_tokens=1,
    price=None,
    reserved_nano=1,
)


def row(number: int) -> CallRecord:
    return replace(ROW, id=f"req_{number:06}")


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


async def written(db: Database) -> list[str]:
    async with db.read() as tx:
        return [found.id for found in await calls.page(tx, CallFilter(), None, 1000)][::-1]


async def test_a_row_comes_back_as_it_was_written(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    ledger.record(Entry(ROW))
    await ledger.flush()
    async with db.read() as tx:
        assert await calls.get(tx, ROW.id) == ROW


async def test_rows_are_written_in_the_background_within_a_moment(db: Database) -> None:
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        for number in range(5):
            ledger.record(Entry(row(number)))
        await asyncio.sleep(0.3)
        assert len(await written(db)) == 5


async def test_what_is_queued_at_the_end_is_written_before_it_closes(db: Database) -> None:
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        for number in range(1200):
            ledger.record(Entry(row(number)))
    assert await written(db) == [f"req_{number:06}" for number in range(200, 1200)]
    async with db.read() as tx:
        assert await calls.count(tx, CallFilter(), cap=5000) == 1200


async def test_a_locked_file_delays_rows_and_loses_none(db: Database, tmp_path: Path) -> None:
    await db._writer.execute("PRAGMA busy_timeout = 20")
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ledger.record(Entry(row(1)))
            await asyncio.sleep(0.2)
            assert ledger.fault
            other.execute("ROLLBACK")
        await asyncio.sleep(0.8)
        assert ledger.fault == ""
        assert await written(db) == ["req_000001"]


async def test_a_cancelled_flush_writes_each_row_once(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    cancels = rounds(60, 1000)
    for number in range(cancels):
        ledger.record(Entry(row(number)))
        flush = asyncio.create_task(ledger.flush())
        for _ in range(number % 13):
            await asyncio.sleep(0)
        flush.cancel()
        await asyncio.wait({flush})
    await ledger.flush()
    assert await written(db) == [f"req_{number:06}" for number in range(cancels)]


async def test_the_same_row_twice_counts_once(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    for _ in range(2):
        ledger.record(Entry(ROW))
        await ledger.flush()
    assert await written(db) == [ROW.id]


async def test_a_writer_that_meets_a_fault_goes_on(db: Database) -> None:
    async with db.write() as tx:
        await tx.execute("ALTER TABLE calls RENAME TO gone")
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        ledger.record(Entry(row(1)))
        await asyncio.sleep(0.1)
        assert "calls" in ledger.fault or "cannot be used" in ledger.fault
        async with db.write() as tx:
            await tx.execute("ALTER TABLE gone RENAME TO calls")
        await asyncio.sleep(0.8)
        assert await written(db) == ["req_000001"]


def spent(number: int, owners: int) -> Entry:
    """One of `number` calls that cost 1 each, by as many API keys in turn, all at the same provider."""
    key, of_key = f"ak{number % owners:03}", number // owners + 1
    at_provider = StoredSpend("p1", number + 1, 7)
    made = replace(row(number), api_key_id=key, started_at=number, cost_nano=1, charged_at=DAY_MS, user_id=None)
    return Entry(made, at_provider, (DaySpend(f"api_key:{key}", 1, of_key),))


async def sums_of(db: Database) -> tuple[dict[str, int], int, dict[str, int]]:
    """As the tables have it: what owners spent, what was spent at the one provider, and last uses."""
    async with db.read() as tx:
        days, at = await spends.every(tx), await provider_spend.every(tx)
        return {one.owner: one.nano for one in days}, at[0].used_nano if at else 0, await last_uses.every(tx)


async def noted(db: Database) -> int:
    async with db.read() as tx:
        return len(await pending_sums.pending(tx))


async def test_the_sums_of_many_keys_are_noted_and_written_later(db: Database) -> None:
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        ledger._averages_due_at = float("inf")
        for number in range(300):
            ledger.record(spent(number, 100))
        while len(await written(db)) < 300:
            await asyncio.sleep(0.01)
        assert await sums_of(db) == ({}, 0, {})
        async with db.read() as tx:
            told = await pending_sums.days(tx)
        assert told == {(f"api_key:ak{number:03}", 1): 3 for number in range(100)}

        ledger._averages_due_at = 0.0  # as five seconds later
        while await noted(db):
            await asyncio.sleep(0.05)
        whole = {f"api_key:ak{number:03}": 3 for number in range(100)}
        assert await sums_of(db) == (whole, 300, {f"ak{number:03}": 200 + number for number in range(100)})


async def test_the_sums_of_few_keys_are_written_with_their_calls(db: Database) -> None:
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        ledger._averages_due_at = float("inf")
        for number in range(300):
            ledger.record(spent(number, 10))
        while len(await written(db)) < 300:
            await asyncio.sleep(0.01)
        assert await noted(db) == 0
        assert (await sums_of(db))[:2] == ({f"api_key:ak{number:03}": 30 for number in range(10)}, 300)


async def test_what_was_noted_before_a_kill_is_written_before_anything_is_served(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    ledger._averages_due_at = float("inf")
    for number in range(200):
        ledger.record(spent(number, 100))
    while ledger.queued:
        await ledger._write_batch(with_states=False)
    assert await noted(db)

    later = RuntimeState()
    await recover(db, FakeClock(), was_left_open=True)
    await restore_state(db, later, FakeClock())
    assert (later.spent["p1"].used_nano, later.spends.of("api_key:ak007", Period.NONE, 0).spent) == (200, 2)
    assert await noted(db) == 0
    assert (await sums_of(db))[2]["ak099"] == 199


async def test_sums_are_the_last_ones_however_writes_are_cancelled(db: Database) -> None:
    """Large and small batches in turn: a small one that is written at once comes after what larger ones noted."""
    rng, number = Random(5), 0
    ledger = Ledger(db, RuntimeState(), FakeClock())
    for _ in range(rounds(40, 400)):
        for _ in range(rng.choice((1, 3, 90))):
            ledger.record(spent(number, 80))
            number += 1
        writing = asyncio.create_task(ledger._write_batch(with_states=False, with_averages=rng.random() < 0.2))
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)
        if rng.random() < 0.5:
            writing.cancel()
        await asyncio.wait({writing})
    await ledger.flush()
    assert await noted(db) == 0
    whole = {f"api_key:ak{key:03}": (number - key + 79) // 80 for key in range(min(80, number))}
    assert (await sums_of(db))[:2] == (whole, number)


async def test_a_write_that_was_cancelled_may_have_noted_sums_all_the_same(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    for number in range(200):
        ledger.record(spent(number, 100))
    writing = asyncio.create_task(ledger._write_batch(with_states=False))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait({writing})
    assert writing.cancelled() and await noted(db)
    await ledger.flush()
    assert await noted(db) == 0
    assert (await sums_of(db))[:2] == ({f"api_key:ak{number:03}": 2 for number in range(100)}, 200)


async def test_a_full_queue_says_so(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    for number in range(20_000):
        ledger.record(Entry(row(number)))
    assert ledger.is_full


async def test_states_are_written_with_the_rows_and_read_back(db: Database) -> None:
    clock = FakeClock()
    state = RuntimeState()
    state.of("e:rest").rest(clock.mono() + 90, "HTTP 429", RestKind.QUOTA)
    state.of("e:rest").streak = 3
    state.of("e:fault").fault, state.of("e:fault").fault_at_ms = "HTTP 500", 77
    state.dirty.backends |= {"e:rest", "e:fault", "e:clean"}
    await Ledger(db, state, clock).flush()
    assert not state.dirty

    later = RuntimeState()
    clock.advance(30)
    await restore_state(db, later, clock)

    rest, fault = later.of("e:rest"), later.of("e:fault")
    assert rest.seconds_left(clock.mono()) == pytest.approx(60)
    assert (rest.rest_reason, rest.rest_kind, rest.streak, rest.needs_probe) == ("HTTP 429", RestKind.QUOTA, 3, True)
    assert (fault.fault, fault.fault_at_ms, fault.needs_probe) == ("HTTP 500", 77, False)
    assert "e:clean" not in later.backends


async def test_a_rest_that_ended_while_the_program_was_off_still_asks_for_one_probe(db: Database) -> None:
    clock = FakeClock()
    state = RuntimeState()
    state.of("b").rest(clock.mono() + 5, "HTTP 429")
    state.of("b").streak = 1
    state.dirty.backends.add("b")
    await Ledger(db, state, clock).flush()

    later = RuntimeState()
    clock.advance(60)
    await restore_state(db, later, clock)

    assert later.of("b").seconds_left(clock.mono()) == 0
    assert (later.of("b").needs_probe, later.of("b").streak) == (True, 1)


async def test_a_state_that_is_clean_again_is_forgotten_on_disk(db: Database) -> None:
    clock = FakeClock()
    state = RuntimeState()
    state.of("b").fault = "HTTP 500"
    state.dirty.backends.add("b")
    ledger = Ledger(db, state, clock)
    await ledger.flush()
    state.clear("b")
    await ledger.flush()

    later = RuntimeState()
    await restore_state(db, later, clock)
    assert later.backends == {}


async def commits_while(db: Database, doing: Callable[[], Awaitable[None]]) -> int:
    told: list[str] = []
    await db._writer.set_trace_callback(told.append)
    await doing()
    await db._writer.set_trace_callback(None)  # type: ignore[arg-type]  # None takes it away
    return told.count("COMMIT")


async def test_rows_that_come_one_by_one_are_written_in_company(db: Database) -> None:
    """Also those that come while a batch is being written: they wait for theirs like any other."""
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:

        async def trickle() -> None:
            for number in range(100):
                ledger.record(Entry(row(number)))
                await asyncio.sleep(0.001)
            while len(await written(db)) < 100:
                await asyncio.sleep(0.01)

        assert await commits_while(db, trickle) <= 20


async def test_rows_that_came_while_another_batch_was_written_do_not_begin_to_wait_anew(db: Database) -> None:
    """What a kill takes is of a tenth of a second, however long a write takes."""
    events: list[str] = []
    await db._writer.set_trace_callback(events.append)
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:
        async with db.write() as tx:
            ledger.record(Entry(row(0)))
            await asyncio.sleep(0.1)  # it is its turn now, and it cannot have it
            for number in range(1, 100):
                ledger.record(Entry(row(number)))
            await asyncio.sleep(0.1)
            await tx.execute("SELECT 'released'")
        while len(await written(db)) < 1:
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.06, events.append, "a moment later")
        while len(await written(db)) < 100:
            await asyncio.sleep(0)
    await db._writer.set_trace_callback(None)  # type: ignore[arg-type]  # None takes it away
    told = [one for one in events if one in ("COMMIT", "a moment later")]
    assert told[:3].count("COMMIT") == 3, "the test's own, the first row's, and at once that of the others"


async def test_a_batch_is_one_visit_to_the_thread_of_the_database(db: Database) -> None:
    ledger = Ledger(db, RuntimeState(), FakeClock())
    for number in range(500):
        ledger.record(Entry(row(number)))
    told: list[str] = []
    await db._writer.set_trace_callback(told.append)
    await ledger.flush()
    calls_written = [statement for statement in told if "INTO calls " in statement]
    assert (len(calls_written), told.count("COMMIT")) == (32, 1), "sixteen rows with each, and four with the last"
    assert [statement for statement in told if statement.startswith("BEGIN")] == ["BEGIN IMMEDIATE"]


async def test_what_is_waited_for_is_not_kept_waiting_for_company(db: Database) -> None:
    async with open_ledger(db, RuntimeState(), FakeClock()) as ledger:

        async def one_after_the_other() -> None:
            for number in range(5):
                await ledger.reserve(replace(RESERVATION, call_id=f"req_{number}"))

        assert await commits_while(db, one_after_the_other) == 5


async def test_averages_of_many_backends_wait_longer_and_are_written_at_the_end(db: Database) -> None:
    """A fault of one of them does not: it is there after a quarter of a second, and so is all else of that one."""
    state, clock = RuntimeState(), FakeClock()
    told: list[str] = []
    async with open_ledger(db, state, clock):
        await db._writer.set_trace_callback(
            lambda statement: told.append(statement) if "INTO backend_states" in statement else None
        )
        for name in ("first", "second", "third"):
            state.of(name).score = 0.5
            state.dirty.averages.add(name)
            while name == "first" and not told:
                await asyncio.sleep(0.01)
        state.of("second").fault = "HTTP 500"
        state.dirty.backends.add("second")
        while "second" in state.dirty.backends or len(told) < 2:
            await asyncio.sleep(0.01)
        assert state.dirty.averages == {"second", "third"}
        assert not any("third" in statement for statement in told)
    later = RuntimeState()
    async with open_database(db._path) as again:
        await restore_state(again, later, clock)
    assert {name: later.of(name).score for name in later.backends} == dict.fromkeys(("first", "second", "third"), 0.5)


async def test_states_are_written_now_and_then_and_all_of_them_at_the_end(db: Database) -> None:
    """Every call changes some; what a kill takes of them is a quarter of a second's."""
    state, clock = RuntimeState(), FakeClock()
    told: list[str] = []
    async with open_ledger(db, state, clock) as ledger:
        await db._writer.set_trace_callback(
            lambda statement: told.append(statement) if "INTO backend_states" in statement else None
        )
        for number in range(40):
            state.of("e:k").fault, state.of("e:k").fault_at_ms = f"HTTP {number}", 1
            state.dirty.backends.add("e:k")
            ledger.record(Entry(row(number)))
            await asyncio.sleep(0.005)
        while len(await written(db)) < 40:
            await asyncio.sleep(0.01)
        assert len(told) <= 8
    later = RuntimeState()
    async with open_database(db._path) as again:
        await restore_state(again, later, clock)
    assert later.of("e:k").fault == "HTTP 39"
