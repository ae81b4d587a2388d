"""Usage: one figure by one thing or two over time, who cost how much, and when in the week it is busy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response

from gateway.admin import charts
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import FormView, Visit
from gateway.admin.wording import change, clock, count, day, duration, exact, percent
from gateway.control import usage, usage_terms
from gateway.control.exports import FORMATS
from gateway.control.time_zones import UTC, is_known
from gateway.control.usage import Row, Usage
from gateway.control.usage_terms import METRICS, NONE, RANGES, Metric, Wanted
from gateway.errors import InvalidFields
from gateway.model.sums import HOUR_MS, Dimension
from gateway.money import NANO, format_dollars
from gateway.store.figures import OTHER

FILTERS = tuple(name.value for name in Dimension)
PARAMETERS = ("metric", "group", "subgroup", "range", "bucket", *FILTERS)
_AXIS_LABELS = 4
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

WORDS: Mapping[str, str] = MappingProxyType(
    {
        NONE: "Nothing",
        Dimension.USER: "User",
        Dimension.API_KEY: "API key",
        Dimension.MODEL: "Model",
        Dimension.PROVIDER: "Provider",
        Dimension.PROVIDER_KEY: "Provider key",
    }
)
# By what to go on from one subject: the other side of most questions.
_NEXT: Mapping[str, str] = MappingProxyType({Dimension.MODEL: Dimension.API_KEY.value})


class Kpi(msgspec.Struct, frozen=True):
    """One figure of the whole range, and how it changed."""

    name: str
    value: str
    more: str
    note: str


class Line(msgspec.Struct, frozen=True):
    """A row of the table in words; `path` narrows the page to its subject, empty where it cannot."""

    row: Row
    path: str
    value: str
    share: str
    width: float


class Chip(msgspec.Struct, frozen=True):
    """A filter in force, and the page without it."""

    words: str
    path: str


@signed_in("usage")
async def show(site: Site, visit: Visit) -> Response:
    values = _sent(visit)
    try:
        wanted, faults = asked_for(visit), {}
    except InvalidFields as error:
        wanted, faults = usage_terms.parse({"time_zone": _zone(visit)}), dict(error.fields)
    found = await usage.explore(site.desk, wanted)
    # What everybody cost is no part of a narrower question.
    costs = {} if wanted.only or wanted.subgroup != NONE else await usage.costs(site.desk, wanted.range.code)
    form = FormView({**_values(wanted), **(values if faults else {})}, faults)
    return site.page(
        visit,
        "usage.html",
        422 if faults else 200,
        form=form,
        wanted=wanted,
        found=found,
        words=WORDS,
        kpis=kpis(found),
        chart=chart(found),
        axis=[found.since + wanted.range.length_ms * index // _AXIS_LABELS for index in range(_AXIS_LABELS)],
        table=lines(found),
        has_column=wanted.metric.share is not None or wanted.metric.code in ("denied", "cancelled", "unpriced"),
        heat=heat(found),
        weekdays=_WEEKDAYS,
        costs=[(name, _costs(name, wanted, parts)) for name, parts in costs.items() if parts],
        chips=_chips(found),
        ranges=[(one, _path({**_values(wanted), "range": one.code})) for one in RANGES.values()],
        exports=[(kind, f"/admin/usage.{kind}?{urlencode(_values(wanted))}") for kind in FORMATS],
        **_choices(site, wanted),
    )


def asked_for(visit: Visit) -> Wanted:
    """What the page's address asks for. Raises InvalidFields."""
    return usage_terms.parse({**_sent(visit), "time_zone": _zone(visit)})


def in_words(metric: Metric, value: float | None) -> str:
    if value is None:
        return "–"
    if metric.unit == "nano-dollars":
        return format_dollars(round(value), 2)
    if metric.unit == "milliseconds":
        return f"~{duration(value)}"
    return exact(round(value))


def kpis(found: Usage) -> list[Kpi]:
    now, before = found.total, found.before
    share = percent(now.failed / now.requests) if now.requests else ""
    unpriced = f"{count(now.unpriced)} unpriced" if now.unpriced else ""
    figures = (
        ("Requests", count(now.requests), "", now.requests, before.requests),
        ("Errors", count(now.failed), share, now.failed, before.failed),
        ("Tokens in / out", f"{count(now.read_tokens)} / {count(now.output_tokens)}", "", now.tokens, before.tokens),
        ("Cost", format_dollars(now.cost_nano, 2), unpriced, now.cost_nano, before.cost_nano),
        ("Actual cost", format_dollars(now.actual_nano, 2), "", now.actual_nano, before.actual_nano),
    )
    return [Kpi(name, value, more, change(is_now, was)) for name, value, more, is_now, was in figures]


