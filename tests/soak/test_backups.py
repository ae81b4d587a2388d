"""Backups made under load: each is sound and holds sums that follow from its own rows (REL-23)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cli.program import run
from tests.soak.rig import rigged, rounds

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

BACKUPS = rounds(2, 30)
RATE = rounds(60, 100)
PAUSE = rounds(1, 10)


async def test_a_backup_under_load_is_a_ledger_that_can_be_proved(tmp_path: Path) -> None:
    async with rigged(tmp_path) as rig:
        with rig.serving() as program:
            loading = asyncio.create_task(rig.load(program.url, rate=RATE, seconds=BACKUPS * (PAUSE + 1.0)))
            counts = []
            for number in range(BACKUPS):
                await asyncio.sleep(PAUSE)
                there = tmp_path / f"restored-{number}"
                copy = tmp_path / f"copy-{number}.db"
                made = await asyncio.to_thread(run, "backup", str(copy), "--data-dir", str(rig.data_dir))
                assert made.returncode == 0, made.stderr
                back = await asyncio.to_thread(run, "restore", str(copy), "--data-dir", str(there))
                assert back.returncode == 0, back.stderr
                proof = await asyncio.to_thread(run, "ledger", "verify", "--data-dir", str(there))
                assert proof.returncode == 0, proof.stdout
                counts.append(int(proof.stdout.split(" calls")[0].split()[-1]))
            await loading
            await asyncio.to_thread(program.stop)
        assert counts == sorted(set(counts)) and counts[0] > 10
        assert {one.status for one in rig.sent} == {200}
        rig.prove()
