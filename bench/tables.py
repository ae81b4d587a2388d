"""The tables of a run, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from bench.figures import Results, Stat
from bench.goals import goals, memory_of

_ID = re.compile(r"\b(?:req_)?[0-9a-f]{12,}(?:(?::|%3A)[0-9a-f]{16,})?\b")
CONNECTIONS = ("1", "16", "256")


def printed(content: dict[str, Any]) -> str:
    """Everything that was measured, and the goals."""
    results = Results(content)
    return "\n\n".join(part for part in sections(results).values() if part)


def sections(results: Results) -> dict[str, str]:
    """By their names; empty where nothing of it was measured."""
    return {
        "calls": table(("CPU µs/request", *_EACH, "req/CPU-s, 16", "added p50 / p99 ms, 1", "errors"), _whole(results)),
        "ratios": table(("gateway ÷", *_EACH, "added p50, 1"), _ratios(results)),
        "streams": table(_STREAM_HEADS, _streams(results)),
        "translated": table(("stream", "CPU µs/chunk flat out", "paced", "first token ms"), _translated(results)),
        "sizes": table(("", "CPU µs/request", "start s"), [*_registry(results), *_ledger(results)]),
        "bodies": table(_BODY_HEADS, _bodies(results)),
        "pages": table(("page or list", "p95 ms"), _slowest(results, "pages")),
        "burst": table(("page", "p95 ms"), _slowest(results, "burst")),
        "depth": table(("list", "p50 ms: first page", "far down"), _depth(results)),
        "start": table(("", "start s", "idle MB", "loaded MB"), _started(results)),
        "lasting": table(("resident memory", "MB"), _memory(results)),
        "drain": table(("ledger", "rows/s", "CPU µs/row"), _drained(results)),
        "goals": table(("", "goal", "stretch", "measured", "met"), [goal.cells() for goal in goals(results)]),
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Empty where there are no rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    ruler = "| --- |" + " ---: |" * (len(heads) - 1)
    return "\n".join([f"| {' | '.join(heads)} |", ruler, *lines]) if lines else ""


_EACH = ("1 connection", "16", "256")
_STREAM_HEADS = (
    *("CPU µs/chunk", "16 streams flat out", "50 streams, 20/s each", "added first token ms, 1 stream", "paced"),
    *("gap p99 ms", "errors"),
)
_BODY_HEADS = ("", "p99 ms of small calls: alone", "beside 1 MB", "20 MB", "gaps p99 ms: alone", "beside 1 MB", "20 MB")


def shown(stat: Stat | None, digits: int = 0) -> str:
    """The middle, and the spread in brackets where there is one."""
    if stat is None:
        return "–"
    spread = f" ({stat.least:,.{digits}f}–{stat.most:,.{digits}f})" if stat.most > stat.least else ""
    return f"{stat.middle:,.{digits}f}{spread}"


def _others(results: Results, experiment: str) -> list[str]:
    return [name for name in results.targets(experiment) if name != "direct"]


def _whole(results: Results) -> Iterator[Sequence[str]]:
    for name in _others(results, "whole"):
        cpu = [results.stat("whole", case, name, "cpu_us") for case in CONNECTIONS]
        added = [results.added("whole", "1", name, f"last_ms.{percent}") for percent in (50, 99)]
        errors = sum(results.errors("whole", case, name) for case in CONNECTIONS)
        rate = f"{1e6 / cpu[1].middle:,.0f}" if cpu[1] else "–"
        latency = " / ".join(f"{one.middle:.2f}" if one else "–" for one in added)
        yield name, *map(shown, cpu), rate, latency, str(errors)
    for name, why in results.missing.items():
        yield f"{name}: {why}", *["–"] * 6


def headroom(results: Results) -> str:
    """How much more than the gateway the mock provider can serve; empty where that was not measured."""
    mock, gateway = (results.stat("whole", "16", name, "per_second") for name in ("direct", "gateway"))
    if not mock or not gateway:
        return ""
    times = mock.middle / gateway.middle
    return f"Sent directly, the same load is answered {mock.middle:,.0f} times a second: {times:.1f} × the gateway's."


def _ratios(results: Results) -> Iterator[Sequence[str]]:
    for name in _others(results, "whole"):
        if name != "gateway":
            cpu = [results.ratio("whole", case, "gateway", name) for case in CONNECTIONS]
            mine, theirs = (results.added("whole", "1", one, "last_ms.50") for one in ("gateway", name))
            latency = f"{mine.middle / theirs.middle:.2f}" if mine and theirs and theirs.middle > 0 else "–"
            yield name, *(shown(one, 2) for one in cpu), latency


def _streams(results: Results) -> Iterator[Sequence[str]]:
    for name in _others(results, "stream"):
        chunks = [results.chunk_us("stream", case, name) for case in ("16 flat out", "50 paced")]
        first = [results.added("stream", case, name, "first_ms.50") for case in ("1 quick", "50 paced")]
        gap = results.stat("stream", "50 paced", name, "gap_ms.99")
        errors = sum(results.errors("stream", case, name) for case in ("1 quick", "16 flat out", "50 paced"))
        yield name, *(shown(one, 1) for one in chunks), *(shown(one, 2) for one in first), shown(gap), str(errors)


def _translated(results: Results) -> Iterator[Sequence[str]]:
    for name in results.targets("translated"):
        chunks = [results.chunk_us("translated", case, name, whole="gateway") for case in ("flat out", "paced")]
        first = results.stat("translated", "paced", name, "first_ms.50")
        yield name, *(shown(one, 1) for one in chunks), shown(first, 2)


def _registry(results: Results) -> Iterator[Sequence[str]]:
    for name in sorted(results.targets("registry")):
        yield f"{name} (backends × models × API keys)", shown(results.stat("registry", "16", name, "cpu_us")), ""


def _ledger(results: Results) -> Iterator[Sequence[str]]:
    for name in results.targets("ledger"):
        cpu, start = (results.stat("ledger", *what) for what in (("16", name, "cpu_us"), ("start", name, "started_s")))
        yield f"{name} calls in the ledger", shown(cpu), shown(start, 2)


def _bodies(results: Results) -> Iterator[Sequence[str]]:
    for name in results.targets("bodies"):
        beside = ("nothing", "1 MB", "20 MB")
        calls = [results.stat("bodies", f"calls beside {size}", name, "last_ms.99") for size in beside]
        gaps = [results.stat("bodies", f"streams beside {size}", name, "gap_ms.99") for size in beside]
        yield name, *(shown(one, 1) for one in (*calls, *gaps))


def _slowest(results: Results, experiment: str) -> Iterator[Sequence[str]]:
    """The slowest ten."""
    found = {row["case"]: row["p95_ms"] for row in results.rows if row["experiment"] == experiment}
    for path in sorted(found, key=lambda path: -found[path])[:10]:
        yield f"`{_ID.sub('{id}', path)}`", f"{found[path]:.0f}"


def _depth(results: Results) -> Iterator[Sequence[str]]:
    """Lists that were asked for from their beginning and from far down."""
    found = {row["case"]: row for row in results.rows if row["experiment"] == "pages" and "p50_ms" in row}
    for path, row in found.items():
        first = re.sub(r"\?$", "", re.sub(r"before=\{deep\}&?|&before=\{deep\}", "", path))
        if first != path and first in found:
            yield f"`{_ID.sub('{id}', first)}`", f"{found[first]['p50_ms']:.0f}", f"{row['p50_ms']:.0f}"


def _started(results: Results) -> Iterator[Sequence[str]]:
    """The gateway's own starts are many, a peer's is one."""
    for name in _others(results, "resident"):
        idle, loaded = (results.stat("resident", case, name, "rss_mb") for case in ("idle", "loaded"))
        once = results.stat("resident", "idle", name, "started_s")
        start = results.stat("start", "warm", name, "started_s") or once
        yield name, shown(start if start and start.middle else None, 2), shown(idle), shown(loaded)
    first = results.stat("start", "first", "gateway", "started_s")
    if first:
        yield "gateway, the first of them", shown(first, 2), "", ""


def _memory(results: Results) -> Iterator[Sequence[str]]:
    words = ("idle", "more after 100 k requests and 3 k streams", "more in the second half of them")
    for word, found in zip(words, memory_of(results), strict=True):
        if found is not None:
            yield word, f"{found:.1f}"


def _drained(results: Results) -> Iterator[Sequence[str]]:
    for row in results.rows:
        if row["experiment"] == "drain":
            yield row["case"], f"{row['rows_per_second']:,.0f}", f"{row['cpu_us']:.1f}"
