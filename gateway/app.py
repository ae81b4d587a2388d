"""The whole program, opened part by part and closed in reverse. The only module that knows every part."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from random import Random

import msgspec
from msgspec.structs import replace

from gateway.clock import Clock, SystemClock
from gateway.control import audit_log, captures, catalogue, expiry, health_events, snapshots
from gateway.control.desk import Desk, SnapshotCell
from gateway.control.events import Events
from gateway.control.instance import open_vault
from gateway.front import Front, Rooms
from gateway.late_rooms import LateRoom, api_room, loading, pages_room
from gateway.model.calls import CallRecord
from gateway.model.system_settings import CrashCharge
from gateway.ops.demo import demo_server
from gateway.ops.retention import tidying
from gateway.ops.rollups import keeping_sums
from gateway.ops.soundness import Soundness, checking
from gateway.proxy.answer_headers import AnswerHeaders
from gateway.proxy.attempt import Attempter
from gateway.proxy.endpoints import ClientSurface
from gateway.proxy.entrance import Entrance
from gateway.proxy.forward import Forwarder
from gateway.proxy.ledger import Entry, Ledger, open_ledger
from gateway.proxy.memory import restore_state
from gateway.proxy.pipeline import Pipeline
from gateway.proxy.proof import proving
from gateway.proxy.recovery import recover
from gateway.proxy.settle import Settler
from gateway.proxy.stored import StoredAnswers
from gateway.proxy.trial import Trier
from gateway.proxy.upstream import Upstream, open_upstream
from gateway.routing.snapshot import Snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import World
from gateway.settings import Settings
from gateway.store.database import open_database, was_left_open
from gateway.store.migrate import migrate

_LAST_WORDS_SECONDS = 2.0


def _untold(_: CallRecord) -> None:
    """Nobody wants to hear of calls."""


class App(msgspec.Struct, frozen=True):
    """The running gateway: `asgi` serves it, `desk` operates it, `ledger` writes it down; `late` are rooms of it."""

    asgi: Front
    desk: Desk
    ledger: Ledger
    surface: ClientSurface
    late: tuple[LateRoom, LateRoom]

    def begin_stop(self) -> None:
        """Take no new calls: /readyz turns red, calls are told to come again, streams of events end."""
        self.surface.is_draining = True
        self.desk.events.end()


@contextlib.asynccontextmanager
async def open_app(
    settings: Settings,
    clock: Clock | None = None,
    rng: Random | None = None,
    tell: Callable[[CallRecord], None] = _untold,
) -> AsyncIterator[App]:
    """Open everything, in the order in which it is needed. Raises StartError before anything is served.

    `tell` hears of each call at its end.

    At the end: no new calls, those still in flight are ended and get two seconds to be written down, the ledger
    is drained, the database is checkpointed and closed.
    """
    clock, rng = clock or SystemClock(), rng or Random()  # noqa: S311  # chance for balancing, not for secrets
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    left_open = was_left_open(settings.database)
    migrate(settings.database)
    async with contextlib.AsyncExitStack() as opened:
        db = await opened.enter_async_context(open_database(settings.database))
        vault = await open_vault(db, settings, clock)
        await catalogue.take_packaged(db, clock)
        demo_origin = await opened.enter_async_context(demo_server())
        async with db.read() as tx:
            cell = SnapshotCell(snapshots.build(await snapshots.read_registry(tx, demo_origin)))
        state = RuntimeState()
        state.follow(cell.current.backends)
        charges_all = cell.current.settings.crash_charge is CrashCharge.FULL
        await recover(db, clock, was_left_open=left_open, charges_all=charges_all)
        await restore_state(db, state, clock)
        ledger = await opened.enter_async_context(open_ledger(db, state, clock, partial(captures.sealed, vault)))
        if left_open:
            await opened.enter_async_context(proving(settings.database, db, ledger, state.spends, clock))
        upstream = await opened.enter_async_context(
            open_upstream(vault, settings.secrets, lambda host, port: permits(cell, host, port))
        )
        await opened.enter_async_context(keeping_sums(db, clock))
        await opened.enter_async_context(tidying(db, lambda: cell.current.settings, clock))
        events = Events(clock.wall_ms())
        desk = Desk(db, vault, cell, state, clock, settings, demo_origin, upstream.model_names, events)
        await opened.enter_async_context(health_events.watching(desk))
        await opened.enter_async_context(audit_log.announcing(desk))
        await opened.enter_async_context(expiry.watching(desk))
        soundness = await opened.enter_async_context(checking(settings.database))

        def record(entry: Entry) -> None:
            ledger.record(entry)
            tell(entry.row)

        app = _assemble(desk, ledger, record, upstream, rng, soundness)
        await opened.enter_async_context(loading(app.late))
        try:
            yield app
        finally:
            app.begin_stop()
            await app.asgi.end(_LAST_WORDS_SECONDS)
            await app.surface.end()


def permits(cell: SnapshotCell, host: str, port: int) -> bool:
    """Whether an operator allowed this private address, as of now."""
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port}" in cell.current.local_upstreams


def _assemble(
    desk: Desk,
    ledger: Ledger,
    record: Callable[[Entry], None],
    upstream: Upstream,
    rng: Random,
    soundness: Soundness,
) -> App:
    settings, clock, cell, state = desk.settings, desk.clock, desk.snapshot, desk.state

    mono, wall_ms, env_names = clock.mono, clock.wall_ms, settings.secrets

    def world() -> World:
        return World(state, mono(), rng, env_names, wall_ms())

    def snapshot() -> Snapshot:  # an object that can be called takes three times as long
        return cell.current

    attempter = Attempter(upstream, clock, state.usage_refusers)
    forwarder = Forwarder(attempter, world, clock, settings.call_deadline_seconds)
    stored = StoredAnswers(desk.db, snapshot, upstream, ledger.until_stored)
    settler = Settler(record, state, clock, snapshot, stored.remember)
    entrance = Entrance(snapshot, desk.vault, clock, settings.max_body_bytes)
    pipeline = Pipeline(snapshot, world, forwarder, settler, ledger.reserve)
    headers = AnswerHeaders(entrance, state, pipeline.outlooks)
    surface = ClientSurface(pipeline, settler, ledger, entrance, stored, headers)
    trier = Trier(lambda tried: Pipeline(tried, world, forwarder, settler, ledger.reserve), snapshot, settler, clock)
    desk = replace(desk, try_call=trier.try_call)

    def readiness() -> list[str]:
        reasons = []
        if surface.is_draining:
            reasons.append("stopping")
        if soundness.fault:
            reasons.append(soundness.fault)
        if ledger.fault:
            reasons.append(f"the ledger cannot be written: {ledger.fault}")
        if not any(backend.is_enabled for backend in cell.current.backends.values()):
            reasons.append("no backend is enabled")
        return reasons

    late = api_room(desk), pages_room(desk)
    rooms = Rooms(clients=surface, api=late[0], pages=late[1], readiness=readiness)
    return App(Front(settings, rooms), desk, ledger, surface, late)
