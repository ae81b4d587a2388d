"""docs/benchmarks.md and its pictures, from the rounds of a run.

python -m bench.report .bench/results.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.figures import Results
from bench.goals import pages_over
from bench.plots import plots
from bench.processes import ROOT
from bench.tables import CONNECTIONS, headroom, sections, table

DOCS = ROOT / "docs"
KEPT = ROOT / "bench" / "results"
_PICTURES = {
    "bench-cpu.svg": "CPU of a request and of a chunk, by who passes it on",
    "bench-latency.svg": "How long answers take at one connection",
    "bench-connections.svg": "CPU of a request with 1, 16 and 256 connections",
    "bench-memory.svg": "Resident memory over a hundred thousand calls",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--docs", type=Path, default=DOCS)
    asked = parser.parse_args()
    results = Results.read(asked.results)
    drawn = plots(results)
    for name, svg in drawn.items():
        (asked.docs / name).write_text(svg, "utf-8")
    (asked.docs / "benchmarks.md").write_text(document(results, list(drawn)), "utf-8")


def document(results: Results, pictures: list[str]) -> str:
    found = sections(results)
    shown = {name: f"![{_PICTURES[name]}]({name})\n\n" if name in pictures else "" for name in _PICTURES}
    parts = [
        _HEAD.format(made=made_with(results), goals=found["goals"]),
        _CALLS.format(table=found["calls"], ratios=found["ratios"], headroom=headroom(results), **_words(shown))
        if found["calls"]
        else "",
        _STREAMS.format(table=found["streams"]) if found["streams"] else "",
        _TRANSLATED.format(table=found["translated"]) if found["translated"] else "",
        _SIZES.format(table=found["sizes"]) if found["sizes"] else "",
        _BODIES.format(table=found["bodies"]) if found["bodies"] else "",
        _PAGES.format(ledger=f"{pages_over(results):,}", **found) if found["pages"] else "",
        _PROCESS.format(start=found["start"], table=found["lasting"], **_words(shown)) if found["start"] else "",
        _LEDGER.format(table=found["drain"]) if found["drain"] else "",
        _profiles(results),
        _HOW,
    ]
    return "\n".join(part.strip() + "\n" for part in parts if part)


def _words(shown: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("bench-").removesuffix(".svg"): text for name, text in shown.items()}


def made_with(results: Results) -> str:
    facts = results.facts
    libraries = ", ".join(f"{name} {version}" for name, version in facts["libraries"].items())
    peers = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    beside = f" Beside it: {peers}." if peers else ""
    if facts.get("share", 1) < 1:
        beside += f" A quick look with {facts['share']:g} of the requests."
    return (
        f"{facts['date']}, commit {facts['commit']}: {facts['cores']} cores, {facts['memory_gib']} GiB of memory, "
        f"{facts['kernel']}, Python {facts['python']}, {libraries}.{beside}"
    )


def _profiles(results: Results) -> str:
    """What calls cost before and after, and the top ten of both, from the files that are kept."""
    found = {name: _read(KEPT / f"{name}.json").get("profile", {}) for name in ("before", "after")}
    parts = []
    for load in ("whole answers", "streams"):
        for kind in ("function, by itself", "station"):
            columns = [profile.get(load, {}).get(kind, []) for profile in found.values()]
            if any(columns):
                parts.append(table((f"{load}: {kind}, before", "share", "after", "share"), _side_by_side(*columns)))
    cost = table(("CPU µs/request ÷ ceiling", "before", "after"), _changed(results))
    return _PROFILE.format(cost=cost, tables="\n\n".join(parts)) if parts else ""


def _changed(results: Results) -> Iterator[tuple[str, ...]]:
    kept = _read(KEPT / "before.json").get("calls", [])
    before = {(row["case"], row["target"]): row["cpu_us"] for row in kept if row["experiment"] == "whole"}
    for case in CONNECTIONS:
        after = results.ratio("whole", case, "gateway", "ceiling")
        if after and (case, "gateway") in before:
            ratio = before[case, "gateway"] / before[case, "ceiling"]
            yield f"{case} connection{'s' if case != '1' else ''}", f"{ratio:.1f}", f"{after.middle:.1f}"


def _side_by_side(before: list[Any], after: list[Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for at in range(max(len(before), len(after))):
        cells = [(_code(side[at][0]), f"{side[at][1]:.1%}") if at < len(side) else ("", "") for side in (before, after)]
        rows.append((*cells[0], *cells[1]))
    return rows


def _code(place: str) -> str:
    return place.replace("<", "‹").replace(">", "›").replace("_", "\\_")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


_HEAD = """
# Benchmarks

