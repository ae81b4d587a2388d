"""The schema: made, stepped up, or refused."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from gateway import resources
from gateway.errors import ConfigurationFault
from gateway.model.people import Period
from gateway.routing.spends import beginning
from gateway.store.migrate import _run, migrate, schema_version, steps
from tests.cli.program import environment

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


@pytest.mark.slow
@pytest.mark.parametrize("release", range(1, schema_version(SCHEMA)))
def test_a_kill_at_any_statement_leaves_the_old_schema_or_the_new_one_and_a_copy(release: int, tmp_path: Path) -> None:
    """REL-22: the next start goes on from there. Every statement in the long form, one in nine else."""
    whole = tmp_path / "whole.db"
    migrate(whole)
    number, code = 1 - STRIDE, 1
    while code != 0:
        number += STRIDE
        path = tmp_path / f"killed-{number}.db"
        before = shape(of_release(release, path))
        command = [sys.executable, "-m", "tests.store.stepped", str(path), str(number)]
        code = subprocess.run(command, env=environment(), check=False, timeout=60).returncode
        assert code in (0, -signal.SIGKILL)
        with closing(sqlite3.connect(path)) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert version != release or shape(path) == before
        copy = path.with_name(f"{path.name}.before-{schema_version(SCHEMA)}")
        assert version == release or shape(copy) == before
        migrate(path)
        assert shape(path) == shape(whole)
    assert number > 1  # killed at least once


STRIDE = 1 if os.environ.get("SOAK") == "long" else 9


@pytest.mark.parametrize("release", range(1, schema_version(SCHEMA)))
def test_what_was_written_before_a_step_is_there_after_it(release: int, tmp_path: Path) -> None:
    path = of_release(release, tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(
            """
            INSERT INTO users (id, username, password_hash, role, created_at) VALUES ('u1', 'bea', 'x', 'user', 1);
            INSERT INTO api_keys (id, name, key_hash, prefix, tail, created_at, updated_at)
            VALUES ('k1', 'laptop', randomblob(32), 'sk-gw', 'tail', 1, 1);
            """
        )
        columns = [row[1] for row in connection.execute("PRAGMA table_info(calls)")]
        for number, cost in enumerate((5, 0, None, 7)):
            row = {
                **dict.fromkeys(columns, 0),
                **{name: "" for name in columns if name in TEXTS},
                **{"id": f"req_{number}", "started_at": 1_700_000_000_000 + number * 86_400_000, "api_key_id": "k1"},
                **{"status": "completed", "usage_source": "reported", "cost_nano": cost, "source": "API"},
                **{"skips": "[]", "considered": "[]", "charged_at": 1_700_000_000_000 + number * 86_400_000},
            }
            kept = {name: row[name] for name in columns}
            marks = ", ".join("?" * len(kept))
            connection.execute(f"INSERT INTO calls ({', '.join(kept)}) VALUES ({marks})", list(kept.values()))  # noqa: S608
        connection.execute(
            """
            INSERT INTO attempts (
              call_id, number, backend_id, backend, pool, upstream_model, started_ms, total_ms, outcome, status, error)
            VALUES ('req_0', 1, 'b', 'b', 'p', 'm', 0, 5, 'ok', 200, '')
            """
        )
        if release >= WITH_SEGMENTS:
            connection.execute("UPDATE segments SET calls = 4")
            connection.execute("INSERT INTO last_uses SELECT api_key_id, max(started_at) FROM calls")
        if release >= WITH_DAYS:
            days = [("api_key:k1", 1_700_000_000_000 // 86_400_000 + later, nano) for later, nano in ((0, 5), (3, 7))]
            connection.executemany("INSERT INTO spends (owner, day, nano) VALUES (?, ?, ?)", days)
        elif release >= WITH_SUMS:
            told = spent_of(((0, 5), (3, 7)))
            rows = [("api_key:k1", period, since, nano) for (period, since), nano in told.items()]
            connection.executemany("INSERT INTO spends (owner, period, since, nano) VALUES (?, ?, ?, ?)", rows)

    migrate(path)

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT call_id, total_ms FROM attempts").fetchall() == [("req_0", 5)]
        assert connection.execute("SELECT cost_nano, charged_at - started_at FROM calls ORDER BY id").fetchall() == [
            (5, 0),
            (0, 0),
            (None, 0),
            (7, 0),
        ]
        spent = connection.execute("SELECT owner, day, nano FROM spends ORDER BY owner, day").fetchall()
        used = connection.execute("SELECT api_key_id, at FROM last_uses").fetchall()
        assert connection.execute("SELECT number, after_id, calls FROM segments").fetchall() == [(0, "", 4)]
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed: status"):
            connection.execute("UPDATE calls SET status = 'odd'")
        with pytest.raises(sqlite3.IntegrityError, match="CHECK constraint failed: usage_source"):
            connection.execute("UPDATE calls SET usage_source = 'odd'")
    day = 1_700_000_000_000 // 86_400_000
    assert used == [("k1", 1_700_000_000_000 + 3 * 86_400_000)]
    assert spent == [("api_key:k1", day, 5), ("api_key:k1", day + 3, 7)]


WITH_SUMS = 3
"""The first release that kept what was spent, so that no later step has to count it."""
WITH_DAYS = 6
"""The first that kept it by day alone."""
WITH_SEGMENTS = 7
"""The first that counted calls in segments and kept last uses."""


def spent_of(days: Iterable[tuple[int, int]]) -> dict[tuple[str, int], int]:
    """What calls of so many nano-dollars on these days come to, by period and its beginning."""
    told: dict[tuple[str, int], int] = {}
    for number, cost in days:
        for period in Period:
            key = (period.value, beginning(period, 1_700_000_000_000 + number * 86_400_000))
            told[key] = told.get(key, 0) + cost
    return told


TEXTS = {
    *("api_key_name", "api_format", "path", "asked_model", "served_model", "provider", "backend", "pool", "error_code"),
    *("error", "client_ip", "route", "provider_id", "backend_id", "user_name", "upstream_format", "price_origin"),
    *("dropped", "agent_session", "agent_id", "parent_agent_id", "request_class"),
}


def test_calls_that_were_summed_before_there_were_calls_that_wait_are_summed_still(tmp_path: Path) -> None:
    path = of_release(4, tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO hours (hour, calls, summed) VALUES (0, 5, 5), (3600000, 7, 0)")
    migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT hour, calls, summed FROM hours").fetchall() == [(0, 5, 5), (3600000, 7, 0)]
        assert connection.execute("SELECT count(*) FROM unsummed_calls").fetchone() == (0,)
