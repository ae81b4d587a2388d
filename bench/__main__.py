"""What the gateway costs a call: the same load sent directly, through the ceiling and through the gateway, in turns.

    make bench                                      # some minutes
    make bench ARGS="--only whole,stream --rounds 5"
    make bench ARGS="--only pages --rows 10m"       # pages over ten million calls; to make them takes an hour
    make bench-peers                                # the same with other gateways, about a quarter of an hour

Every round is written to a file, and its tables are printed; `python -m bench.report` makes docs/benchmarks.md of it.
Everything is on loopback and ends by itself. On a noisy machine compare ratios within one run, not figures of two runs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench import calls, facts, lasting, peers, processes, sizes, targets
from bench.calls import Row
from bench.processes import PYTHON, ROOT, line_of, running
from bench.tables import printed
from bench.targets import Target

__all__ = ["PYTHON", "line_of", "running"]
RESULTS = ROOT / ".bench" / "results.json"
IN_COMMON: dict[str, Callable[[Sequence[Target], int], Iterator[Row]]] = {
    "whole": calls.whole,
    "stream": calls.stream,
    "translated": calls.translated,
    "bodies": sizes.bodies,
}
"""Experiments that share one gateway, and the other targets."""
OF_THEIR_OWN = ("registry", "ledger", "pages", "start", "memory", "drain")


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for. `share` is the part of the usual requests that is sent; `tree` has the gateway's sources."""

    only: tuple[str, ...]
    rounds: int
    share: float
    peers: tuple[str, ...]
    rows: int
    tree: Path


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = ",".join((*IN_COMMON, *OF_THEIR_OWN))
    parser.add_argument("--only", default=every, metavar="A,B", help=f"some of {every}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the usual number of requests, for a quick look")
    parser.add_argument("--peers", default="", metavar="A,B", help=f"all, or some of {','.join(peers.PEERS)}")
    parser.add_argument("--rows", type=sizes.calls_said, default=sizes.ROWS, help="of the long ledger: 300k, 10m")
    parser.add_argument("--tree", type=Path, default=ROOT, help="sources of the gateway, where not these")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where every round is written")
    asked = parser.parse_args(words)
    named = ",".join(peers.PEERS) if asked.peers == "all" else asked.peers
    beside = _names(named, ",".join(peers.PEERS))
    plan = Plan(_names(asked.only, every), asked.rounds, asked.share, beside, asked.rows, asked.tree)
    processes.end_on_signals()
    results: dict[str, Any] = {"facts": facts.of(plan.tree, plan.peers, plan.share), "missing": {}, "rows": []}
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for row in _rows(plan, results["missing"]):
        results["rows"].append(row)
        asked.json.write_text(json.dumps(results), "utf-8")
        print(_line(row), file=sys.stderr, flush=True)
    print(printed(results))
    print(f"\n{len(results['rows'])} rounds in {time.monotonic() - began:.0f} s, written to {asked.json}")
    return 1 if any(row.get("errors") and row["target"] in ("direct", "gateway") for row in results["rows"]) else 0


def _names(said: str, known: str) -> tuple[str, ...]:
    """Exits where one is not known."""
    found = tuple(name for name in said.split(",") if name)
    unknown = set(found) - set(known.split(","))
    if unknown:
        raise SystemExit(f"{', '.join(sorted(unknown))}: not known. There are {known}.")
    return found


def _rows(plan: Plan, missing: dict[str, str]) -> Iterator[Row]:
    with ExitStack() as closing:
        directory = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="weir-bench-")))
        port = closing.enter_context(targets.mock())
        if set(plan.only) & set(IN_COMMON):
            yield from _in_common(plan, directory, missing)
        alone: dict[str, Callable[[], Iterator[Row]]] = {
            "registry": lambda: sizes.registry(directory, plan.rounds),
            "ledger": lambda: sizes.ledger(port, directory, plan.rounds, plan.rows),
            "pages": lambda: sizes.pages(directory, plan.rows),
            "start": lambda: lasting.start(port, directory, plan.rounds),
            "memory": lambda: lasting.memory(port, directory),
            "drain": lambda: lasting.drain(plan.rounds),
        }
        for name in OF_THEIR_OWN:
            if name in plan.only:
                yield from alone[name]()


def _in_common(plan: Plan, directory: Path, missing: dict[str, str]) -> Iterator[Row]:
    cores = processes.halves()
    with ExitStack() as closing:
        closing.enter_context(processes.on(cores.others))
        port = closing.enter_context(targets.mock())
        with processes.on(cores.measured):
            least = closing.enter_context(targets.ceiling(port))
            routed = closing.enter_context(targets.ceiling(port, is_routed=True))
            _, gateway = closing.enter_context(targets.gateway(port, directory / "weir", plan.tree.absolute()))
            others, why_not = closing.enter_context(peers.serving(plan.peers, port, directory))
        missing.update(why_not)
        found = (targets.direct(port), least, routed, gateway, *others)
        everybody = [replace(target, share=target.share * plan.share) for target in found]
        yield from _resting(everybody, "idle")
        for name, experiment in IN_COMMON.items():
            if name in plan.only:
                yield from experiment(_asked(everybody, name), plan.rounds)
        yield from _resting(everybody, "loaded")


def _asked(everybody: Sequence[Target], experiment: str) -> Sequence[Target]:
    """A route is asked for in a call and in a stream; of translated streams there is only one who makes them."""
    return [target for target in everybody if experiment != "translated" or target.name != targets.ROUTED]


def _resting(everybody: Sequence[Target], case: str) -> Iterator[Row]:
    for target in everybody:
        if target.pid:
            target.settle()
            row = {"experiment": "resident", "case": case, "round": 0, "target": target.name}
            yield {**row, "rss_mb": processes.rss_mb(target.pid), "started_s": target.started}


def _line(row: Row) -> str:
    shown = {
        name: row[name] for name in ("cpu_us", "started_s", "rss_mb", "rows_per_second", "p95_ms") if row.get(name)
    }
    figures = ", ".join(f"{name} {value:.1f}" for name, value in shown.items())
    errors = f", {row['errors']} errors: {row.get('wrong', '')}" if row.get("errors") else ""
    return f"· {row['experiment']} {row['case']} {row['target']}: {figures}{errors}"


if __name__ == "__main__":
    sys.exit(main())
