"""Backups: whole, sound, for their owner alone, and put back only where that is safe; and damaged files (REL-06)."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.errors import ConfigurationFault
from gateway.ops.backup import back_up, put_back, require_sound
from gateway.store.migrate import migrate
from tests.cli.program import run, serving

DAMAGES = 100 if os.environ.get("SOAK") == "long" else 10


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.db"
    migrate(path)
    note(path, "first")
    return path


def note(path: Path, word: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT OR REPLACE INTO settings VALUES ('note', ?, 0, 'test')", (f'"{word}"',))


def noted(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        return str(connection.execute("SELECT value FROM settings WHERE name = 'note'").fetchone()[0]).strip('"')


def test_a_copy_is_whole_and_for_its_owner_alone(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    size = back_up(database, copy)

    assert (noted(copy), size) == ("first", copy.stat().st_size)
    assert copy.stat().st_mode & 0o777 == 0o600
    require_sound(copy)
    assert not list(tmp_path.glob("*.part"))


def test_a_copy_takes_the_place_of_nothing(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    copy.write_text("mine")
    with pytest.raises(ConfigurationFault, match="is there already"):
        back_up(database, copy)
    assert copy.read_text() == "mine"
    with pytest.raises(ConfigurationFault, match=r"no such database"):
        back_up(tmp_path / "nothing.db", tmp_path / "x.db")
    with pytest.raises(ConfigurationFault, match=r"x\.db"):
        back_up(database, tmp_path / "no" / "such" / "x.db")


def test_what_was_there_is_kept_aside(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    note(database, "second")

    aside = put_back(copy, database)

    assert aside is not None
    assert (noted(database), noted(aside)) == ("first", "second")
    assert database.stat().st_mode & 0o777 == 0o600
    migrate(database)


def test_a_lost_database_is_put_back(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    database.unlink()

    assert put_back(copy, database) is None
    assert noted(database) == "first"


@pytest.mark.parametrize("content", [b"", b"not a database" * 500, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_what_is_no_backup_changes_nothing(database: Path, tmp_path: Path, content: bytes) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    with pytest.raises(ConfigurationFault, match=r"other\.db"):
        put_back(other, database)
    assert noted(database) == "first"


def test_a_newer_releases_backup_is_refused(database: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(ConfigurationFault, match="newer release"):
        put_back(copy, database)


@pytest.mark.parametrize("seed", range(DAMAGES))
def test_a_damaged_database_is_refused_with_the_way_back_and_never_begun_anew(
    database: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executemany(
            "INSERT INTO settings VALUES (?, ?, 0, 'test')", [(str(n), "x" * 2000) for n in range(300)]
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copy.db"
    back_up(database, copy)
    before = shutil.copyfile(database, tmp_path / "before.db")
    damage(database, chance)

    try:
        migrate(database)
    except ConfigurationFault as fault:
        assert f"gateway restore BACKUP --data-dir {tmp_path}" in str(fault)
    else:
        # The damage hit nothing that is used: then everything must still be there.
        with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(before)) as other:
            query = "SELECT name, value FROM settings ORDER BY name"
            assert one.execute(query).fetchall() == other.execute(query).fetchall()
    put_back(copy, database)
    migrate(database)
    assert noted(database) == "first"


def damage(path: Path, chance: random.Random) -> None:
    """One of: pages of noise, cut off somewhere, emptied."""
    size = path.stat().st_size
    kind = chance.choice(["noise", "noise", "cut", "empty"])
    with path.open("r+b") as file:
        if kind == "noise":
            for _ in range(3):
                file.seek(chance.randrange(size // 4096) * 4096)
                file.write(chance.randbytes(4096))
        else:
            file.truncate(chance.randrange(size // 4096) * 4096 if kind == "cut" else 0)


def test_the_commands_work_while_it_is_served_and_refuse_to_restore_then(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy.db"
    with serving(data, "--no-detect") as program:
        key = program.ready["api_key"]
        assert program.ask(key)[0] == 200
        made = run("backup", str(copy), "--data-dir", str(data))
        assert made.returncode == 0 and "The master key is not in it" in made.stdout, made.stderr
        refused = run("restore", str(copy), "--data-dir", str(data))
        assert refused.returncode == 73 and str(program.process.pid) in refused.stderr
        program.stop()
    with (data / "gateway.db").open("r+b") as file:
        file.truncate(0)
    stopped = run("serve", "--port", "0", "--data-dir", str(data))
    assert stopped.returncode == 78 and f"gateway restore BACKUP --data-dir {data}" in stopped.stderr

    back = run("restore", str(copy), "--data-dir", str(data))

    assert back.returncode == 0 and "What was there is now" in back.stdout, back.stderr
    with serving(data, "--no-detect") as again:
        assert again.ask(key)[0] == 200
