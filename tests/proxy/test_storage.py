"""What becomes of calls while the database cannot be written: full, locked, without its writer; and clocks that jump.

The short forms of REL-04, REL-05, REL-07 and REL-29. Nothing is lost, nothing hangs, and no restart is needed.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.model.people import Period
from gateway.ops.verify_ledger import verify
from gateway.routing.spends import DAY_MS, key_owner
from gateway.store.database import open_reader
from tests.conftest import MakeProvider
from tests.harness import running_gateway
from tests.provider import answer
from tests.proxy.test_budgets import DOLLAR, ShiftedClock, Till, priced
from tests.soak.rig import rounds

pytestmark = pytest.mark.anyio

HOUR_MS = 3600 * 1000


@pytest.fixture
async def till(tmp_path: Path) -> AsyncIterator[Till]:
    clock = ShiftedClock()
    async with running_gateway(tmp_path, clock) as gateway:
        yield Till(gateway, clock)


async def is_ready(till: Till) -> bool:
    return (await till.gateway.client.get("/readyz")).status_code == 200


async def until_ready(till: Till, wanted: bool = True) -> None:  # noqa: FBT001, FBT002
    async with asyncio.timeout(rounds(5, 15)):
        while await is_ready(till) is not wanted:
            await asyncio.sleep(0.05)


async def proved(till: Till) -> None:
    await till.gateway.app.ledger.flush()
    async with open_reader(till.gateway.desk.settings.database) as tx:
        assert (await verify(tx)).differences == []


async def pages_at_most(till: Till, more: int) -> None:
    """As many pages as the file has, and so many more: what SQLite does there it does on a full disk too."""
    writer = till.gateway.desk.db._writer
    async with writer.execute("PRAGMA page_count") as rows:
        found = await rows.fetchone()
    assert found is not None
    async with writer.execute(f"PRAGMA max_page_count = {found[0] + more}") as rows:
        await rows.fetchone()


async def test_a_full_disk_costs_no_row_and_no_restart(till: Till, provider: MakeProvider) -> None:
    await priced(till, answer(), provider=provider)
    limited, free = await till.key(budget="1000"), await till.key()
    await pages_at_most(till, 0)

    statuses: Counter[int] = Counter()
    for _ in range(rounds(8, 100)):
        statuses += await till.at_once(free, 20)
    await until_ready(till, wanted=False)
    assert set(statuses) == {200}, "the queue is not full yet, so calls without limits go on"
    began = time.monotonic()
    assert await till.at_once(limited, 20) == {503: 20}
    assert time.monotonic() - began < 5
    assert (await till.call(limited))[1]["error"]["code"] == "storage_unavailable"
    assert till.sum_of(limited).reserved == 0

    await pages_at_most(till, 1_000_000)
    await until_ready(till)
    assert await till.at_once(limited, 5) == {200: 5}
    await proved(till)
    async with (
        till.gateway.desk.db.read() as tx,
        tx.execute("SELECT code, count(*) FROM calls WHERE api_key_id = ? GROUP BY code", (free,)) as rows,
    ):
        assert [tuple(row) for row in await rows.fetchall()] == [(200, sum(statuses.values()))]


def _lock(path: str, ready: Any, release: Any) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ready.set()
        release.wait(60)
        other.execute("ROLLBACK")


async def test_a_foreign_lock_delays_no_call_and_its_holder_is_named(
    till: Till, provider: MakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    await priced(till, answer(), provider=provider)
    free = await till.key()
    # The long form waits as the program does.
    await till.gateway.desk.db._writer.execute(f"PRAGMA busy_timeout = {rounds(300, 5000)}")
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    other = context.Process(target=_lock, args=(str(till.gateway.desk.settings.database), ready, release))
    other.start()
    try:
        assert await asyncio.to_thread(ready.wait, 20)
        with caplog.at_level(logging.ERROR, "gateway.ledger"):
            assert await till.at_once(free, 30) == {200: 30}
            await until_ready(till, wanted=False)
        assert f"process {other.pid} holds the lock" in caplog.text
        headers = {"authorization": f"Bearer {till.gateway.management_token}"}
        refused = await till.gateway.client.post("/api/admin/api-keys", headers=headers, json={"name": "x"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "storage_unavailable")
    finally:
        release.set()
        await asyncio.to_thread(other.join, 20)
    await until_ready(till)
    await proved(till)
    assert len([row for row in await till.gateway.rows() if row.api_key_id == free]) == 30


async def test_a_writer_that_ends_is_missed_at_once_and_replaced(till: Till, provider: MakeProvider) -> None:
    await priced(till, answer(), provider=provider)
    limited, free = await till.key(budget="1000"), await till.key()
    for _ in range(3):
        (writer,) = (task for task in asyncio.all_tasks() if task.get_name() == "ledger")
        writer.cancel()
        await asyncio.wait({writer})
        await asyncio.sleep(0)
        # Together, for the next writer begins in half a second.
        is_green, (refused, _), (served, _) = await asyncio.gather(is_ready(till), till.call(limited), till.call(free))
        assert (is_green, refused, served) == (False, 503, 200)
        await until_ready(till)
        assert (await till.call(limited))[0] == 200
    await proved(till)
    assert Counter(row.code for row in await till.gateway.rows()) == {200: 6, 503: 3}


JUMPS = [HOUR_MS, -HOUR_MS, 400 * DAY_MS, -10 * 60_000, -400 * DAY_MS, 5 * DAY_MS]


async def test_clocks_may_jump(till: Till, provider: MakeProvider) -> None:
    """Limits go by a clock that only runs; money by one that never runs back."""
    await priced(till, answer(), provider=provider)
    rated, limited = await till.key(rpm_limit=30), await till.key(budget="6", budget_period="daily")
    owner, seen = key_owner(limited), []
    rates: Counter[int] = Counter()
    for jump in (0, *JUMPS):
        till.clock.ahead_ms += jump
        rates += await till.at_once(rated, 10)
        await till.at_once(limited, 3)
        found = till.gateway.desk.state.spends.of(owner, Period.DAILY, till.clock.wall_ms())
        seen.append((found.since, found.spent))
        assert 0 <= found.spent <= 6 * DOLLAR and found.reserved == 0

    assert 30 <= rates[200] <= 31
    begins = [since for since, _ in seen]
    assert begins == sorted(begins), "no day begins twice"
    assert [spent // DOLLAR for _, spent in seen] == [3, 6, 6, 3, 6, 6, 6]
    await proved(till)
