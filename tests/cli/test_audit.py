"""`audit verify`, as a process."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.program import run, serving


def verify(data_dir: Path, *words: str) -> tuple[int, str, str]:
    done = run("audit", "verify", "--data-dir", str(data_dir), *words)
    return done.returncode, done.stdout, done.stderr


def test_a_log_is_whole_while_it_is_served_and_afterwards(tmp_path: Path) -> None:
    made = json.loads(run("init", "--data-dir", str(tmp_path), "--json", "--no-detect").stdout)
    with serving(tmp_path) as program:
        bearer = {"authorization": f"Bearer {made['management_token']}"}
        assert program.request("POST", "/api/admin/pools", {"name": "third"}, bearer)[0] == 201
        code, out, _ = verify(tmp_path, "--json")
        served = json.loads(out)
        assert (code, served["fault"]) == (0, None)
        assert served["rows"] >= 2

    code, out, err = verify(tmp_path)

    assert (code, err) == (0, "")
    assert f"{served['rows']} rows, ending at {served['head']}" in out
    assert verify(tmp_path, "--head", served["head"])[0] == 0
    assert verify(tmp_path, "--head", "1:" + "00" * 32)[0] == 1
    assert verify(tmp_path, "--head", "yesterday")[0] == 78


def test_a_row_that_was_changed_is_named(tmp_path: Path) -> None:
    run("init", "--data-dir", str(tmp_path), "--json", "--no-detect")
    with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
        connection.execute("DROP TRIGGER audit_is_not_updated")
        connection.execute("UPDATE audit SET actor_name = 'eve' WHERE seq = 2")

    code, out, err = verify(tmp_path)

    assert (code, out) == (1, "")
    assert "row 2 is not what was written" in err


def test_a_directory_without_a_database_is_told(tmp_path: Path) -> None:
    code, _, err = verify(tmp_path / "nothing")

    assert code == 78
    assert "gateway.db" in err
    assert not (tmp_path / "nothing").exists()
