"""Where the gateway's time goes: py-spy watches it under sixteen connections, and the top ten are printed.

    python -m bench.profile
    python -m bench.profile --json bench/results/after.json

Two tables for whole answers and two for streams: functions by the samples in which they were the innermost frame, and
stations, which are the modules of the gateway (or the library) to which a sample belongs by its innermost frame of the
gateway. py-spy comes from PyPI, into `.bench/`.
"""

from __future__ import annotations

import argparse
import json
import linecache
import re
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import processes, targets
from bench.installed import from_pypi
from bench.processes import ROOT
from bench.targets import Target

TOP = 10
PY_SPY = "py-spy==0.4.3"
LOADS = {"whole answers": False, "streams": True}
SECONDS = 15
_RATE = 400
_PACKAGE = "/gateway/"
_FRAME = re.compile(r"(?P<name>.*) \((?P<path>.*?)(?::(?P<line>\d+))?\)$")

Stacks = list[tuple[list[str], int]]
"""Frames from the outermost to the innermost, as `function (path:line)`, and in how many samples they were seen."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT, help="sources of the gateway to watch")
    parser.add_argument("--json", type=Path, help="also write the tables here")
    asked = parser.parse_args()
    processes.end_on_signals()
    found = {}
    with ExitStack() as closing:
        directory = Path(closing.enter_context(tempfile.TemporaryDirectory()))
        port = closing.enter_context(targets.mock())
        _, target = closing.enter_context(targets.gateway(port, directory / "weir", asked.tree.absolute()))
        for name, is_stream in LOADS.items():
            found[name] = tables(watched(target, directory / "stacks", is_stream=is_stream))
    for name, kinds in found.items():
        for kind, rows in kinds.items():
            print(f"\n| {name}: {kind} | share |\n| --- | ---: |")
            print("\n".join(f"| {place} | {share:.1%} |" for place, share in rows))
    if asked.json:
        asked.json.write_text(json.dumps({"profile": found}, indent=1) + "\n", "utf-8")


def watched(target: Target, file: Path, *, is_stream: bool) -> Stacks:
    """What the processor did in some seconds of load."""
    load: dict[str, Any] = {"connections": 16, "requests": 10**6, "is_stream": is_stream, "seconds": SECONDS + 3}
    target.load(**{**load, "seconds": 1})
    loading = threading.Thread(target=target.load, kwargs=load)
    loading.start()
    try:
        command = [
            str(from_pypi("py-spy", PY_SPY) / "py-spy"),
            "record",
            "--pid",
            str(target.pid),
            "--duration",
            str(SECONDS),
        ]
        options = ["--rate", str(_RATE), "--format", "raw", "--full-filenames"]
        subprocess.run([*command, *options, "--output", str(file)], check=True, stdout=subprocess.DEVNULL)
    finally:
        loading.join()
    return stacks_of(file.read_text("utf-8").splitlines())


def stacks_of(lines: Iterable[str]) -> Stacks:
    """Of the raw format: frames with semicolons between them, a space, and how often. Who only waits is left out."""
    split = (line.rpartition(" ") for line in lines if line)
    found = [(frames.split(";"), int(count)) for frames, _, count in split]
    return [(frames, count) for frames, count in found if not _waits(frames[-1])]


def _waits(frame: str) -> bool:
    """Whether its line takes from a queue: a thread blocked there looks busy to py-spy."""
    found = _FRAME.match(frame)
    if not found or not found["line"]:
        return False
    return ".get(" in linecache.getline(found["path"], int(found["line"]))


def tables(stacks: Stacks) -> dict[str, list[tuple[str, float]]]:
    functions: Counter[str] = Counter()
    stations: Counter[str] = Counter()
    for frames, count in stacks:
        functions[_shown(frames[-1])] += count
        stations[_station(frames)] += count
    return {"function, by itself": _top(functions), "station": _top(stations)}


def _top(counts: Counter[str]) -> list[tuple[str, float]]:
    whole = counts.total() or 1
    return [(place, round(count / whole, 4)) for place, count in counts.most_common(TOP)]


def _station(frames: list[str]) -> str:
    for frame in reversed(frames):
        if _PACKAGE in frame:
            return _file(frame)
    return _file(frames[-1]).split("/")[0]


def _shown(frame: str) -> str:
    found = _FRAME.match(frame)
    return f"{found['name']} ({_file(frame)})" if found else frame


def _file(frame: str) -> str:
    """A path from its package on: of the gateway, of a library, or of Python's own."""
    found = _FRAME.match(frame)
    path = found["path"] if found else frame
    for root in (_PACKAGE, "/site-packages/", "/python3."):
        _, there, rest = path.rpartition(root)
        if there:
            rest = rest if root != "/python3." else rest.partition("/")[2]
            return ("gateway/" if root == _PACKAGE else "") + rest
    return path


if __name__ == "__main__":
    main()
