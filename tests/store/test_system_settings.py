"""Settings of the whole gateway, as they are stored."""

from __future__ import annotations

import pytest

from gateway.model.system_settings import Capture, CrashCharge, SystemSettings
from gateway.store import system_settings
from gateway.store.database import Database

pytestmark = pytest.mark.anyio


async def test_what_nobody_set_is_as_released(db: Database) -> None:
    async with db.read() as tx:
        assert await system_settings.get(tx) == SystemSettings()


async def test_values_come_back_as_they_were_also_none(db: Database) -> None:
    wanted = SystemSettings(Capture.ALL, 0, 1, None, None, CrashCharge.FULL, 100, 7)
    async with db.write() as tx:
        for name in SystemSettings.__slots__:
            await system_settings.put(tx, name, 12345, 1, "ann")
            await system_settings.put(tx, name, getattr(wanted, name), 2, "ann")
    async with db.read() as tx:
        assert await system_settings.get(tx) == wanted


async def test_rows_of_another_release_are_passed_over(db: Database) -> None:
    async with db.write() as tx:
        await system_settings.put(tx, "colour", "blue", 1, "ann")
    async with db.read() as tx:
        assert await system_settings.get(tx) == SystemSettings()
