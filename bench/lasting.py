"""Experiments with the process itself: how fast it starts, what memory it keeps, how fast its ledger is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from bench.calls import Row
from bench.processes import PYTHON, printed_by, rss_mb
from bench.targets import MODEL, add_backend, gateway, set_up

REQUESTS, STREAMS, STEPS = 100_000, 3_000, 40
_DRAINED = re.compile(r"^\| (?P<case>[^|]+) \| (?P<rows>[\d,]+) \| (?P<cpu>[\d.]+) \|$", re.M)


def start(port: int, directory: Path, rounds: int) -> Iterator[Row]:
    """From `python -m gateway` to the first call answered; the first of the starts is a case of its own."""
    place = set_up(directory / "starting")
    with place.serving() as target:
        add_backend(place, target, port, "bench", MODEL)
    for number in range(2 * rounds + 2):
        case = "warm" if number else "first"
        row = {"experiment": "start", "case": case, "round": number, "target": "gateway"}
        yield {**row, "started_s": place.start_seconds()}


def memory(port: int, directory: Path) -> Iterator[Row]:
    """Resident memory of a gateway that serves nothing yet, and after each step of many calls and streams."""
    with gateway(port, directory / "lasting") as (_, target):
        row = {"experiment": "memory", "target": "gateway", "round": 0}
        target.settle()
        yield {**row, "case": "idle", "calls": 0, "rss_mb": rss_mb(target.pid)}
        for step in range(1, STEPS + 1):
            whole = target.load(connections=16, requests=REQUESTS // STEPS)
            streams = target.load(connections=16, requests=STREAMS // STEPS, is_stream=True)
            calls = step * (REQUESTS + STREAMS) // STEPS
            errors = whole["errors"] + streams["errors"]
            yield {**row, "case": "loaded", "calls": calls, "rss_mb": rss_mb(target.pid), "errors": errors}


def drain(rounds: int) -> Iterator[Row]:
    """What `python -m bench.ledger` prints, as rows."""
    printed = printed_by(PYTHON, "-m", "bench.ledger", "--rounds", str(rounds))
    for found in _DRAINED.finditer(printed):
        figures = {"rows_per_second": float(found["rows"].replace(",", "")), "cpu_us": float(found["cpu"])}
        yield {"experiment": "drain", "case": found["case"].strip(), "round": 0, "target": "ledger", **figures}
