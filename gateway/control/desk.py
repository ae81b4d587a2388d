"""What every operator's action works with, and the one way to change configuration.

A change is one transaction with its audit rows and one new config version; when it is committed the snapshot
is read again and swapped whole, and each note goes out on the live event stream.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec

from gateway.clock import Clock
from gateway.control import snapshots
from gateway.control.events import Events, Topic
from gateway.control.refusals import Refusals
from gateway.errors import Unavailable
from gateway.model.audit import Entry
from gateway.model.checks import Trial, TrialOutcome
from gateway.model.people import Actor
from gateway.routing.snapshot import Backend, Snapshot
from gateway.routing.state import RuntimeState
from gateway.settings import Settings
from gateway.store import audit, instance
from gateway.store.database import Database, Tx
from gateway.vault import Vault

_NEVER_IN_AUDIT = frozenset({"sealed", "proxy_sealed", "key_hash", "old_hash", "token_hash", "password_hash"})


class SnapshotCell(msgspec.Struct):
    """The one place that holds the snapshot in force."""

    current: Snapshot

    def __call__(self) -> Snapshot:
        return self.current


class Change(msgspec.Struct):
    """A change in progress: use `tx` for its statements and `note` each row that it touches."""

    tx: Tx
    at: int
    actor: Actor
    notes: list[tuple[str, str, str, object, object]] = msgspec.field(default_factory=list)

    def note(self, action: str, kind: str, object_id: str, before: object, after: object) -> None:
        """One audit row. Rows are frozen structs or None; secrets in them are left out."""
        self.notes.append((action, kind, object_id, before, after))


async def try_nothing(trial: Trial) -> TrialOutcome:
    """Raises Unavailable: this desk has no lane to any provider."""
    raise Unavailable("Nothing is sent from here; start the gateway.")


class Desk(msgspec.Struct, frozen=True):
    """`demo_origin` is where the built-in demo backend listens.

    `ask_models` asks a backend for its model names, `try_call` makes a call as a client would.
    """

    db: Database
    vault: Vault
    snapshot: SnapshotCell
    state: RuntimeState
    clock: Clock
    settings: Settings
    demo_origin: str
    ask_models: Callable[[Backend], Awaitable[list[str]]]
    events: Events = msgspec.field(default_factory=Events)
    refusals: Refusals = msgspec.field(default_factory=Refusals)
    try_call: Callable[[Trial], Awaitable[TrialOutcome]] = try_nothing

    @contextlib.asynccontextmanager
    async def change(self, actor: Actor) -> AsyncIterator[Change]:
        """Commit together: what is done to `tx`, the audit rows and the config version. Then publish."""
        async with self.db.write() as tx:
            change = Change(tx, self.clock.wall_ms(), actor)
            yield change
            version = await instance.next_config_version(tx)
            for action, kind, object_id, before, after in change.notes:
                await audit.insert(
                    tx,
                    Entry(change.at, actor, action, kind, object_id, shown(before), shown(after), version),
                )
            registry = await snapshots.read_registry(tx, self.demo_origin)
        # From the commit to here nothing waits, so changes are told in the order of their versions.
        self.publish(snapshots.build(registry))
        for action, kind, object_id, _, _ in change.notes:
            self.events.publish(Topic.REGISTRY, action, kind, (object_id,), version, change.at)

    def publish(self, snapshot: Snapshot) -> None:
        """Swap the snapshot. Two changes may get here in either order; the newer one stays."""
        if snapshot.version >= self.snapshot.current.version:
            self.snapshot.current = snapshot
            self.state.follow(snapshot.backends)


def shown(row: object) -> str | None:
    """A row as JSON for the audit log, without hashes and ciphertexts."""
    if row is None:
        return None
    if isinstance(row, msgspec.Struct):
        kept: Mapping[str, object] = {
            name: getattr(row, name) for name in row.__struct_fields__ if name not in _NEVER_IN_AUDIT
        }
        return msgspec.json.encode(kept).decode()
    return msgspec.json.encode(row).decode()