def chart(found: Usage) -> charts.AreaChart | None:
    """None where there is nothing to draw."""
    if not found.series:
        return None
    metric = found.wanted.metric
    says = clock if found.bucket_ms == HOUR_MS else day
    length = len(found.series[0].points)
    starts = [found.since + index * found.bucket_ms for index in range(length)]
    labels = [f"{day(at)} {clock(at)[:5]} UTC" if says is clock else day(at) for at in starts]

    def words(value: float) -> str:
        if metric.unit == "nano-dollars":
            return format_dollars(round(value), 0 if value >= 10 * NANO else 2)
        return duration(value) if metric.unit == "milliseconds" else count(value)

    if metric.share is not None:
        return charts.line_chart([(one.name, one.points) for one in found.series], labels, words)
    stacked = [charts.Series(one.name, [point or 0 for point in one.points]) for one in found.series]
    unit = metric.unit if metric.unit in ("requests", "tokens") else ""
    return charts.stacked_area(stacked, labels, unit, words)


def lines(found: Usage) -> list[Line]:
    # Beside the rest together, and what has no subject, every other bar would be short.
    most = max((row.value or 0 for row in found.rows if row.subject != OTHER), default=0)
    return [
        Line(
            row,
            _narrowed(found.wanted, row),
            in_words(found.wanted.metric, row.value),
            "" if row.share is None else percent(row.share),
            round(100 * (row.value or 0) / most, 1) if most and row.subject != OTHER else 0,
        )
        for row in found.rows
    ]


def heat(found: Usage) -> list[list[tuple[int, str]]]:
    """By weekday, then hour: how dark, and the figure in words. Empty where there is nothing to show."""
    if found.heat is None or not any(map(any, found.heat)):
        return []
    levels = charts.heat_levels(found.heat)
    metric = found.wanted.metric
    return [
        [(level, in_words(metric, value)) for level, value in zip(shades, values, strict=True)]
        for shades, values in zip(levels, found.heat, strict=True)
    ]


def _sent(visit: Visit) -> dict[str, str]:
    query = visit.request.query_params
    return {name: query[name].strip()[:200] for name in PARAMETERS if query.get(name, "").strip()}


def _zone(visit: Visit) -> str:
    return visit.user.time_zone if visit.user and is_known(visit.user.time_zone) else UTC


def _values(wanted: Wanted) -> dict[str, str]:
    """The question as the address says it."""
    said = {
        "metric": wanted.metric.code,
        "group": wanted.group,
        "subgroup": wanted.subgroup,
        "range": wanted.range.code,
        "bucket": wanted.bucket,
        **wanted.only,
    }
    return {name: value for name, value in said.items() if value != NONE or name == "group"}


def _path(values: Mapping[str, str]) -> str:
    return f"/admin/usage?{urlencode(values)}"


def _narrowed(wanted: Wanted, row: Row) -> str:
    if wanted.group == NONE or wanted.group in wanted.only or row.subject in ("", OTHER):
        return ""
    kept = {name: value for name, value in _values(wanted).items() if name in ("metric", "range", "bucket")}
    group = wanted.subgroup if wanted.subgroup != NONE else _NEXT.get(wanted.group, Dimension.MODEL.value)
    return _path({**kept, "group": group, wanted.group: row.subject})


def _chips(found: Usage) -> list[Chip]:
    values = _values(found.wanted)
    return [
        Chip(f"{WORDS[name]}: {shown}", _path({key: value for key, value in values.items() if key != name}))
        for name, shown in found.filter_names.items()
    ]


def _costs(name: str, wanted: Wanted, parts: Sequence[usage.Part]) -> tuple[str, list[tuple[str, str, str, float]]]:
    """The page by cost, and for each part its name, cost, share and the width of its bar."""
    most = max(part.cost_nano for part in parts if part.subject != OTHER)
    shown = [
        (
            part.name,
            format_dollars(part.cost_nano, 2),
            percent(part.share),
            0 if part.subject == OTHER else round(100 * part.cost_nano / most, 1),
        )
        for part in parts
    ]
    return _path({"metric": "cost", "group": name, "range": wanted.range.code}), shown


def _choices(site: Site, wanted: Wanted) -> dict[str, object]:
    registry = site.desk.snapshot().registry
    only = {
        Dimension.API_KEY.value: [(key.id, key.name) for key in registry.api_keys],
        Dimension.MODEL.value: [(model.code, model.code) for model in registry.models],
        Dimension.PROVIDER.value: [(one.id, one.name) for one in registry.providers],
    }
    return {
        "metrics": [(one.code, one.label) for one in METRICS.values()],
        "groups": list(WORDS.items()),
        "subgroups": [(name, word) for name, word in WORDS.items() if name != wanted.group],
        "only": {name: sorted(found, key=lambda one: one[1].lower()) for name, found in only.items()},
        "kept": {name: value for name, value in wanted.only.items() if name not in only},
    }
