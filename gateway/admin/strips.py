"""Where the boxes of strips, meters and waterfalls go. Pure, like charts.py; all of them stretch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.admin.wording import duration
from gateway.model.calls import Attempt, CallRecord

MINUTES = 60
CELL = 12
SCALE = 1000


@dataclass(frozen=True, slots=True)
class Minute:
    """What became of the attempts of one minute."""

    ok: int = 0
    limited: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        return self.ok + self.limited + self.failed


@dataclass(frozen=True, slots=True)
class Cell:
    x: int
    state: str
    title: str


@dataclass(frozen=True, slots=True)
class Strip:
    """`success` is the share of attempts that were answered, None where there were none."""

    cells: tuple[Cell, ...]
    success: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar: its CSS class, and where it is in thousandths of the width."""

    shade: str
    x: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt of a waterfall. `verdict` is good, warn or bad."""

    attempt: Attempt
    parts: tuple[Part, ...]
    verdict: str


@dataclass(frozen=True, slots=True)
class Waterfall:
    """`ticks` are evenly spaced from the start of the call to its end."""

    lanes: tuple[Lane, ...]
    ticks: tuple[str, ...]


def strip(minutes: Mapping[int, Minute]) -> Strip:
    """Sixty minutes, 0 the oldest. Minutes that are not named had no attempts."""
    cells = tuple(
        Cell(index * CELL, _state(minutes.get(index, Minute())), _words(index, minutes.get(index, Minute())))
        for index in range(MINUTES)
    )
    total = sum(minute.total for minute in minutes.values())
    ok = sum(minute.ok for minute in minutes.values())
    return Strip(cells, ok / total if total else None)


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
    lanes = tuple(Lane(one, _phases(one, total), verdict(one)) for one in call.attempts)
    return Waterfall(lanes, tuple(duration(total * step / 4) for step in range(5)))


def verdict(attempt: Attempt) -> str:
    if attempt.outcome == "ok":
        return "good"
    if attempt.status == 429 or attempt.outcome == "client_left":
        return "warn"
    return "bad"


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
    if attempt.outcome == "client_left":
        return "phase-cancelled"
    return "phase-limited" if attempt.status == 429 else "phase-failed"


def _state(minute: Minute) -> str:
    if not minute.total:
        return "none"
    if minute.failed * 2 >= minute.total:
        return "failed"
    return "limited" if minute.failed or minute.limited else "ok"


def _words(index: int, minute: Minute) -> str:
    ago = MINUTES - 1 - index
    when = "this minute" if ago == 0 else f"{ago} min ago"
    if not minute.total:
        return f"{when}: no calls"
    return f"{when}: {minute.ok} answered, {minute.limited} limited, {minute.failed} failed"
