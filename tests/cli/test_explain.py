"""`explain`: the plan of a call, from a shell."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.program import run, serving


def test_it_prints_the_plan_for_people_and_programs(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-detect"):
        told = run("explain", "demo/echo", "--data-dir", str(tmp_path))
        plan = json.loads(run("explain", "demo/echo", "--json", "--data-dir", str(tmp_path)).stdout)
        unknown = run("explain", "echoes", "--data-dir", str(tmp_path))

    lines = told.stdout.splitlines()
    assert told.returncode == 0
    assert lines[0].startswith("demo/echo  (configuration ")
    assert "seed " in lines[0]
    assert ["demo/main" in lines[1], "demo-spare/main" in lines[2]] == [True, True]
    assert "openai_chat" in lines[1]
    assert [found["backend"] for found in plan["candidates"]] == ["demo/main", "demo-spare/main"]
    assert (unknown.returncode, "demo/echo" in unknown.stderr) == (1, True)


def test_without_a_running_gateway_it_says_how_to_start_one(tmp_path: Path) -> None:
    told = run("explain", "m", "--data-dir", str(tmp_path))

    assert told.returncode == 1
    assert "-m gateway" in told.stderr
