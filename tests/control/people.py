"""A desk on a database file, with a clock that is a number."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.offline import offline_desk
from gateway.control import setup
from gateway.control.desk import Desk
from gateway.control.sessions import Client
from gateway.settings import Settings

NAME = "ada"
PASSWORD = "nine green kettles"
HERE = Client("127.0.0.1", "a browser")
ELSEWHERE = Client("203.0.113.7", "another browser")


@dataclass(slots=True)
class FakeClock:
    """Stands still until it is told to go on."""

    now_ms: int = 1_800_000_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def mono(self) -> float:
        return self.now_ms / 1000

    def forward(self, seconds: float) -> None:
        self.now_ms += round(seconds * 1000)


@contextlib.asynccontextmanager
async def desk_at(data_dir: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    async with offline_desk(Settings(data_dir), clock) as desk:
        yield desk


async def administrator(desk: Desk) -> None:
    assert await setup.make_administrator(desk, NAME, PASSWORD)


async def audited(desk: Desk) -> list[tuple[str, str, str]]:
    """Action, actor's name and address of each audit row."""
    async with desk.db.read() as tx, tx.execute("SELECT action, actor_name, ip FROM audit ORDER BY seq") as rows:
        return [tuple(row) for row in await rows.fetchall()]


async def dump(desk: Desk) -> str:
    """Everything in the database as text."""
    found = []
    async with desk.db.read() as tx:
        async with tx.execute("SELECT name FROM sqlite_master WHERE type = 'table'") as rows:
            tables = [row[0] for row in await rows.fetchall()]
        for table in tables:
            async with tx.execute(f"SELECT * FROM {table}") as rows:
                found += [repr(tuple(row)) for row in await rows.fetchall()]
    return "\n".join(found)
