"""A small model that really runs: asked through the gateway it says and counts what it does when it is asked directly.

Its server speaks three of the formats itself, and what it says is the same in each, so that the answer to a question
in any format through a backend of any of the three can be held against its own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any

from clients import installed
from clients.asking import CONVERSATIONS, Place, embedding, in_completions
from clients.cells import Cell
from clients.stage import Stage
from clients.upstream.server import SPEECHES

_NAME = "gemma 3 270m"
_SPOKEN = ("chat", "responses", "messages")
_CASES = (("whole", False), ("stream", True))
OWN = "own format"
"""The column of what is never translated."""


def prove(stage: Stage) -> Iterator[Cell]:
    with _serving() as origin:
        direct = Place(origin, "none", "gemma")
        for upstream in _SPOKEN:
            _register(stage, upstream, SPEECHES[upstream].api_format, origin)
        for asked, upstream in product(CONVERSATIONS, _SPOKEN):
            own, ask = CONVERSATIONS[upstream], CONVERSATIONS[asked]
            for case, streamed in _CASES:
                both = partial(own, direct, streamed), partial(ask, _through(stage, upstream), streamed)
                yield _cell(asked, upstream, case, *both)
        _register(stage, "completions", "openai_completions", origin)
        for case, streamed in _CASES:
            both = (
                partial(in_completions, direct, streamed),
                partial(in_completions, _through(stage, "completions"), streamed),
            )
            yield _cell("completions", OWN, case, *both)
    with _serving("embeddings") as origin:
        _register(stage, "embeddings", "openai_embeddings", origin)
        direct, through = Place(origin, "none", "gemma"), _through(stage, "embeddings")
        yield _cell("embeddings", OWN, "whole", partial(embedding, direct), partial(embedding, through))


def _cell(asked: str, upstream: str, case: str, directly: Callable[[], Any], through: Callable[[], Any]) -> Cell:
    try:
        wanted, found = directly(), through()
        why = "" if found == wanted else f"{found} and not {wanted}"
    except Exception as error:  # noqa: BLE001  reason: whatever a client raises is what the cell has to tell
        why = repr(error)
    return Cell(f"{_NAME}, asked in {asked}", upstream, case, why[:600])


def _through(stage: Stage, name: str) -> Place:
    return Place(stage.origin, stage.api_key, f"gemma-{name}")


def _register(stage: Stage, name: str, api_format: str, origin: str) -> None:
    stage.backend(
        name=f"gemma-{name}", base_url=f"{origin}/v1", api_format=api_format, models={f"gemma-{name}": "gemma"}
    )


@contextmanager
def _serving(*words: str) -> Iterator[str]:
    """Its origin; it ends when its standard input does."""
    program = (installed.PYTHON / "bin/python", installed.HERE / "python/local_model.py", installed.PLACE)
    command = [*map(str, program), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout and process.stdin
        try:
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.kill()
