"""Copies of the database: made while it is served, and put back while it is not."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway import resources
from gateway.errors import ConfigurationFault
from gateway.store.migrate import schema_version

_SIDES = ("", "-wal", "-shm")


def back_up(database: Path, target: Path) -> int:
    """Write a whole and compact copy, readable by its owner alone; its size in bytes.

    Reads one view of the database beside whoever writes it. A copy that is not sound is not kept. Raises
    ConfigurationFault: there is nothing to copy, something is there already, or the disk says no.
    """
    if not database.exists():
        raise ConfigurationFault([f"{database}: there is no such database"])
    part = target.with_name(f"{target.name}.part")
    if target.exists():
        raise ConfigurationFault([f"{target}: is there already; choose another name, or remove it"])
    with _told(target), _owner_alone():
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as one:
            one.execute("VACUUM INTO ?", (str(part),))
        try:
            require_sound(part)
            _synced(part)
            part.rename(target)
        finally:
            part.unlink(missing_ok=True)
    return target.stat().st_size


def put_back(backup: Path, database: Path) -> Path | None:
    """Make the database what the backup is; where the one that was there has gone, None where there was none.

    Whoever calls this holds the data directory's lock. Raises ConfigurationFault where the backup is no sound database
    of this program; then nothing is changed.
    """
    if not backup.exists():
        raise ConfigurationFault([f"{backup}: there is no such file"])
    require_sound(backup)
    new = database.with_name(f"{database.name}.restoring")
    with _told(database), _owner_alone():
        new.unlink(missing_ok=True)
        with closing(sqlite3.connect(f"{backup.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as one:
            one.execute("VACUUM INTO ?", (str(new),))
        _synced(new)
        aside = database.with_name(f"{database.name}.replaced-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}")
        was_there = database.exists()
        for side in _SIDES:
            found = database.with_name(database.name + side)
            if found.exists():
                found.rename(aside.with_name(aside.name + side))
        new.rename(database)
    return aside if was_there else None


def require_sound(path: Path) -> None:
    """Raises ConfigurationFault where the file is no sound database of this program, or a newer release's."""
    known = schema_version(resources.SCHEMA.read_text("utf-8"))
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            is_ours = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'instance'").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise ConfigurationFault([f"{path}: {error}"]) from None
    if verdict != "ok":
        raise ConfigurationFault([f"{path}: is damaged ({verdict})"])
    if not is_ours or not 0 < version <= known:
        raise ConfigurationFault([f"{path}: is no database of this program, or a newer release's (schema {version})"])


def _synced(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _owner_alone() -> Iterator[None]:
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        raise ConfigurationFault([f"{path}: {error}"]) from None
