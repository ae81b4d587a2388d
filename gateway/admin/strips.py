"""Where the boxes of strips, meters and waterfalls go. Pure, like charts.py; all of them stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from gateway.admin.wording import duration
from gateway.control.overview import Cell
from gateway.model.calls import Attempt, CallRecord

PITCH = 12
SCALE = 1000

VERDICTS: Mapping[str, str] = MappingProxyType(
    {
        "ok": "Answered",
        "rate_limited": "Limited",
        "credentials_refused": "Refused our key",
        "failed": "Failed",
        "client_fault": "Blamed the request",
        "not_served": "Cannot serve it",
        "abandoned": "The client left",
    }
)
_WARNINGS = frozenset({"rate_limited", "abandoned", "client_fault", "not_served"})


class Box(msgspec.Struct, frozen=True):
    """One minute of a strip: its CSS class and what it says when pointed at."""

    x: int
    state: str
    title: str


class Part(msgspec.Struct, frozen=True):
    """A piece of a bar: its CSS class, and where it is in thousandths of the width."""

    shade: str
    x: float
    width: float
    title: str


class Lane(msgspec.Struct, frozen=True):
    """One attempt of a waterfall. `look` is good, warn or bad, `verdict` the same in words."""

    attempt: Attempt
    parts: tuple[Part, ...]
    look: str
    verdict: str


class Waterfall(msgspec.Struct, frozen=True):
    """`ticks` are evenly spaced from the start of the call to its end."""

    lanes: tuple[Lane, ...]
    ticks: tuple[str, ...]


def strip(cells: Sequence[Cell]) -> tuple[Box, ...]:
    """One box for each minute, the oldest first."""
    last = len(cells) - 1
    return tuple(Box(index * PITCH, _state(cell), _words(last - index, cell)) for index, cell in enumerate(cells))


def meter(shares: Sequence[tuple[str, str, int]]) -> tuple[Part, ...]:
    """One bar split by numbers, each given as CSS class, words and number; zeros are left out."""
    total = sum(number for _, _, number in shares)
    parts = []
    x = 0.0
    for shade, words, number in shares:
        if number:
            width = SCALE * number / total
            parts.append(Part(shade, round(x, 1), round(width, 1), f"{number} {words}"))
            x += width
    return tuple(parts)


def waterfall(call: CallRecord) -> Waterfall:
    """Each attempt from left to right in time: connecting, waiting for output, then how it ended."""
    ends = [attempt.started_ms + attempt.total_ms for attempt in call.attempts]
    total = max([call.total_ms, *ends, 1])
    lanes = tuple(Lane(one, _phases(one, total), look(one), verdict(one)) for one in call.attempts)
    return Waterfall(lanes, tuple(duration(total * step / 4) for step in range(5)))


def look(attempt: Attempt) -> str:
    if attempt.outcome == "ok":
        return "good"
    return "warn" if attempt.outcome in _WARNINGS else "bad"


def verdict(attempt: Attempt) -> str:
    return VERDICTS.get(attempt.outcome, attempt.outcome.replace("_", " ").capitalize())


def _phases(attempt: Attempt, total: float) -> tuple[Part, ...]:
    """At least a hair wide, so that an attempt of 0 ms is seen."""
    end = attempt.started_ms + attempt.total_ms
    headers = min(attempt.headers_ms if attempt.headers_ms is not None else end, end)
    output = min(attempt.first_output_ms if attempt.first_output_ms is not None else end, end)
    if attempt.outcome == "ok":
        spans = [
            ("phase-connect", attempt.started_ms, headers),
            ("phase-wait", headers, max(headers, output)),
            ("phase-stream", max(headers, output), end),
        ]
    else:
        spans = [(_ending(attempt), attempt.started_ms, end)]
    shown = [span for span in spans if span[2] > span[1]] or [spans[-1]]
    return tuple(
        Part(
            shade,
            round(SCALE * start / total, 1),
            round(max(SCALE * (stop - start) / total, 4.0), 1),
            f"{shade.removeprefix('phase-')} {duration(stop - start)}",
        )
        for shade, start, stop in shown
    )


def _ending(attempt: Attempt) -> str:
    if attempt.outcome == "abandoned":
        return "phase-cancelled"
    return "phase-limited" if attempt.outcome in _WARNINGS else "phase-failed"


def _state(cell: Cell) -> str:
    total = cell.ok + cell.limited + cell.failed
    if not total:
        return "none"
    if cell.failed * 2 >= total:
        return "failed"
    return "limited" if cell.failed or cell.limited else "ok"


def _words(ago: int, cell: Cell) -> str:
    when = "this minute" if ago == 0 else f"{ago} min ago"
    if not cell.ok + cell.limited + cell.failed:
        return f"{when}: no calls"
    return f"{when}: {cell.ok} answered, {cell.limited} limited, {cell.failed} failed"
