"""Where the lines and boxes of a drawing go. Pure numbers in, geometry out; templates/macros/charts.html draws it.

Drawings without text stretch with their column, so words are never part of them: ticks are evenly spaced HTML.
Only the histogram has words inside and keeps its proportions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import msgspec

from gateway.admin.wording import count, duration

AREA_WIDTH, AREA_HEIGHT, AREA_STEPS = 600, 168, 4
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, HISTOGRAM_TOP = 340, 196, 30
_LETTER = 5.6  # the mean width of a letter at the histogram's font size


class Series(msgspec.Struct, frozen=True):
    name: str
    values: Sequence[float]


class Layer(msgspec.Struct, frozen=True):
    """One series of a stacked area. `shade` is its CSS class, the same as in the legend."""

    name: str
    shade: str
    path: str
    total: float


class Column(msgspec.Struct, frozen=True):
    """The invisible box over one point, whose title names the values."""

    x: float
    width: float
    title: str


class AreaChart(msgspec.Struct, frozen=True):
    """`ticks` are the words of the vertical axis from top to bottom, `lines` their heights."""

    layers: tuple[Layer, ...]
    ticks: tuple[str, ...]
    lines: tuple[float, ...]
    columns: tuple[Column, ...]


class Bar(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    height: float
    title: str


class Mark(msgspec.Struct, frozen=True):
    """A percentile: a line at `x` from `line_y` down, and its words centred on `text_x` at `text_y`."""

    x: float
    line_y: float
    text_x: float
    text_y: float
    words: str


class Histogram(msgspec.Struct, frozen=True):
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]


def sparkline(values: Sequence[float], width: float = 92, height: float = 22) -> str:
    """The path of a small line; a level one in the middle where nothing changes, empty below two values."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    spread = high - low
    step = width / (len(values) - 1)
    middle = height / 2
    return _line(
        [
            (index * step, height - 1 - (value - low) / spread * (height - 2) if spread else middle)
            for index, value in enumerate(values)
        ]
    )


def stacked_area(
    series: Sequence[Series], labels: Sequence[str], unit: str, words: Callable[[float], str] = count
) -> AreaChart:
    """Series upon each other, the first at the bottom. `labels` names each point, `unit` what is counted.

    `words` are for the ticks, and for the values where there is no unit.
    """
    points = len(labels)
    totals = [sum(one.values[index] for one in series) for index in range(points)]
    step = nice_step(max(totals, default=0) / AREA_STEPS)
    top = step * AREA_STEPS
    across = [index * AREA_WIDTH / max(1, points - 1) for index in range(points)]
    # A single point is drawn over the whole width.
    across = [0.0, float(AREA_WIDTH)] if points == 1 else across
    places = [f"{_short(x):g}" for x in across]
    floor, lower = [0.0] * points, _edge(places, [0.0] * points, top)
    layers = []
    for index, one in enumerate(series):
        ceiling = [low + value for low, value in zip(floor, one.values, strict=True)]
        upper = _edge(places, ceiling, top)
        path = f"M{'L'.join(upper + lower[::-1])}Z"
        layers.append(Layer(one.name, shade(index, one.name), path, sum(one.values)))
        floor, lower = ceiling, upper
    lines = tuple(AREA_HEIGHT * index / AREA_STEPS for index in range(AREA_STEPS + 1))
    ticks = tuple(words(step * (AREA_STEPS - index)) for index in range(AREA_STEPS + 1))
    tell = (lambda value: f"{value:,.0f}") if unit else words
    titles = [
        "\n".join(
            [
                f"{label}: {tell(totals[index])} {unit}".rstrip(),
                *(f"{one.name} {tell(one.values[index])}" for one in series if one.values[index]),
            ]
        )
        for index, label in enumerate(labels)
    ]
    return AreaChart(tuple(layers), ticks, lines, _columns(titles))


def line_chart(
    series: Sequence[tuple[str, Sequence[float | None]]], labels: Sequence[str], words: Callable[[float], str]
) -> AreaChart:
    """A line for each series, for values that do not add up; broken where a value is missing."""
    highest = max((value for _, values in series for value in values if value is not None), default=0)
    step = nice_step(highest / AREA_STEPS)
    top = step * AREA_STEPS
    across = [index * AREA_WIDTH / max(1, len(labels) - 1) for index in range(len(labels))]
    layers = []
    for index, (name, values) in enumerate(series):
        points = [None if y is None else (x, AREA_HEIGHT * (1 - y / top)) for x, y in zip(across, values, strict=True)]
        layers.append(Layer(name, shade(index, name), _broken(points), 0))
    titles = [
        "\n".join(
            [label, *(f"{name} {words(value)}" for name, values in series if (value := values[index]) is not None)]
        )
        for index, label in enumerate(labels)
    ]
    lines = tuple(AREA_HEIGHT * index / AREA_STEPS for index in range(AREA_STEPS + 1))
    ticks = tuple(words(step * (AREA_STEPS - index)) for index in range(AREA_STEPS + 1))
    return AreaChart(tuple(layers), ticks, lines, _columns(titles))


