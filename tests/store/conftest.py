"""A database of its own for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened
