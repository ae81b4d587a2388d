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
from gateway.model.calls import Usage, UsageSource
from gateway.model.checks import Trial, TrialOutcome
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
    """Stands for the part that asks a provider for its models: remembers who was asked.

    `failing` are names of backends that do not answer; with `fails` none does.
    """

    asked: list[Backend] = field(default_factory=list)
    fails: bool = False
    failing: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=lambda: ["model-b", "model-a"])

    async def __call__(self, backend: Backend) -> list[str]:
        self.asked.append(backend)
        if self.fails or backend.name in self.failing:
            raise UpstreamFailed("The provider answered 401.")
        return self.names


@dataclass
class Caller:
    """Stands for the path of a call: remembers what was tried, and answers or fails as it is told."""

    tried: list[Trial] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    usage: Usage = Usage(9, 3, source=UsageSource.REPORTED)

    async def __call__(self, trial: Trial) -> TrialOutcome:
        """`errors` are by backend id; "" is for calls to any backend."""
        self.tried.append(trial)
        error = self.errors.get(trial.backend_id or "", "")
        usage = Usage() if error else self.usage
        return TrialOutcome(f"req_{len(self.tried)}", "acme/main", "" if error else "Hello!", error, usage, 25)


@dataclass
class Office:
    """A desk and the things that a test turns: the clock, and who answers for providers."""

    desk: Desk
    clock: FakeClock
    asker: Asker
    caller: Caller


@contextlib.asynccontextmanager
async def open_office(data_dir: Path, **secrets: str) -> AsyncIterator[Office]:
    """`secrets` are the provider keys in the environment."""
    settings = Settings(data_dir=data_dir, secrets=secrets)
    clock, asker, caller = FakeClock(), Asker(), Caller()
    migrate(settings.database)
    async with open_database(settings.database) as db:
        vault = await open_vault(db, settings, clock)
        async with db.read() as tx:
            registry = await snapshots.read_registry(tx, DEMO_ORIGIN)
        cell = SnapshotCell(snapshots.build(registry))
        desk = Desk(db, vault, cell, RuntimeState(), clock, settings, DEMO_ORIGIN, asker, try_call=caller)
        yield Office(desk, clock, asker, caller)
