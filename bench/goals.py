"""The goals, each with what was measured: a goal is met, missed, or was not measured in this run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import Results, quotient
from bench.sizes import REGISTRIES

SMALL, LARGE = REGISTRIES
MILLION = 1_000_000
DEEP = "/admin/requests?before={deep}"


@dataclass(frozen=True, slots=True)
class Goal:
    """`what` is limited to `most` (to at least that where `is_least`); `stretch` is what would be better still."""

    what: str
    unit: str
    most: float
    found: float | None
    stretch: float | None = None
    is_least: bool = False

    @property
    def met(self) -> str:
        if self.found is None:
            return "–"
        if self.stretch is not None and self._holds(self.stretch):
            return "yes, and the stretch"
        return "yes" if self._holds(self.most) else "no"

    def _holds(self, bound: float) -> bool:
        assert self.found is not None
        return self.found >= bound if self.is_least else self.found <= bound

    def cells(self) -> tuple[str, ...]:
        sign = "≥" if self.is_least else "≤"
        stretch = "" if self.stretch is None else f"{sign} {self.stretch:g} {self.unit}"
        found = "–" if self.found is None else f"{self.found:,.2f} {self.unit}"
        return self.what, f"{sign} {self.most:,g} {self.unit}", stretch, found, self.met


def goals(results: Results) -> list[Goal]:
    return [*_calls(results), *_streams(results), *_sizes(results), *_pages(results), *_lasting(results)]


def _middle(results: Results, *what: str) -> float | None:
    found = results.stat(*what)
    return found.middle if found else None


def _calls(results: Results) -> Iterator[Goal]:
    for peer, most, stretch in (("Starlette", 2.7, 1.6), ("ceiling", 2.7, 1.6), ("Portkey", 0.27, None)):
        ratio = results.ratio("whole", "16", "gateway", peer)
        yield Goal("CPU per request, 16 connections", f"× {peer}", most, ratio.middle if ratio else None, stretch)
    added = results.added("whole", "1", "gateway", "last_ms.50")
    for peer, most, stretch in (("Portkey", 0.4, None), ("ceiling", 1.5, None)):
        theirs = results.added("whole", "1", peer, "last_ms.50")
        word = "added p50 at 1 connection" + (" (stretch)" if peer == "ceiling" else "")
        yield Goal(word, f"× {peer}", most, quotient(added, theirs), stretch)
    rates = results.ratio_of_cases("whole", "256", "16", "gateway", "per_second")
    failed = sum(results.errors("whole", case, "gateway") for case in ("1", "16", "256"))
    yield Goal("requests/s with 256 connections", "× 16", 0.8, rates.middle if rates else None, is_least=True)
    yield Goal("errors", "", 0, float(failed) if rates else None)


def _streams(results: Results) -> Iterator[Goal]:
    for case in ("16 flat out", "50 paced"):
        mine = results.chunk_us("stream", case, "gateway")
        for peer, most in (("ceiling", 1.5), ("nginx", 1.1)):
            word = f"CPU per chunk, {case}" + (" (stretch)" if peer == "nginx" else "")
            yield Goal(word, f"× {peer}", most, quotient(mine, results.chunk_us("stream", case, peer)))
    first = results.added("stream", "1 quick", "gateway", "first_ms.50")
    routed, ceiling, nginx = (
        results.added("stream", "1 quick", peer, "first_ms.50") for peer in ("Starlette", "ceiling", "nginx")
    )
    yield Goal("added time to first token, 1 stream", "× Starlette", 2, quotient(first, routed))
    yield Goal("added time to first token, 1 stream", "× ceiling", 2, quotient(first, ceiling))
    over = first.middle - nginx.middle if first and nginx else None
    yield Goal("added time to first token (stretch)", "ms more than nginx", 0.3, over)
    for case in ("flat out", "paced"):
        passed = results.chunk_us("translated", case, "passed", whole="gateway")
        translated = results.chunk_us("translated", case, "translated", whole="gateway")
        yield Goal(f"translated chunk, {case}", "× passed through", 4, quotient(translated, passed), 2)


def _sizes(results: Results) -> Iterator[Goal]:
    ratio = results.ratio("registry", "16", LARGE, SMALL)
    found = ratio.middle if ratio else None
    yield Goal("CPU per request, 500 backends × 200 models × 5 000 keys", "× small", 1.2, found, 1.05)
    for size in ("1 MB", "20 MB"):
        alone = _middle(results, "bodies", "calls beside nothing", "gateway", "last_ms.99")
        beside = _middle(results, "bodies", f"calls beside {size}", "gateway", "last_ms.99")
        grown = beside - alone if alone is not None and beside is not None else None
        yield Goal(f"p99 of small calls beside {size} bodies", "ms more", 30, grown)


def _pages(results: Results) -> Iterator[Goal]:
    calls = pages_over(results)
    most = 60 if calls <= MILLION else 150
    words = f"{calls / MILLION:g} M calls in the ledger"
    yield Goal(f"p95 of the slowest admin page, {words}", "ms", most, results.most("pages", "gateway", "p95_ms"))
    burst = results.most("burst", "gateway", "p95_ms")
    yield Goal("… of figures, after a burst of calls in the running hour", "ms", most, burst)
    deep, first = (results.stat("pages", path, "gateway", "p50_ms") for path in (DEEP, DEEP.partition("?")[0]))
    yield Goal("a page far down the list of requests", "× the first", 1.5, quotient(deep, first))


def _lasting(results: Results) -> Iterator[Goal]:
    idle, grown, second = memory_of(results)
    yield Goal("resident memory, idle", "MB", 60, idle)
    yield Goal("… after 100 k requests and 3 k streams", "MB more", 5, grown)
    yield Goal("… in the second half of them", "MB more", 1, second)
    yield Goal("start to first 200, warm", "s", 0.6, _middle(results, "start", "warm", "gateway", "started_s"))
    drained = results.most("drain", "ledger", "rows_per_second")
    yield Goal("ledger, written behind", "rows/s", 20_000, drained, is_least=True)


def pages_over(results: Results) -> int:
    """How many calls were in the ledger while pages were measured."""
    found = [row.get("calls", MILLION) for row in results.rows if row["experiment"] == "pages"]
    return found[0] if found else MILLION


def memory_of(results: Results) -> tuple[float | None, float | None, float | None]:
    """Idle, more at the end, and more between the middle of the second half's first and last quarter; MiB."""
    found = [row["rss_mb"] for row in results.rows if row["experiment"] == "memory"]
    if len(found) < 9:
        return (found[0] if found else None), None, None
    quarter = len(found) // 8
    half = sorted(found[-4 * quarter : -3 * quarter])
    end = sorted(found[-quarter:])
    return found[0], end[len(end) // 2] - found[0], end[len(end) // 2] - half[len(half) // 2]
