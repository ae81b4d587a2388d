"""The long ledger that pages are measured over: its sums are those of its calls, also after a burst."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from bench import burst, seed
from gateway.control.sums_proof import differences
from gateway.ops import rollups
from gateway.store import unsummed
from gateway.store.database import open_database
from tests.desks import FakeClock

DAY_MS = 24 * 3600 * 1000


def ran(main: object, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    assert callable(main)
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    main()


async def waiting_and_wrong(directory: Path) -> tuple[int, int, list[str]]:
    """Calls that wait, then days that could be proved once they were summed, and what is wrong with their sums."""
    async with open_database(directory / "gateway.db") as db:
        async with db.read() as tx:
            waiting = await unsummed.count(tx)
            async with tx.execute("SELECT max(started_at) FROM calls") as rows:
                latest = next(iter(await rows.fetchall()))[0]
        await rollups.catch_up(db, FakeClock(latest + DAY_MS))
        async with db.read() as tx:
            return waiting, *await differences(tx)


def test_a_seeded_ledger_and_a_burst_after_it_are_summed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran(seed.main, monkeypatch, str(tmp_path), "--rows", "3000")
    waiting, days, wrong = asyncio.run(waiting_and_wrong(tmp_path))
    assert (waiting, wrong) == (0, [])
    assert days >= 60

    ran(burst.main, monkeypatch, str(tmp_path), "--calls", "700")
    waiting, days, wrong = asyncio.run(waiting_and_wrong(tmp_path))
    assert (waiting, wrong) == (700, [])
    assert days >= 60
    assert "3,000 calls" in capsys.readouterr().out
