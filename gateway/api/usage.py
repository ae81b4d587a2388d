"""`/api/admin/usage` and `…/usage/export`: what was used, by one thing or two over time."""

from __future__ import annotations

import msgspec

from gateway.api.operations import PREFIX, Operation, Visit, policy
from gateway.control import exports, usage, usage_terms
from gateway.control.usage import Row, Series
from gateway.model.sums import Sums
from gateway.money import exact_dollars


class UsageRow(msgspec.Struct, frozen=True):
    """One group, or one of a group's groups. `subject` is an id, a model's code, `` for none or `*` for the rest.

    `value` is the metric's, `share` its part of the whole; null where it has none. `cost` and `actual` are dollars.
    """

    subject: str
    name: str
    second: str
    second_name: str
    value: float | None
    share: float | None
    sums: Sums
    cost: str
    actual: str


class UsageShown(msgspec.Struct, frozen=True):
    """Times are Unix milliseconds; point `n` of a series begins at `since + n * bucket_ms`.

    `heat` has the metric by weekday, Monday first, and hour of the time zone; null where the question has none.
    `before` is the same time, one length of the range earlier.
    """

    metric: str
    unit: str
    group: str
    subgroup: str
    range: str
    since: int
    until: int
    bucket_ms: int
    total: Sums
    before: Sums
    series: tuple[Series, ...]
    rows: tuple[UsageRow, ...]
    heat: tuple[tuple[int, ...], ...] | None


@policy("token")
async def _explore(visit: Visit) -> object:
    wanted = usage_terms.parse(visit.query)
    found = await usage.explore(visit.desk, wanted)
    return UsageShown(
        metric=wanted.metric.code,
        unit=wanted.metric.unit,
        group=wanted.group,
        subgroup=wanted.subgroup,
        range=wanted.range.code,
        since=found.since,
        until=found.until,
        bucket_ms=found.bucket_ms,
        total=found.total,
        before=found.before,
        series=found.series,
        rows=tuple(_row(row) for row in found.rows),
        heat=found.heat,
    )


@policy("token")
async def _export(visit: Visit) -> object:
    wanted = usage_terms.parse({name: value for name, value in visit.query.items() if name != exports.FORMAT.name})
    return exports.of_usage(visit.desk, wanted, exports.parse_format(visit.query))


def _row(row: Row) -> UsageRow:
    return UsageRow(
        subject=row.subject,
        name=row.name,
        second=row.second,
        second_name=row.second_name,
        value=row.value,
        share=row.share,
        sums=row.sums,
        cost=exact_dollars(row.sums.cost_nano),
        actual=exact_dollars(row.sums.actual_nano),
    )


OPERATIONS = (
    Operation(
        "GET",
        f"{PREFIX}/usage",
        "usage",
        "One figure over time, told apart by one thing or two. Filters and groups together name at most two.",
        _explore,
        UsageShown,
        query=usage_terms.FIELDS,
    ),
    Operation(
        "GET",
        f"{PREFIX}/usage/export",
        "export_usage",
        "Every sum of every hour or day as a file.",
        _export,
        UsageRow,
        query=(*usage_terms.FIELDS, exports.FORMAT),
        media_type="text/csv",
    ),
)
