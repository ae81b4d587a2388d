"""SDKs and LangChain against every upstream format: whole, streamed, and with a tool."""

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


def of_node(stage: Stage) -> Iterator[Cell]:
    for source in (installed.HERE / "node").glob("*.mjs"):
        # Beside the packages, which are looked for from where a script is.
        shutil.copy(source, installed.NODE)
    for name in _SCRIPTS:
        yield from _cells(stage, "node", str(installed.NODE / f"{name}.mjs"))


def of_langchain(stage: Stage) -> Iterator[Cell]:
    program = installed.HERE / "python/langchain_models.py"
    yield from _cells(stage, str(installed.PYTHON / "bin/python"), str(program))


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


def _cells(stage: Stage, *command: str) -> list[Cell]:
    environ = installed.environment(stage.work, {})
    code, output, errors = installed.run([*command, asked_of(stage)], stage.work, environ, _SECONDS)
    cells = cells_of(json.loads(line) for line in output.splitlines() if line.startswith("{"))
    if code != 0:
        cells.append(Cell(command[-1], UPSTREAMS[0], "run", f"exit code {code}: {errors[-600:]}"))
    return cells
