"""Experiments in which something is large: the registry, the ledger, the bodies that pass beside small calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import processes
from bench.calls import Row
from bench.load import Load
from bench.processes import PYTHON, Failed, printed_by
from bench.registry import fill
from bench.targets import MODEL, Place, Target, add_backend, mock, send, set_up

REGISTRIES = {"2 × 1 × 1": (2, 1, 1), "500 × 200 × 5 000": (500, 200, 5000)}
ROWS = 1_000_000
FIGURES = ("/admin?range", "/admin/usage", "/admin/models")
"""Paths that have one of these inside show what was used up to now."""
_CALLS: dict[str, Any] = {"connections": 16, "requests": 5000}
_MIB = 2**20
_BESIDE: dict[str, dict[str, Any]] = {
    "nothing": {},
    "1 MB": {"size": _MIB, "connections": 2, "pause": 0.05},
    "20 MB": {"size": 20 * _MIB, "connections": 1, "pause": 0.05},
}
_SECONDS = 4.0


def registry(directory: Path, rounds: int) -> Iterator[Row]:
    """Calls that go through all models and API keys in turn, in a small registry and in a large one."""
    cores = processes.halves()
    with ExitStack() as closing:
        closing.enter_context(processes.on(cores.others))
        port = closing.enter_context(mock())
        targets: list[tuple[Target, dict[str, Any]]] = []
        for name, size in REGISTRIES.items():
            place = set_up(directory / f"registry-{len(targets)}")
            models, tokens = fill(place, port, *size)
            with processes.on(cores.measured):
                target = closing.enter_context(place.serving())
            asked = {"models": models, "tokens": tokens, "headers": {}}
            targets.append((replace(target, name=name), asked))
        # The two are near each other, so that it takes more turns, and shorter ones, to tell them apart.
        yield from _beside_each_other("registry", targets, 3 * rounds, {**_CALLS, "requests": 2500})


def ledger(port: int, directory: Path, rounds: int, rows: int) -> Iterator[Row]:
    """Calls and starts with an empty ledger and with a long one."""
    with ExitStack() as closing:
        targets: list[tuple[Target, dict[str, Any]]] = []
        places = {"0": set_up(directory / "empty"), f"{rows:,}": seeded(directory / "long", rows)}
        for place in places.values():
            with place.serving() as target:
                add_backend(place, target, port, "bench", MODEL)
        for number in range(rounds):
            for name, place in places.items():
                started = {"started_s": place.start_seconds(), "target": name, "round": number}
                yield {"experiment": "ledger", "case": "start", **started}
        for name, place in places.items():
            targets.append((replace(closing.enter_context(place.serving()), name=name), {}))
        yield from _beside_each_other("ledger", targets, rounds, _CALLS)


def seeded(directory: Path, rows: int) -> Place:
    place = set_up(directory)
    printed_by(PYTHON, "-m", "bench.seed", str(directory), "--rows", str(rows))
    return place


def pages(directory: Path, rows: int) -> Iterator[Row]:
    """Every page and list over a long ledger; then those of figures, after a burst of calls in the running hour.

    The ledger is that of the experiment before, where there was one.
    """
    long = directory / "long"
    if not long.exists():
        seeded(long, rows)
    yield from _pages("pages", long, rows, "")
    printed_by(PYTHON, "-m", "bench.burst", str(long))
    for only in FIGURES:
        yield from _pages("burst", long, rows, only)


def _pages(experiment: str, directory: Path, rows: int, only: str) -> Iterator[Row]:
    """What `python -m bench.pages` prints, as rows: milliseconds of each page and list."""
    words = ("--rounds", "10", "--settle", "8", "--only", only)
    printed = printed_by(PYTHON, "-m", "bench.pages", str(directory), *words)
    found = list(paths_of(printed))
    if not found:
        raise Failed(f"bench.pages printed no path: {printed[:500]}")
    for path, middle, high in found:
        row = {"case": path, "round": 0, "target": "gateway", "calls": rows, "p50_ms": middle, "p95_ms": high}
        yield {"experiment": experiment, **row}


def paths_of(printed: str) -> Iterator[tuple[str, float, float]]:
    """The paths of the tables there with the median, which stands under `…: p50`, and the 95th percentile after it."""
    at = 0
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if "p95" in cells:
            at = cells.index("p95")
        elif at and len(cells) > at and cells[0].startswith("/"):
            middle, high = (float(cell.replace(",", "")) for cell in cells[at - 1 : at + 1])
            yield cells[0], middle, high


def calls_said(text: str) -> int:
    """`1000000`, `300k` or `10m`. Raises ValueError for anything else."""
    unit = {"k": 1000, "m": 1_000_000}.get(text[-1:].lower(), 1)
    return int(text[:-1] if unit > 1 else text) * unit


def _beside_each_other(
    experiment: str, targets: Sequence[tuple[Target, dict[str, Any]]], rounds: int, calls: dict[str, Any]
) -> Iterator[Row]:
    for target, asked in targets:
        target.settle()
        # Each API key twice before anything counts: what is worked out at its first use is not what a call costs, and
        # what is known of a backend's last calls grows until there were twenty.
        target.load(**{**calls, **asked, "requests": max(500, 2 * len(asked.get("tokens", ())))})
    for number in range(rounds):
        for target, asked in targets[:: 1 if number % 2 else -1]:
            yield {"experiment": experiment, "case": "16", "round": number, **target.load(**calls, **asked)}


def bodies(targets: Sequence[Target], rounds: int) -> Iterator[Row]:
    """Small calls and paced streams with large bodies beside them, and with none."""
    for number in range(rounds):
        for beside, large in _BESIDE.items():
            for target in targets:
                if target.name in ("direct", "gateway"):
                    for case, found in _crossed(target, large).items():
                        row = {"case": f"{case} beside {beside}", "round": number, "target": target.name}
                        yield {"experiment": "bodies", **row, **found}


def _crossed(target: Target, large: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each load saw; all of them at the same time."""
    loads: dict[str, dict[str, Any]] = {
        "calls": {"connections": 4, "requests": 10**6, "pause": 0.01},
        "streams": {"connections": 10, "requests": 10, "is_stream": True, "pace": 20},
    }
    if large:
        loads["bodies"] = {"requests": 10**6, **large}
    with ThreadPoolExecutor(len(loads)) as threads:
        found: dict[str, Future[dict[str, Any]]] = {
            name: threads.submit(send, _load(target, members)) for name, members in loads.items()
        }
        return {name: one.result() for name, one in found.items()}


def _load(target: Target, members: dict[str, Any]) -> Load:
    return Load(target.url, target.headers, (target.model,), **{"seconds": _SECONDS, **members})
