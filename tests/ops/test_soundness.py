"""A large database is looked through while it is served, and what is wrong with it is told."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.ops.soundness import Soundness, checking
from gateway.store.migrate import CHECKED_BYTES, _require_sound, migrate

pytestmark = pytest.mark.anyio


def broken(path: Path) -> None:
    """Noise where tables are, past the first page."""
    with path.open("r+b") as file:
        for page in range(2, 12):
            file.seek(page * 4096)
            file.write(b"\xa5" * 4096)


async def settled(soundness: Soundness) -> str:
    for task in asyncio.all_tasks():
        if task.get_name() == "quick check":
            await asyncio.wait({task})
    return soundness.fault


async def test_a_sound_file_has_no_fault(tmp_path: Path) -> None:
    migrate(tmp_path / "gateway.db")
    async with checking(tmp_path / "gateway.db", larger_than=0) as soundness:
        assert await settled(soundness) == ""


async def test_a_damaged_file_is_told_with_the_way_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gateway.db"
    migrate(path)
    broken(path)
    with caplog.at_level(logging.CRITICAL, "gateway.soundness"):
        async with checking(path, larger_than=0) as soundness:
            assert "is damaged" in await settled(soundness)
    assert f"gateway restore BACKUP --data-dir {tmp_path}" in caplog.text


async def test_a_small_file_was_looked_through_before(tmp_path: Path) -> None:
    migrate(tmp_path / "gateway.db")
    async with checking(tmp_path / "gateway.db"):
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "quick check"]


async def test_leaving_ends_the_look_in_the_middle(tmp_path: Path) -> None:
    migrate(tmp_path / "gateway.db")
    with closing(sqlite3.connect(tmp_path / "gateway.db", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE large (x)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) "
            "INSERT INTO large SELECT randomblob(100) FROM n"
        )
    async with checking(tmp_path / "gateway.db", larger_than=0):
        pass
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "quick check"]


async def test_a_start_does_not_wait_for_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    with path.open("wb") as file:
        file.truncate(CHECKED_BYTES + 1)  # sparse
    # No statement is run on it: a connection that is none would say so.
    _require_sound(None, path)  # type: ignore[arg-type]
