"""Exploring what was used: one figure by one dimension or two, over time, with everything small in one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from gateway.control import subjects
from gateway.control.desk import Desk
from gateway.control.usage_terms import NONE, RANGES, Metric, Wanted
from gateway.model.histograms import FIRST_BYTE_BOUNDS_MS, TOTAL_BOUNDS_MS, percentile
from gateway.model.sums import DAY_MS, HOUR_MS, TOTAL, Dimension, Sums, less, total
from gateway.store import figure_times, figures
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question
from gateway.store.figure_times import Times
from gateway.store.figures import OTHER

Pair = tuple[str, str]
"""Subjects of a question's first and second dimension."""

SERIES = 5
ROWS = 40


class Series(msgspec.Struct, frozen=True):
    """One line of the chart, a point for each bucket; percentiles are null where nothing was timed."""

    subject: str
    name: str
    points: tuple[float | None, ...]


class Row(msgspec.Struct, frozen=True):
    """One line of the table. `subject` is `*` for the rest together; `share` of the metric's total, if it has one."""

    subject: str
    name: str
    second: str
    second_name: str
    sums: Sums
    value: float | None
    share: float | None


class _Place(msgspec.Struct, frozen=True, gc=False):
    """A row of the table before its figures; `pair` is what these are kept by."""

    pair: Pair
    subject: str
    name: str
    second: str
    second_name: str
    value: float | None
    requests: int


class Usage(msgspec.Struct, frozen=True):
    """Times are Unix milliseconds. `heat` are the metric's sums by weekday (Monday first) and hour, None where the
    question has none. `before` is the same time one length of the range earlier.
    """

    wanted: Wanted
    since: int
    until: int
    bucket_ms: int
    total: Sums
    before: Sums
    series: tuple[Series, ...]
    rows: tuple[Row, ...]
    heat: tuple[tuple[int, ...], ...] | None
    filter_names: Mapping[str, str]


class Part(msgspec.Struct, frozen=True):
    """Who cost how much; `share` of everything."""

    subject: str
    name: str
    cost_nano: int
    share: float


async def explore(desk: Desk, wanted: Wanted) -> Usage:
    return await desk.db.read_at_once(lambda tx: _explored(tx, desk, wanted))