What Weir costs a call, beside the least that is possible and beside other gateways, measured in one run on one machine.

{made}

Everything is on: API keys, limits, breaker, planner, ledger, live view. The other programs do less: nginx passes bytes
on, Portkey knows no keys and writes no ledger, LiteLLM runs with one worker, one key and no database.
For calls and streams, and with a large registry, whoever is measured has one core to itself, and the load and the mock
provider have the other: who shares a core loses what is in its caches to the others, a large program more of it than a
small one. All else runs where the system puts it. Compare ratios; absolute figures and differences under a quarter say
little.

{goals}
"""

_CALLS = """
## Calls

{cpu}{connections}{latency}{table}

**CPU µs/request** is user and system time of all threads and processes of the program, divided by the requests: the
median of the rounds, and in brackets the least and the most. **req/CPU-s** is how many requests a second of one core
pays for. **Added** is what an answer takes longer than the same request sent to the mock provider directly. The
**ceiling** is `bench/ceiling.py`: a bare application on the same server and parser that looks up a key, renames the
model and relays, and nothing else; **Starlette** is the same as an endpoint behind a route. {headroom}

The same as ratios, each of two figures of one round:

{ratios}
"""

_STREAMS = """
## Streams

{table}

A stream has 64 chunks of text. **CPU µs/chunk** is the CPU of a stream less that of a whole answer, over 64. Flat out,
several chunks come with one read and share its cost; paced, each comes alone, as from a real model. The first token of
one stream is measured where the chunks come a millisecond apart; that of the fifty, which all begin within 50 ms on
new connections, is what a burst waits. **Gaps** are the times between two chunks of a paced stream at the client; the
provider leaves 50 ms.
"""

_TRANSLATED = """
## Translated streams

{table}

The client speaks chat completions. The provider of `passed` does too; that of `translated` speaks messages, so that
each of its events is read, understood and written anew.
"""

_SIZES = """
## Large registries, long ledgers

{table}

Sixteen connections. In the registries each request takes the next model and the next API key; each model has two
backends. Start is from the program's to its first answered call.
"""

_BODIES = """
## Large bodies beside small calls

{table}

Four connections ask small things every 10 ms and ten streams run while bodies are sent beside them without a pause to
speak of: two connections with 1 MB each, or one with 20 MB. `direct` shows what the load itself does to two cores.
"""

_PAGES = """
## Pages over a long ledger

The slowest ten of all pages and lists of the admin site, over {ledger} calls:

{pages}

Lists three quarters down, where the cursor of the page before leads:

{depth}

Pages of figures, with 30,000 more calls in the hour that runs:

{burst}
"""

_PROCESS = """
## Start and memory

{start}

{memory}{table}

Start is from `python -m gateway` to the first call answered with 200, on a data directory that is there; the median of
several, the first apart. A peer's is measured once.
"""

_LEDGER = """
## The ledger

{table}

Rows handed to the ledger at once, and so many a second, until the last is committed; CPU is of all threads together.
"""

_PROFILE = """
## Where the time goes

Samples of the processor under sixteen connections. A station is a module of the gateway, or a library: the innermost
one of the gateway that a sample lies in. Before is commit 10bb712, which spoke to providers through httpx's own
transport.

{cost}

{tables}
"""

_HOW = """
## Doing it again

```
make bench                                            # some minutes: direct, ceiling and gateway in turns
make bench ARGS="--only=whole,stream"
make bench-peers                                      # a quarter of an hour; installs the other programs into .bench
python -m bench.report .bench/results.json            # writes this page and its pictures
python -m bench.profile                               # the top ten
python -m bench.planning                              # a decision alone
python -m bench.translating                           # a translation alone
```

Load and mock provider are processes of their own, everything is on loopback, every answer is checked (status, framing,
text, number of chunks, end), and an error of the gateway fails the run. `make bench-peers` needs node for Portkey and
nginx from Debian; what cannot be had is named in the table, with why.
"""

if __name__ == "__main__":
    main()
