"""After a crash: what was under way is charged once, and sums that do not fit their calls are counted anew."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.model.calls import CallSource, CallStatus, Reservation, UsageSource
from gateway.model.people import Period
from gateway.model.registry import Price
from gateway.ops.verify_ledger import verify
from gateway.proxy.memory import restore_state
from gateway.proxy.recovery import recover
from gateway.routing.spends import DAY_MS
from gateway.routing.state import RuntimeState
from gateway.store import calls, reservations, spends
from gateway.store.database import Database, open_database, was_left_open
from gateway.store.migrate import migrate
from gateway.store.spends import DaySpend
from tests.desks import START_MS, FakeClock

pytestmark = pytest.mark.anyio

LEFT = Reservation(
    call_id="req_1",
    started_at=START_MS - 5000,
    charged_at=START_MS - 4999,
    api_key_id="k1",
    api_key_name="laptop",
    user_id="u1",
    user_name="bea",
    api_format="openai_chat",
    path="/v1/chat/completions",
    asked_model="auto",
    served_model="m",
    is_stream=True,
    source=CallSource.API,
    config_version=7,
    client_ip="192.0.2.1",
    input_tokens=1000,
    output_tokens=500,
    price=Price(3_000_000_000, 15_000_000_000, 0, 0, 1000),
    reserved_nano=99_999_999,
)
INPUT_NANO = 3_000_000 + 1000
ALL_NANO = INPUT_NANO + 7_500_000


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


async def leave(db: Database, *left: Reservation) -> None:
    async with db.write() as tx:
        await reservations.insert_many(tx, left)


@pytest.mark.parametrize(("charges_all", "nano"), [(False, INPUT_NANO), (True, ALL_NANO)])
async def test_a_call_without_an_end_becomes_a_row_and_is_charged_once(
    db: Database, charges_all: bool, nano: int
) -> None:
    await leave(db, LEFT, replace(LEFT, call_id="req_2", user_id=None, user_name="", price=None))
    clock = FakeClock()

    assert await recover(db, clock, was_left_open=True, charges_all=charges_all) == 2
    assert await recover(db, clock, was_left_open=True, charges_all=charges_all) == 0

    async with db.read() as tx:
        row, unpriced = await calls.get(tx, "req_1"), await calls.get(tx, "req_2")
        assert await reservations.every(tx) == ()
        stored = {(one.owner, one.day): one.nano for one in await spends.every(tx)}
        assert (await verify(tx)).differences == []
    assert row is not None and unpriced is not None
    assert (row.status, row.error_code, row.code) == (CallStatus.CRASHED, "crashed", 500)
    assert (row.usage.source, row.usage.input, row.usage.output) == (
        UsageSource.ESTIMATED,
        1000,
        500 if charges_all else 0,
    )
    assert (row.cost_nano, row.reserved_nano, row.total_ms, row.is_stream) == (nano, 99_999_999, 5000, True)
    assert (row.asked_model, row.served_model, row.user_name, row.api_key_name) == ("auto", "m", "bea", "laptop")
    assert (unpriced.cost_nano, unpriced.user_id) == (None, None)
    assert stored == {(owner, LEFT.charged_at // DAY_MS): nano for owner in ("api_key:k1", "user:u1")}


async def test_what_was_spent_is_known_again_after_a_restart(db: Database) -> None:
    await leave(db, LEFT)
    clock, state = FakeClock(), RuntimeState()
    await recover(db, clock, was_left_open=True)

    await restore_state(db, state, clock)

    assert [state.spends.of("user:u1", period, clock.wall_ms()).spent for period in Period] == [INPUT_NANO] * 4
    assert state.spends.of("user:u1", Period.NONE, clock.wall_ms()).reserved == 0


async def test_a_sum_that_does_not_fit_its_calls_is_counted_anew_and_told(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await leave(db, LEFT)
    clock = FakeClock()
    await recover(db, clock, was_left_open=True)
    async with db.write() as tx:
        await spends.add(tx, DaySpend("user:u1", 0, 1))

    caplog.clear()
    with caplog.at_level(logging.ERROR, "gateway.ledger"):
        await recover(db, clock, was_left_open=False)
        assert caplog.text == "", "a clean stop is believed"
        await recover(db, clock, was_left_open=True)

    assert "what user:u1 spent is not what the calls come to" in caplog.text
    async with db.read() as tx:
        assert (await verify(tx)).differences == []


async def test_a_database_that_was_closed_is_told_from_one_that_was_not(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    assert not was_left_open(path)
    migrate(path)
    async with open_database(path) as opened:
        await leave(opened, LEFT)
        assert was_left_open(path)
    assert not was_left_open(path)
