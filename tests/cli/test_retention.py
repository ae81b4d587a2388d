"""`retention`, as a process."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.program import run, serving


def retention(data_dir: Path, *words: str) -> tuple[int, str, str]:
    done = run("retention", "--data-dir", str(data_dir), *words)
    return done.returncode, done.stdout, done.stderr


def age(data_dir: Path) -> None:
    """What was called is a year older now."""
    with closing(sqlite3.connect(data_dir / "gateway.db")) as connection, connection:
        connection.execute("UPDATE calls SET started_at = started_at - 366 * 86400000")
        connection.execute("UPDATE hours SET hour = hour - 366 * 86400000, summed = 0")
        connection.execute("DELETE FROM days")


def test_old_requests_are_told_and_then_deleted(tmp_path: Path) -> None:
    made = json.loads(run("init", "--data-dir", str(tmp_path), "--json", "--no-detect").stdout)
    with serving(tmp_path) as program:
        bearer = {"authorization": f"Bearer {made['api_key']}"}
        body = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]}
        assert program.request("POST", "/v1/chat/completions", body, bearer)[0] == 200
        code, out, _ = retention(tmp_path, "--dry-run")
        assert code == 0
        assert "Requests are kept for 90 days, in at most " in out
        assert "Too old: 0 requests" in out
        assert retention(tmp_path)[0] == 73
    age(tmp_path)

    assert json.loads(retention(tmp_path, "--dry-run", "--json")[1])["due_requests"] == 1
    assert json.loads(retention(tmp_path, "--json")[1]) == {"requests": 1, "captures": 0}
    assert retention(tmp_path) == (0, "Deleted 0 requests and 0 captured parts.\n", "")


def test_a_directory_without_a_database_is_told(tmp_path: Path) -> None:
    code, _, err = retention(tmp_path / "nothing", "--dry-run")

    assert code == 78
    assert "gateway.db" in err
