"""The schema: made, stepped up, or refused."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway import resources
from gateway.errors import ConfigurationFault
from gateway.store.migrate import _run, migrate, schema_version, steps

SCHEMA = resources.SCHEMA.read_text("utf-8")


def shape(path: Path) -> list[tuple[str, str, str]]:
    """Every table, index and trigger as SQLite keeps it, without the marks that altering a table leaves."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    return [(kind, name, re.sub(r"\s+(?=[,)])|\"", "", re.sub(r"\s+", " ", sql or ""))) for kind, name, sql in rows]


def test_a_new_file_gets_the_whole_schema(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    assert migrate(path) is True
    assert migrate(path) is False
    assert any(name == "calls" for _, name, _ in shape(path))


def test_every_table_is_strict() -> None:
    tables = re.findall(r"CREATE TABLE (\w+) \((.*?)\n\) ([^;]*);", SCHEMA, re.S)
    assert len(tables) >= 15
    assert [name for name, _, options in tables if "STRICT" not in options] == []


def of_release(number: int, path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript((Path(__file__).parent / f"schema_{number:04}.sql").read_text("utf-8"))
    return path


@pytest.mark.parametrize("release", range(1, schema_version(SCHEMA)))
def test_every_release_and_the_steps_after_it_give_this_schema(release: int, tmp_path: Path) -> None:
    stepped, fresh = of_release(release, tmp_path / "stepped.db"), tmp_path / "fresh.db"
    migrate(stepped)
    migrate(fresh)
    assert shape(stepped) == shape(fresh)


def test_there_is_one_step_for_every_version() -> None:
    assert sorted(steps()) == list(range(2, schema_version(SCHEMA) + 1))


def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "newer.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = path.read_bytes()
    with pytest.raises(ConfigurationFault, match="newer release"):
        migrate(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4000])
def test_a_file_that_is_no_sound_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gateway.db"
    path.write_bytes(content)
    with pytest.raises(ConfigurationFault, match="gateway.db"):
        migrate(path)


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ConfigurationFault, match="another program"):
        migrate(path)


def test_a_step_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    older = shape(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection, pytest.raises(sqlite3.OperationalError):
        _run(connection, "CREATE TABLE half (x);\nCREATE TABLE half (x);")
    assert shape(path) == older
