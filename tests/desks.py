"""A desk with a real database file and a real vault, and a clock that is a number."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.control import snapshots
from gateway.control.desk import Desk, SnapshotCell
from gateway.control.instance import open_vault
from gateway.errors import UpstreamFailed
from gateway.model.people import Actor
from gateway.routing.snapshot import Backend
from gateway.routing.state import RuntimeState
from gateway.settings import Settings
from gateway.store.database import open_database
from gateway.store.migrate import migrate

ANN = Actor("user", "u1", "ann", "192.0.2.7")
SYSTEM = Actor("system", "tests", "tests")
START_MS = 1_800_000_000_000
DEMO_ORIGIN = "http://127.0.0.1:9"


@dataclass
class FakeClock:
    """Stands still until told."""

    wall: int = START_MS
    seconds: float = 1000.0

    def wall_ms(self) -> int:
        return self.wall

    def mono(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.wall += round(seconds * 1000)
        self.seconds += seconds


@dataclass
class Asker:
    """Stands for the part that asks a provider for its models: remembers who was asked."""

    asked: list[Backend] = field(default_factory=list)
    fails: bool = False

    async def __call__(self, backend: Backend) -> list[str]:
        self.asked.append(backend)
        if self.fails:
            raise UpstreamFailed("The provider answered 401.")
        return ["model-b", "model-a"]


@dataclass
class Office:
    """A desk and the things that a test turns: the clock, and who answers for providers."""

    desk: Desk
    clock: FakeClock
    asker: Asker


@contextlib.asynccontextmanager
async def open_office(data_dir: Path, **secrets: str) -> AsyncIterator[Office]:
    """`secrets` are the provider keys in the environment."""
    settings = Settings(data_dir=data_dir, secrets=secrets)
    clock, asker = FakeClock(), Asker()
    migrate(settings.database)
    async with open_database(settings.database) as db:
        vault = await open_vault(db, settings, clock)
        async with db.read() as tx:
            registry = await snapshots.read_registry(tx, DEMO_ORIGIN)
        cell = SnapshotCell(snapshots.build(registry))
        desk = Desk(db, vault, cell, RuntimeState(), clock, settings, DEMO_ORIGIN, asker)
        yield Office(desk, clock, asker)
