"""`prices` and `prices sync`, as a process."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.cli.program import run, serving


def made(data_dir: Path) -> str:
    """A data directory whose catalogue is older than the installed package; the management token."""
    found = json.loads(run("init", "--data-dir", str(data_dir), "--json", "--no-detect").stdout)
    with closing(sqlite3.connect(data_dir / "gateway.db")) as connection, connection:
        connection.execute("UPDATE catalogue SET version = '0.0.1', date = '2020-01-01'")
        connection.execute("DELETE FROM catalogue_prices")
    return str(found["management_token"])


def prices(data_dir: Path, *words: str, stdin: str = "") -> tuple[int, str, str]:
    done = run("prices", *words, "--data-dir", str(data_dir), stdin=stdin)
    return done.returncode, done.stdout, done.stderr


def test_prices_are_listed_with_their_origin(tmp_path: Path) -> None:
    made(tmp_path)

    code, out, err = prices(tmp_path)

    assert (code, err) == (0, "")
    assert "demo/echo" in out
    assert "$0 in, $0 out" in out
    assert "model v1" in out
    found = json.loads(prices(tmp_path, "--json")[1])
    assert found["catalogue"]["version"] == "0.0.1"
    assert {one["model"] for one in found["prices"]} >= {"demo/echo", "demo/slow"}


def test_newer_prices_are_taken_once_while_nothing_is_served(tmp_path: Path) -> None:
    made(tmp_path)

    code, out, err = prices(tmp_path, "sync", "--json")

    # Opening the directory takes what the release brings, which may be as new as the package.
    assert (code, err) == (0, "")
    assert json.loads(out)["taken"]["version"] != "0.0.1"
    code, out, _ = prices(tmp_path, "sync")
    assert code == 0
    assert out.startswith("Nothing newer: the catalogue of ")


def test_a_running_gateway_takes_them_over_its_api(tmp_path: Path) -> None:
    token = made(tmp_path)
    with serving(tmp_path) as program:
        with closing(sqlite3.connect(tmp_path / "gateway.db")) as connection, connection:
            connection.execute("UPDATE catalogue SET version = '0.0.1'")
        bearer = {"authorization": f"Bearer {token}"}
        made_pool = program.request("POST", "/api/admin/pools", {"name": "third"}, bearer)
        assert made_pool[0] == 201  # so that the gateway reads its tables again
        openai = {"name": "o", "preset": "openai", "api_key": "sk-x", "models": ["gpt-4o"]}
        assert program.request("POST", "/api/admin/backends", openai, bearer)[0] == 201

        code, _, err = prices(tmp_path, "sync")
        assert code == 1
        assert "--token-file" in err
        code, out, err = prices(tmp_path, "sync", "--token-file", "-", "--json", stdin=token)
        assert (code, err) == (0, "")
        assert json.loads(out)["taken"]["is_taken"] is True
        listed = json.loads(program.request("GET", "/api/admin/prices?q=gpt-4o", None, bearer)[2])

    assert [(one["origin"][:9], one["tiers"][0]["input"]) for one in listed["items"]] == [("catalogue", "2.5")]


def test_a_wrong_token_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    (tmp_path / "token").write_text("wrong\n")
    with serving(tmp_path):
        code, _, err = prices(tmp_path, "sync", "--token-file", str(tmp_path / "token"))

    assert code == 1
    assert err.startswith("prices: 401")


def test_a_directory_without_a_database_is_told(tmp_path: Path) -> None:
    code, _, err = prices(tmp_path / "nothing")

    assert code == 78
    assert "gateway.db" in err
    assert not (tmp_path / "nothing").exists()


def test_without_the_package_the_line_that_installs_it_is_told(tmp_path: Path) -> None:
    made(tmp_path)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.metadata as metadata\n"
        "found = metadata.version\n"
        "def version(name):\n"
        "    if name == 'genai-prices':\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
    )
    place = str(Path(__file__).resolve().parent.parent.parent)
    done = run("prices", "sync", "--data-dir", str(tmp_path), PYTHONPATH=f"{hidden}:{place}")

    assert done.returncode == 1
    assert "-m pip install -U 'weir-gateway[prices]'" in done.stderr
