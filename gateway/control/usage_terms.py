"""The terms in which usage is asked for: figures, ranges, groups and filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from gateway.control.fields import Field, Kind, Table, read
from gateway.control.time_zones import UTC, is_known
from gateway.errors import InvalidFields
from gateway.model.sums import DAY_MS, HOUR_MS, Dimension, Sums

NONE = "none"


class Metric(msgspec.Struct, frozen=True):
    """A figure of a sum, or of a histogram: `share` of its calls took no longer. `unit` says what it is counted in."""

    code: str
    label: str
    unit: str
    of: Callable[[Sums], int] = lambda sums: sums.requests
    share: float | None = None
    is_first_byte: bool = False


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.code: metric
        for metric in (
            Metric("requests", "Requests", "requests"),
            Metric("failed", "Failed requests", "requests", lambda sums: sums.failed),
            Metric("denied", "Denied requests", "requests", lambda sums: sums.denied),
            Metric("cancelled", "Cancelled requests", "requests", lambda sums: sums.cancelled),
            Metric("tokens", "Tokens", "tokens", lambda sums: sums.tokens),
            Metric("input", "Tokens in", "tokens", lambda sums: sums.read_tokens),
            Metric("output", "Tokens out", "tokens", lambda sums: sums.output_tokens),
            Metric("cost", "Cost", "nano-dollars", lambda sums: sums.cost_nano),
            Metric("actual", "Actual cost", "nano-dollars", lambda sums: sums.actual_nano),
            Metric("unpriced", "Requests without a price", "requests", lambda sums: sums.unpriced),
            Metric("p50_first", "First byte, p50", "milliseconds", share=0.5, is_first_byte=True),
            Metric("p95_first", "First byte, p95", "milliseconds", share=0.95, is_first_byte=True),
            Metric("p50_total", "Total time, p50", "milliseconds", share=0.5),
            Metric("p95_total", "Total time, p95", "milliseconds", share=0.95),
        )
    }
)


class Range(msgspec.Struct, frozen=True):
    """So many hours or days, the running one included. Days are UTC's."""

    code: str
    label: str
    length_ms: int
    step_ms: int


RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "24h": Range("24h", "Last 24 hours", DAY_MS, HOUR_MS),
        "7d": Range("7d", "Last 7 days", 7 * DAY_MS, DAY_MS),
        "30d": Range("30d", "Last 30 days", 30 * DAY_MS, DAY_MS),
        "90d": Range("90d", "Last 90 days", 90 * DAY_MS, DAY_MS),
    }
)
GROUPS = (NONE, *Dimension)
BUCKETS = ("hour", "day")

FIELDS: Table = (
    Field("metric", Kind.CHOICE, "Which figure.", default="requests", choices=tuple(METRICS)),
    Field("group", Kind.CHOICE, "What it is told apart by.", default=Dimension.MODEL.value, choices=GROUPS),
    Field("subgroup", Kind.CHOICE, "And each of these by what.", default=NONE, choices=GROUPS),
    Field("range", Kind.CHOICE, "How far back.", default="7d", choices=tuple(RANGES)),
    Field(
        "bucket",
        Kind.CHOICE,
        "The width of a point. Hours for a day, or for a week by one dimension; else days.",
        nullable=True,
        choices=BUCKETS,
    ),
    Field("time_zone", Kind.TEXT, "In which the hours of a week are: a name such as Europe/Berlin.", default=UTC),
    *(Field(name, Kind.TEXT, "Only this one, by id; models by code.", nullable=True, most=200) for name in Dimension),
)


class Wanted(msgspec.Struct, frozen=True):
    """A checked question of the page. `only` are the filters, by dimension."""

    metric: Metric
    group: str
    subgroup: str
    range: Range
    bucket: str
    time_zone: str
    only: Mapping[str, str]


def parse(raw: Mapping[str, object]) -> Wanted:
    """A query string's values; raises InvalidFields."""
    values = read(FIELDS, raw, partial=False, text=True)
    only = {name.value: values[name] for name in Dimension if values[name] is not None}
    group, subgroup = values["group"], values["subgroup"]
    if group in (NONE, subgroup):
        subgroup = NONE
    told_apart = {*only, group, subgroup} - {NONE}
    if len(told_apart) > 2:  # noqa: PLR2004  # sums are kept by two dimensions
        raise InvalidFields({"subgroup": "is one too many: filters and groups together may name two things"})
    if not is_known(values["time_zone"]):
        raise InvalidFields({"time_zone": "is not a known time zone"})
    wanted_range = RANGES[values["range"]]
    bucket = _bucket(values["bucket"], wanted_range, len({*only, group} - {NONE}))
    return Wanted(METRICS[values["metric"]], group, subgroup, wanted_range, bucket, values["time_zone"], only)


def _bucket(asked: str | None, wanted: Range, dimensions: int) -> str:
    """Hours where there are sums of them, or few calls to look at."""
    if wanted.code == "24h":
        return "hour"
    return "hour" if asked == "hour" and wanted.code == "7d" and dimensions < 2 else "day"  # noqa: PLR2004