async def _explored(tx: Tx, desk: Desk, wanted: Wanted) -> Usage:
    since, until = bounds(wanted, desk.clock.wall_ms())
    bucket_ms = HOUR_MS if wanted.bucket == "hour" else DAY_MS
    whole = question(wanted, (wanted.group, wanted.subgroup), since, until)
    alone = question(wanted, (), since, until)
    names = {dimension: await subjects.names(tx, desk, dimension) for dimension in named(wanted)}
    before = await figures.sums(
        tx, replace(alone, since=since - wanted.range.length_ms, until=until - wanted.range.length_ms)
    )
    known = {} if are_many(wanted) else {one.pair: one.sums for one in await figures.sums(tx, whole)}
    everything = total(known.values() if known else [one.sums for one in await figures.sums(tx, alone)])
    places = _ranked(wanted, whole, await _values(tx, wanted.metric, whole, known), names)
    rows = await _rows(tx, wanted.metric, whole, places, known, everything)
    own = _own(wanted.metric, places)
    pieces = replace(question(wanted, (wanted.group,), since, until), bucket_ms=bucket_ms)
    series = await _series(tx, wanted, pieces, own, wanted.range.length_ms // bucket_ms)
    heat = await _heat(tx, wanted, alone)
    return Usage(
        wanted=wanted,
        since=since,
        until=until,
        bucket_ms=bucket_ms,
        total=everything,
        before=total(group.sums for group in before),
        series=tuple(Series(one, _name(names, wanted.group, one), points) for one, points in series.items()),
        rows=rows,
        heat=heat,
        filter_names={dimension: _name(names, dimension, subject) for dimension, subject in wanted.only.items()},
    )


def bounds(wanted: Wanted, now: int) -> tuple[int, int]:
    """Since when (inclusive) and until when; the millisecond that is running belongs to it."""
    until = now + 1
    return -(-until // wanted.range.step_ms) * wanted.range.step_ms - wanted.range.length_ms, until


async def costs(desk: Desk, range_code: str) -> dict[str, tuple[Part, ...]]:
    """By dimension: the dearest, then the rest together."""
    wanted = RANGES[range_code]
    until = desk.clock.wall_ms() + 1
    since = -(-until // wanted.step_ms) * wanted.step_ms - wanted.length_ms

    async def look(tx: Tx) -> dict[str, tuple[Part, ...]]:
        found = {}
        for dimension in (Dimension.USER, Dimension.API_KEY, Dimension.MODEL, Dimension.PROVIDER):
            spent = await figures.amounts(tx, Question(since, until, dimension), "cost")
            named = await subjects.names(tx, desk, dimension)
            found[dimension.value] = _parts({one.first: one.amount for one in spent}, named)
        return found

    return await desk.db.read_at_once(look)


def _parts(spent: Mapping[str, int], named: Mapping[str, str]) -> tuple[Part, ...]:
    everything = sum(spent.values())
    if not everything:
        return ()
    ranked = sorted((subject for subject in spent if spent[subject]), key=lambda one: (-spent[one], one))
    kept = {subject: spent[subject] for subject in ranked[:SERIES]}
    if len(ranked) > SERIES:
        kept[OTHER] = everything - sum(kept.values())
    return tuple(Part(one, named.get(one, one), cost, cost / everything) for one, cost in kept.items())


def question(wanted: Wanted, groups: Sequence[str], since: int, until: int) -> Question:
    """In the order in which sums are kept."""
    asked = [name for name in Dimension if name in groups or name in wanted.only]
    first, second = [*asked, "", ""][:2]
    return Question(
        since,
        until,
        first or TOTAL,
        second,
        only_first=wanted.only.get(first),
        only_second=wanted.only.get(second),
    )


def named(wanted: Wanted) -> set[str]:
    return {wanted.group, wanted.subgroup, *wanted.only} - {NONE}


def _name(names: Mapping[str, Mapping[str, str]], dimension: str, subject: str) -> str:
    return names[dimension].get(subject, subject) if dimension in names else "all"


def picked(asked: Question, dimension: str, first: str, second: str) -> str:
    """The subject of this dimension in a group; empty where the question has it not."""
    return first if dimension == asked.first else second if dimension == asked.second else ""


def are_many(wanted: Wanted) -> bool:
    """Groups of which most are in the last row: all figures of each would take longer than to ask for those shown."""
    return wanted.subgroup != NONE and wanted.range.length_ms > DAY_MS


async def _values(
    tx: Tx, metric: Metric, asked: Question, known: Mapping[Pair, Sums]
) -> list[tuple[Pair, float | None, int]]:
    """How much of the metric each group has, and how many requests."""
    if metric.share is not None:
        return [(one.pair, _percentile(metric, one.counts), one.requests) for one in await _times(tx, metric, asked)]
    if known:
        return [(pair, metric.of(sums), sums.requests) for pair, sums in known.items()]
    return [(one.pair, one.amount, one.requests) for one in await figures.amounts(tx, asked, metric.code)]


def _ranked(
    wanted: Wanted,
    asked: Question,
    values: Sequence[tuple[Pair, float | None, int]],
    names: Mapping[str, Mapping[str, str]],
) -> list[_Place]:
    """Largest first."""
    found = []
    for pair, value, requests in values:
        subject, second = picked(asked, wanted.group, *pair), picked(asked, wanted.subgroup, *pair)
        second_name = _name(names, wanted.subgroup, second) if wanted.subgroup != NONE else ""
        found.append(_Place(pair, subject, _name(names, wanted.group, subject), second, second_name, value, requests))
    return sorted(found, key=lambda one: (-(one.value or 0), -one.requests, one.name, one.second_name))


async def _rows(
    tx: Tx, metric: Metric, asked: Question, places: Sequence[_Place], known: Mapping[Pair, Sums], everything: Sums
) -> tuple[Row, ...]:
    """The first ROWS of them, and the others in one row. What is not known is asked of those alone that are shown."""
    shown = places if len(places) <= ROWS else places[: ROWS - 1]
    if shown and not known:
        known = {one.pair: one.sums for one in await figures.sums(tx, asked, [place.pair for place in shown])}
    rows = [_row(one, known[one.pair], _share(metric, one.value, everything)) for one in shown]
    if len(shown) == len(places):
        return tuple(rows)
    rest = less(everything, total(row.sums for row in rows))
    value = metric.of(rest) if metric.share is None else None
    others = f"{len(places) - len(shown)} others"
    return (*rows, Row(OTHER, others, "", "", rest, value, _share(metric, value, everything)))


def _row(place: _Place, sums: Sums, share: float | None) -> Row:
    return Row(place.subject, place.name, place.second, place.second_name, sums, place.value, share)


def _share(metric: Metric, value: float | None, everything: Sums) -> float | None:
    """None where the metric does not add up, or there is nothing of it."""
    if metric.share is not None or value is None or not metric.of(everything):
        return None
    return value / metric.of(everything)


async def _times(tx: Tx, metric: Metric, asked: Question) -> tuple[Times, ...]:
    return await (figure_times.of_first_bytes if metric.is_first_byte else figure_times.of_all)(tx, asked)


def _percentile(metric: Metric, counts: Sequence[int]) -> float | None:
    assert metric.share is not None
    return percentile(counts, metric.share, FIRST_BYTE_BOUNDS_MS if metric.is_first_byte else TOTAL_BOUNDS_MS)


def _own(metric: Metric, places: Sequence[_Place]) -> tuple[str, ...]:
    """The subjects that get a line of their own: those with most, over all their places."""
    most: dict[str, float] = {}
    for place in places:
        # Of percentiles there is no sum: the busiest are shown.
        most[place.subject] = most.get(place.subject, 0) + (
            (place.value or 0) if metric.share is None else place.requests
        )
    return tuple(sorted(most, key=lambda one: (-most[one], one))[:SERIES])


async def _series(
    tx: Tx, wanted: Wanted, asked: Question, own: tuple[str, ...], length: int
) -> dict[str, tuple[float | None, ...]]:
    """By subject, in the order of `own`, then the rest; those that have nothing at all are left out."""
    place = "first" if wanted.group == asked.first else "second" if wanted.group == asked.second else ""
    asked = replace(asked, own=own, own_of=place)
    metric = wanted.metric
    found: dict[str, list[float | None]] = {}
    empty: list[float | None] = [0 if metric.share is None else None] * length

    def put(bucket: int, first: str, second: str, value: float | None) -> None:
        subject = picked(asked, wanted.group, first, second)
        found.setdefault(subject, [*empty])[min(bucket, length - 1)] = value

    if metric.share is None:
        for one in await figures.amounts(tx, asked, metric.code):
            put(one.bucket, one.first, one.second, one.amount)
    else:
        for times in await _times(tx, metric, asked):
            put(times.bucket, times.first, times.second, _percentile(metric, times.counts))
    order = [*(one for one in own if one in found), *(one for one in found if one not in own)]
    return {one: tuple(found[one]) for one in order if any(found[one])}


async def _heat(tx: Tx, wanted: Wanted, asked: Question) -> tuple[tuple[int, ...], ...] | None:
    """Each hour of the week in the wanted time zone. Two filters have no sums by hour; percentiles do not add up.

    Beside a subgroup it would be one picture too many.
    """
    if asked.second or wanted.subgroup != NONE or wanted.metric.share is not None or wanted.range.code == "24h":
        return None
    zone = ZoneInfo(wanted.time_zone)
    found = [[0] * 24 for _ in range(7)]
    for one in await figures.amounts(tx, replace(asked, bucket_ms=HOUR_MS), wanted.metric.code):
        at = datetime.fromtimestamp((asked.since + one.bucket * HOUR_MS) / 1000, zone)
        found[at.weekday()][at.hour] += one.amount
    return tuple(map(tuple, found))