def heat_levels(rows: Sequence[Sequence[int]], levels: int = 5) -> tuple[tuple[int, ...], ...]:
    """For each cell 0 where there is nothing, else 1 to `levels` by its part of the largest."""
    most = max((value for row in rows for value in row), default=0)
    return tuple(tuple(-(-value * levels // most) if value > 0 else 0 for value in row) for row in rows)


def shade(index: int, name: str) -> str:
    """The CSS class that colours the series at this place."""
    return "series-other" if name == "other" or index > 4 else f"series-{index + 1}"


def histogram(counts: Sequence[int], bounds: Sequence[float]) -> Histogram | None:
    """Bars for `counts`, which has one more bucket than `bounds` has upper ends; None where nothing was counted.

    Empty buckets at both ends are left out, but for one.
    """
    used = [index for index, number in enumerate(counts) if number]
    if not used:
        return None
    first, last = max(0, used[0] - 1), min(len(counts) - 1, used[-1] + 1)
    width = HISTOGRAM_WIDTH / (last - first + 1)
    floor = HISTOGRAM_HEIGHT - 18
    scale = (floor - HISTOGRAM_TOP) / max(counts)
    bars = tuple(
        Bar(
            x=_short((index - first) * width + 0.75),
            y=_short(floor - max(counts[index] * scale, 1 if counts[index] else 0)),
            width=_short(width - 1.5),
            height=_short(max(counts[index] * scale, 1 if counts[index] else 0)),
            title=f"{_bucket_words(index, bounds)}: {counts[index]:,}",
        )
        for index in range(first, last + 1)
    )
    edges = range(first + 1, last + 1)
    every = max(1, math.ceil(len(edges) * 46 / HISTOGRAM_WIDTH))
    ticks = tuple((_short((edge - first) * width), duration(bounds[edge - 1])) for edge in edges[::every])
    return Histogram(bars, _marks(counts, first, width), ticks)


def nice_step(least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 25, 50, 100, … that is not below `least`."""
    power = 1
    while True:
        for digits in (1, 2, 2.5, 5):
            step = digits * power
            if step >= least and step == int(step):
                return int(step)
        power *= 10


def _place(counts: Sequence[int], share: float) -> tuple[int, float] | None:
    """The bucket that `share` falls into, and how far into it."""
    wanted = sum(counts) * share
    below = 0
    for index, number in enumerate(counts):
        if number and below + number >= wanted:
            return index, (wanted - below) / number
        below += number
    return None


def _marks(counts: Sequence[int], first: int, width: float) -> tuple[Mark, ...]:
    """p50, p95 and p99, their words on as many lines as keep them apart."""
    marks: list[Mark] = []
    ends: list[float] = []
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        place = _place(counts, share)
        if place is None:
            continue
        x = (place[0] - first + place[1]) * width
        half = len(name) * _LETTER / 2
        text_x = min(max(x, half), HISTOGRAM_WIDTH - half)
        row = next((row for row, end in enumerate(ends) if text_x - half > end + 6), len(ends))
        ends[row : row + 1] = [text_x + half]
        text_y = 9 + row * 12
        marks.append(Mark(_short(x), _short(text_y + 3), _short(text_x), text_y, name))
    return tuple(marks)


def _bucket_words(index: int, bounds: Sequence[float]) -> str:
    if index == 0:
        return f"below {duration(bounds[0])}"
    if index == len(bounds):
        return f"{duration(bounds[-1])} and more"
    return f"{duration(bounds[index - 1])} to {duration(bounds[index])}"


def _columns(titles: Sequence[str]) -> tuple[Column, ...]:
    width = AREA_WIDTH / max(1, len(titles) - 1)
    columns = []
    for index, title in enumerate(titles):
        left = max(0.0, (index - 0.5) * width)
        right = min(float(AREA_WIDTH), (index + 0.5) * width)
        columns.append(Column(_short(left), _short(right - left), title))
    return tuple(columns)


def _broken(points: Sequence[tuple[float, float] | None]) -> str:
    """Lines between neighbours; a point without any is a short line, so that it is seen."""
    path = ""
    for has_point, run in itertools.groupby(points, key=lambda point: point is not None):
        found = [point for point in run if point is not None]
        if has_point:
            (x, y), single = found[0], len(found) == 1
            path += _line([(x - 1, y), (x + 1, y)] if single else found)
    return path


def _edge(places: Sequence[str], values: Sequence[float], top: float) -> list[str]:
    """The points of a line, in the words of a path; a single value is a line, too."""
    heights = [f"{_short(AREA_HEIGHT * (1 - value / top)):g}" for value in values]
    return [f"{x} {y}" for x, y in zip(places, heights * (len(places) // max(1, len(heights))), strict=True)]


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_short(x):g} {_short(y):g}" for x, y in points)


def _short(value: float) -> float:
    return round(value, 1)
