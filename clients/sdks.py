"""SDKs for node against every upstream format: whole, streamed, and with a tool."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

from clients import installed
from clients.cells import Cell, cells_of
from clients.stage import UPSTREAMS, Stage, model_of
from clients.upstream import script

_SCRIPTS = ("openai", "anthropic", "genai", "ai")
_SECONDS = 120


def prove(stage: Stage) -> Iterator[Cell]:
    for source in (installed.HERE / "node").glob("*.mjs"):
        # Beside the packages, which are looked for from where a script is.
        shutil.copy(source, installed.NODE)
    for name in _SCRIPTS:
        yield from _run(stage, name)


def asked_of(stage: Stage) -> str:
    """What a program is told, as JSON."""
    usage = {"input": script.INPUT_TOKENS, "cached": script.CACHED_TOKENS, "output": script.OUTPUT_TOKENS}
    return json.dumps(
        {
            "origin": stage.origin,
            "key": stage.api_key,
            "models": {upstream: model_of(upstream) for upstream in UPSTREAMS},
            "file": str(stage.secret_file),
            "word": stage.word,
            "hello": script.HELLO,
            "usage": usage,
        }
    )


def _run(stage: Stage, name: str) -> list[Cell]:
    command = ["node", str(installed.NODE / f"{name}.mjs"), asked_of(stage)]
    code, output, errors = installed.run(command, stage.work, installed.environment(stage.work, {}), _SECONDS)
    cells = cells_of(json.loads(line) for line in output.splitlines() if line.startswith("{"))
    if code != 0:
        cells.append(Cell(f"{name}.mjs", UPSTREAMS[0], "run", f"exit code {code}: {errors[-600:]}"))
    return cells
