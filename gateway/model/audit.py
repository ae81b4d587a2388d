"""The audit log as a chain: each row's hash covers the row and the hash before it, so that nothing in it can be
changed, taken out or put elsewhere without the next verification telling.
"""

from __future__ import annotations

import hashlib
import json

import msgspec

from gateway.model.people import Actor


class Entry(msgspec.Struct, frozen=True):
    """What was done. `at` is Unix ms; `before` and `after` are the object as JSON, None where there was none."""

    at: int
    actor: Actor
    action: str
    object_kind: str
    object_id: str
    before: str | None
    after: str | None
    config_version: int


class Row(msgspec.Struct, frozen=True):
    """An entry in the log. `hash` is None in rows that were written before rows had one."""

    seq: int
    entry: Entry
    hash: bytes | None


class Head(msgspec.Struct, frozen=True):
    """The last row of the chain and its hash: who notes it elsewhere can tell later that nothing was cut off."""

    seq: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash.hex()}"


def canonical(seq: int, entry: Entry) -> bytes:
    """All columns of a row but its hash, as JSON that has one form only: keys in order, no spaces, ASCII."""
    columns = {
        "seq": seq,
        "at": entry.at,
        "actor_kind": entry.actor.kind,
        "actor_id": entry.actor.id,
        "actor_name": entry.actor.name,
        "ip": entry.actor.ip,
        "action": entry.action,
        "object_kind": entry.object_kind,
        "object_id": entry.object_id,
        "before": entry.before,
        "after": entry.after,
        "config_version": entry.config_version,
    }
    return json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def chained(previous: bytes, seq: int, entry: Entry) -> bytes:
    """The hash of a row: SHA-256 over the hash before it and the row."""
    return hashlib.sha256(previous + canonical(seq, entry)).digest()


class Chain(msgspec.Struct):
    """Takes rows oldest first. What its first hash covers is a digest of all rows that have none."""

    rows: int = 0
    seq: int = 0
    hash: bytes = hashlib.sha256().digest()
    is_begun: bool = False

    @property
    def head(self) -> Head:
        return Head(self.seq, self.hash)

    def fault_of(self, row: Row) -> str:
        """Why this row does not fit to those before it, empty where it does and was taken."""
        if row.seq != self.seq + 1:
            return f"row {row.seq} follows row {self.seq}: rows between them are gone"
        expected = chained(self.hash, row.seq, row.entry)
        if self.is_begun and row.hash is None:
            return f"row {row.seq} has no hash, though a row before it has one"
        if row.hash is not None and row.hash != expected:
            return f"row {row.seq} is not what was written, or a row before it without a hash is not"
        self.rows += 1
        self.seq, self.hash, self.is_begun = row.seq, expected, row.hash is not None
        return ""
