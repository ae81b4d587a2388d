"""The pictures of docs/benchmarks.md: what a request and a chunk cost, latencies, connections, memory."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from bench.drawing import (
    LETTER,
    WIDTH,
    Scale,
    apart,
    dot,
    line,
    log_scale,
    number,
    path,
    picture,
    shade_of,
    text,
)
from bench.figures import Results, Stat
from bench.load import SHOWN
from bench.tables import CONNECTIONS

_TOP, _ROW, _NAMES = 52, 26, 84
_HEIGHT, _LEFT, _RIGHT = 320, 56, 96
_SHOWN_LATENCIES = tuple(percent for percent in SHOWN if 1 <= percent <= 99.9)


def plots(results: Results) -> dict[str, str]:
    """By the name of their file; those of what this run measured."""
    found = {}
    if results.has("whole"):
        found["bench-cpu.svg"] = cpu(results)
        found["bench-latency.svg"] = latency(results)
        found["bench-connections.svg"] = connections(results)
    if len(_memory(results)) > 1:
        found["bench-memory.svg"] = memory(results)
    return found


def cpu(results: Results) -> str:
    """Two panels on logarithmic axes: a request with 16 connections, and a chunk of paced streams."""
    requests = {name: results.stat("whole", "16", name, "cpu_us") for name in results.targets("whole")}
    chunks = {name: results.chunk_us("stream", "50 paced", name) for name in results.targets("stream")}
    panels = {"a request, 16 connections": _there(requests), "a chunk, 50 paced streams": _there(chunks)}
    names = sorted(panels["a request, 16 connections"], key=lambda name: requests[name].middle)  # type: ignore[union-attr]
    parts = [text(_NAMES - 10, _at(row), name, f"end {_own(name)}") for row, name in enumerate(names)]
    width = (WIDTH - _NAMES) / 2
    for index, (title, stats) in enumerate(panels.items()):
        if stats:
            parts += _dots(title, stats, names, (_NAMES + index * width, _NAMES + (index + 1) * width - 52))
    told = ", ".join(f"{name} {number(stat.middle)} µs" for name, stat in panels["a request, 16 connections"].items())
    return picture(_at(len(names)) + 12, "CPU µs, logarithmic; the bar is the spread of the rounds", told, parts)


def _there(stats: Mapping[str, Stat | None]) -> dict[str, Stat]:
    """Those that were measured of a process."""
    return {name: stat for name, stat in stats.items() if stat and stat.middle > 0}


def _at(row: int) -> float:
    return _TOP + 24 + row * _ROW


def _own(name: str) -> str:
    return "own" if name == "gateway" else ""


def _dots(title: str, stats: Mapping[str, Stat], names: Sequence[str], ends: tuple[float, float]) -> list[str]:
    scale = log_scale([stat.middle for stat in stats.values()], *ends)
    bottom = _at(len(names)) - 14
    parts = [text(ends[0], _TOP - 8, title)]
    for tick in scale.ticks():
        parts += [line(scale.at(tick), _TOP + 2, scale.at(tick), bottom)]
        parts += [text(scale.at(tick), bottom + 14, number(tick), "middle")]
    for row, name in enumerate(names):
        if name in stats:
            stat, y = stats[name], _at(row) - 4
            shade = shade_of(name)
            parts.append(line(scale.at(stat.least), y, scale.at(stat.most), y, shade))
            parts.append(dot(scale.at(stat.middle), y, shade, f"{name}: {number(stat.middle)} µs"))
            right = max(scale.at(stat.middle) + 4, scale.at(stat.most)) + 5
            parts.append(text(right, y + 4, number(stat.middle), _own(name)))
    return parts


def latency(results: Results) -> str:
    """Milliseconds over the part of the requests that took no longer, at one connection; the tail is stretched."""
    lines = {}
    for name in results.targets("whole"):
        stats = [results.stat("whole", "1", name, f"last_ms.{percent:g}") for percent in _SHOWN_LATENCIES]
        points = [(_nines(p), stat.middle) for p, stat in zip(_SHOWN_LATENCIES, stats, strict=True) if stat]
        lines[name] = points
    ticks = {_nines(percent): f"{percent:g} %" for percent in (10, 50, 90, 99, 99.9)}
    return _lines("How long an answer takes at one connection, ms, by the share of requests", lines, ticks)


def _nines(percent: float) -> float:
    """90, 99 and 99.9 % at even steps."""
    return -math.log10(1 - percent / 100)


def connections(results: Results) -> str:
    lines = {}
    for name in results.targets("whole"):
        stats = {case: results.stat("whole", case, name, "cpu_us") for case in CONNECTIONS}
        points = [(math.log10(int(case)), stat.middle) for case, stat in _there(stats).items()]
        if points:
            lines[name] = points
    ticks = {math.log10(int(case)): case for case in CONNECTIONS}
    return _lines("CPU µs per request, by the number of connections", lines, ticks)


def _lines(title: str, lines: Mapping[str, Sequence[tuple[float, float]]], ticks: Mapping[float, str]) -> str:
    """One line each on a logarithmic axis, its name at its end."""
    bottom = _HEIGHT - 28
    across = Scale(min(ticks), max(ticks), _LEFT, WIDTH - _RIGHT)
    across = Scale(min(x for points in lines.values() for x, _ in points), across.most, _LEFT, WIDTH - _RIGHT)
    up = log_scale([y for points in lines.values() for _, y in points], bottom, 40)
    parts = [line(_LEFT, up.at(tick), WIDTH - _RIGHT, up.at(tick)) for tick in up.ticks()]
    parts += [text(_LEFT - 8, up.at(tick) + 4, number(tick), "end") for tick in up.ticks()]
    parts += [text(across.at(x), bottom + 20, word, "middle") for x, word in ticks.items()]
    ends = apart([up.at(points[-1][1]) for points in lines.values()], 15)
    for (name, points), end in zip(lines.items(), ends, strict=True):
        parts.append(path([(across.at(x), up.at(y)) for x, y in points], shade_of(name)))
        parts.append(text(WIDTH - _RIGHT + 8, end + 4, name, f"{_own(name)} {shade_of(name)}".strip()))
    told = "; ".join(f"{name} ends at {number(points[-1][1])}" for name, points in lines.items())
    return picture(_HEIGHT, title, told, parts)


def _memory(results: Results) -> list[tuple[float, float]]:
    return [(row["calls"], row["rss_mb"]) for row in results.rows if row["experiment"] == "memory"]


def memory(results: Results) -> str:
    """From zero, so that growth looks as large as it is."""
    points, bottom = _memory(results), _HEIGHT - 28
    across = Scale(0, points[-1][0], _LEFT, WIDTH - _RIGHT)
    up = Scale(0, max(y for _, y in points) * 1.15, bottom, 40)
    parts = [line(_LEFT, up.at(tick), WIDTH - _RIGHT, up.at(tick)) for tick in up.ticks()]
    parts += [text(_LEFT - 8, up.at(tick) + 4, number(tick), "end") for tick in up.ticks()]
    parts += [text(across.at(tick), bottom + 20, number(tick), "middle") for tick in across.ticks()]
    parts.append(path([(across.at(x), up.at(y)) for x, y in points], "gateway"))
    end = f"{points[-1][1]:.0f} MB"
    parts.append(text(WIDTH - LETTER * len(end) - 40, up.at(points[-1][1]) + 4, end, "own gateway"))
    told = f"From {points[0][1]:.0f} MB to {points[-1][1]:.0f} MB after {points[-1][0]:,.0f} calls"
    return picture(_HEIGHT, "Resident memory, MB, by the number of calls and streams served", told, parts)
