"""`init`, `try`, `password` and `version`, as processes."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import stat
from pathlib import Path

from tests.cli.program import run, serving


def initialised(data_dir: Path, *words: str) -> dict[str, str]:
    made = run("init", "--data-dir", str(data_dir), "--json", "--no-detect", *words)
    assert made.returncode == 0, made.stderr
    found: dict[str, str] = json.loads(made.stdout)
    return found


def test_init_prints_what_a_script_needs_and_serve_starts_on_it(tmp_path: Path) -> None:
    made = initialised(tmp_path / "data")
    assert set(made) == {"data_dir", "api_key", "management_token", "admin_url"}
    assert made["data_dir"] == str(tmp_path / "data")

    with serving(tmp_path / "data") as program:
        assert program.ready["api_key"] is None
        assert program.ask(made["api_key"])[0] == 200
        bearer = {"authorization": f"Bearer {made['management_token']}"}
        status, _, body = program.request("GET", "/api/admin/providers", headers=bearer)
        assert (status, json.loads(body)["total"]) == (200, 2)
        link = made["admin_url"].split("/admin/", 1)[1]
        assert program.request("GET", f"/admin/{link}")[0] == 200


def test_what_init_prints_is_in_the_database_as_hashes_only(tmp_path: Path) -> None:
    made = initialised(tmp_path)
    link = made["admin_url"].rsplit("/", 1)[1]

    content = (tmp_path / "gateway.db").read_bytes()

    for secret in (made["api_key"], made["management_token"], link):
        assert secret.encode() not in content
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_init_names_the_place_where_it_will_be_served(tmp_path: Path) -> None:
    made = initialised(tmp_path, "--port", "9123", "--root-path", "/gateway")

    assert made["admin_url"].startswith("http://127.0.0.1:9123/gateway/admin/setup/")


def test_init_says_the_same_to_people(tmp_path: Path) -> None:
    made = run("init", "--data-dir", str(tmp_path), "--no-detect")

    assert made.returncode == 0
    for word in (str(tmp_path), "sk-gw-", "gwm-", "/admin/setup/"):
        assert word in made.stdout


def test_init_refuses_a_directory_that_is_set_up_already(tmp_path: Path) -> None:
    initialised(tmp_path)

    again = run("init", "--data-dir", str(tmp_path), "--json")

    assert again.returncode == 78
    assert again.stdout == "" and "set up already" in again.stderr


def test_init_with_a_key_file_uses_that_one(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("cd" * 32)
    key.chmod(0o600)

    initialised(tmp_path / "data", "--master-key-file", str(key))

    assert not (tmp_path / "data" / "master.key").exists()
    assert run("--data-dir", str(tmp_path / "data"), "--port", "0").returncode == 78


def test_try_asks_the_running_gateway(tmp_path: Path) -> None:
    with serving(tmp_path):
        whole = run("try", "Say  hi\nto them", "--data-dir", str(tmp_path))
        streamed = run("try", "Say hi", "--stream", "--data-dir", str(tmp_path))
        spare = run("try", "Say hi", "--model", "demo/500", "--data-dir", str(tmp_path))
        unknown = run("try", "Say hi", "--model", "no-such-model", "--data-dir", str(tmp_path))

    assert (whole.returncode, whole.stdout) == (0, "Say  hi\nto them\n"), whole.stderr
    assert (streamed.returncode, streamed.stdout) == (0, "Say hi\n"), streamed.stderr
    assert (spare.returncode, spare.stdout) == (0, "Say hi\n"), spare.stderr
    assert "demo-spare" in spare.stderr
    assert unknown.returncode == 1 and "404" in unknown.stderr and "no-such-model" in unknown.stderr


def test_try_says_when_an_answer_was_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path):
        cut = run("try", "one two three four five six", "--stream", "--model", "demo/cut", "--data-dir", str(tmp_path))

    assert cut.returncode == 1
    assert cut.stdout.startswith("one two") and cut.stderr.startswith("try: ")


def test_try_says_what_to_do_when_nothing_runs(tmp_path: Path) -> None:
    initialised(tmp_path)

    refused = run("try", "Say hi", "--data-dir", str(tmp_path))

    assert refused.returncode == 1
    assert "no gateway runs on" in refused.stderr and "-m gateway" in refused.stderr


def test_try_says_where_to_get_a_key_when_its_file_is_gone(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        (tmp_path / "client.env").unlink()
        refused = run("try", "Say hi", "--data-dir", str(tmp_path))

        assert refused.returncode == 1
        assert f"{program.url}/admin/keys" in refused.stderr


def test_client_env_follows_the_gateway_to_another_port(tmp_path: Path) -> None:
    urls = []
    for _ in range(2):
        with serving(tmp_path) as program:
            urls.append(program.url)
            text = (tmp_path / "client.env").read_text()
            assert f"GATEWAY_BASE_URL={program.url}/v1\n" in text
            assert "GATEWAY_API_KEY=sk-gw-" in text
            assert stat.S_IMODE((tmp_path / "client.env").stat().st_mode) == 0o600
    assert urls[0] != urls[1]


def test_password_reset_makes_an_administrator_or_changes_the_password(tmp_path: Path) -> None:
    made = run("password", "reset", "--data-dir", str(tmp_path), stdin="nine green kettles\n")
    changed = run("password", "reset", "--data-dir", str(tmp_path), stdin="ten blue saucepans\n")
    weak = run("password", "reset", "--data-dir", str(tmp_path), stdin="password1234\n")
    nobody = run("password", "reset", "--username", "eve", "--data-dir", str(tmp_path), stdin="nine green kettles\n")

    assert (made.returncode, changed.returncode) == (0, 0), made.stderr + changed.stderr
    assert made.stdout.startswith("Made admin") and changed.stdout.startswith("Changed the password of admin")
    assert weak.returncode == nobody.returncode == 78
    assert "password1234" not in weak.stderr
    with contextlib.closing(sqlite3.connect(tmp_path / "gateway.db")) as connection:
        actions = [row[0] for row in connection.execute("SELECT action FROM audit ORDER BY seq")]
        assert connection.execute("SELECT username FROM users").fetchall() == [("admin",)]
    assert actions == ["set_up", "reset_password"]


def test_password_reset_waits_for_no_running_gateway(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        refused = run("password", "reset", "--data-dir", str(tmp_path), stdin="nine green kettles\n")

    assert refused.returncode == 73
    assert str(program.process.pid) in refused.stderr


def test_version_says_what_runs_here() -> None:
    shown = json.loads(run("version", "--json").stdout)

    assert set(shown) == {"version", "python", "sqlite", "starlette", "uvicorn", "httpx"}
    assert all(text[0].isdigit() for text in shown.values())
    assert run("version").stdout.startswith(f"weir {shown['version']}  python ")
    assert run("--version").stdout == run("version").stdout
