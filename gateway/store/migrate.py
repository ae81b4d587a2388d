"""Bring the database file to this release's schema: make it, step it up, or refuse a newer one."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gateway import resources
from gateway.errors import ConfigurationFault

CHECKED_BYTES = 256 * 1024 * 1024
"""A file of this size is looked through in a second or two; no larger one is before it is served."""


def schema_version(schema: str) -> int:
    """The number after `PRAGMA user_version` at the end of schema.sql."""
    found = re.search(r"PRAGMA user_version = (\d+);\s*$", schema)
    if not found:
        raise ValueError("schema.sql must end in PRAGMA user_version")
    return int(found.group(1))


def migrate(path: Path, connect: Callable[..., sqlite3.Connection] = sqlite3.connect) -> bool:
    """Make `path` current; True where the file is new. Raises ConfigurationFault where that cannot be done."""
    schema = resources.SCHEMA.read_text("utf-8")
    wanted = schema_version(schema)
    is_new = not path.exists()
    try:
        if is_new:
            _make(path, schema)
        with closing(connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            have = _version(connection)
            if have == 0:
                # A file of ours is never without its schema, see _make: what was in this one is lost, or never ours.
                raise ConfigurationFault([f"{path}: is empty or another program's database; {_remedy(path)}"])
            _require_sound(connection, path)
            _step_up(connection, path, have, wanted)
    except sqlite3.DatabaseError as error:
        raise ConfigurationFault([f"{path}: {error}; {_remedy(path)}"]) from None
    return is_new


def _make(path: Path, schema: str) -> None:
    """A new file, which is there with all of its tables or not at all."""
    part = path.with_name(f"{path.name}.new")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        _run(connection, schema)
    part.rename(path)


def steps(directory: Path = resources.MIGRATIONS) -> dict[int, Path]:
    """Migration files by the version they lead to: `0002_more_columns.sql` leads to 2."""
    return {int(file.name[:4]): file for file in sorted(directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))}


def _step_up(connection: sqlite3.Connection, path: Path, have: int, wanted: int) -> None:
    if have > wanted:
        raise ConfigurationFault(
            [f"{path}: was written by a newer release (schema {have}, this one knows {wanted}); upgrade"]
        )
    if have == wanted:
        return
    backup = path.with_name(f"{path.name}.before-{wanted}")
    if not backup.exists():
        old_mask = os.umask(0o077)
        try:
            connection.execute("VACUUM INTO ?", (str(backup),))
        finally:
            os.umask(old_mask)
    files = steps()
    for number in range(have + 1, wanted + 1):
        _run(connection, f"{files[number].read_text('utf-8')}\nPRAGMA user_version = {number};")


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Run a script as one transaction: a kill in the middle leaves the old schema."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;")
    except BaseException:  # reason: whatever ends a step, the old schema stays
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    """A large file is looked through while it is served, see ops/soundness.py: it would keep everybody waiting."""
    if path.stat().st_size > CHECKED_BYTES:
        return
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise ConfigurationFault([damaged(path, verdict)])


def damaged(path: Path, verdict: str) -> str:
    """What to tell of a file that is not sound."""
    return f"{path}: is damaged ({verdict}); {_remedy(path)}"


def _remedy(path: Path) -> str:
    return f"restore it from a backup:\n    gateway restore BACKUP --data-dir {path.parent}"
