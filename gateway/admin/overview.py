"""The first page: figures of a range, what needs attention, how pools and providers are doing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from starlette.responses import Response

from gateway.admin import charts, strips
from gateway.admin.announcements import unread_cards
from gateway.admin.pools import pool_cards
from gateway.admin.site import Site, signed_in
from gateway.admin.visits import Visit
from gateway.admin.wording import change, clock, count, day, duration, percent, size
from gateway.control import requests
from gateway.control.overview import DEFAULT_SPAN, SPANS, Attention, FirstByte, Kept, Overview, ProviderStrip
from gateway.model.histograms import FIRST_BYTE_BOUNDS_MS
from gateway.money import format_dollars

_AXIS_LABELS = 4
_ONLY: Mapping[str, str] = MappingProxyType({"Errors": "&status=failed"})


class Kpi(msgspec.Struct, frozen=True):
    """One figure. `more` stands beside it, `note` below, with `note_title` explaining it."""

    name: str
    value: str
    more: str
    spark: str
    note: str
    note_title: str
    path: str


class Item(msgspec.Struct, frozen=True):
    """Something that needs attention: `subject` links to `path`, then `words`, then a countdown if any."""

    subject: str
    words: str
    path: str
    seconds: float | None
    sentence: str


@signed_in("overview")
async def show(site: Site, visit: Visit) -> Response:
    code = visit.request.query_params.get("range", DEFAULT_SPAN)
    found = await requests.overview(site.desk, code if code in SPANS else DEFAULT_SPAN)
    span = found.span
    return site.page(
        visit,
        "overview.html",
        announcements=await unread_cards(site, visit),
        spans=SPANS.values(),
        chosen=span,
        step_words=_step_words(span.bucket_ms),
        axis=[found.since + span.length_ms * index // _AXIS_LABELS for index in range(_AXIS_LABELS)],
        axis_show="minute" if span.length_ms <= 24 * 3_600_000 else "day",
        kpis=kpis(found),
        area=area(found) if found.totals.requests else None,
        histogram=histogram(found.first_byte),
        percentiles=percentiles(found.first_byte),
        attention=[attention_item(one) for one in found.attention],
        pools=[card for card in pool_cards(found.pools) if card.total],
        strips=[(one, strips.strip(one.cells)) for one in found.providers if _was_used(one)],
        recent=found.recent,
        kept=kept_words(found.kept),
    )


def kept_words(kept: Kept) -> str:
    """How long requests are kept, and what they take up."""
    days = "for good" if kept.days is None else f"for {kept.days} days"
    room = "" if kept.most_bytes is None else f" and in {size(kept.most_bytes)}"
    since = "" if kept.oldest_at is None else f", the oldest of {day(kept.oldest_at)}"
    return f"Requests are kept {days}{room}; {size(kept.used_bytes)} are used{since}."


def kpis(found: Overview) -> list[Kpi]:
    now, before = found.totals, found.before
    where = f"/admin/requests?range={found.span.code}"
    p95, p95_before = found.first_byte.p95, found.first_byte_before.p95
    against = f"against the {found.span.label.removeprefix('Last ')} before"
    share = percent(now.failed / now.requests) if now.requests else ""
    unpriced = f"{count(now.unpriced)} unpriced" if now.unpriced else ""
    tokens = f"{count(now.read_tokens)} / {count(now.output_tokens)}"
    figures = (
        ("Requests", count(now.requests), "", "requests", now.requests, before.requests),
        ("Errors", count(now.failed), share, "errors", now.failed, before.failed),
        ("Tokens in / out", tokens, "", "tokens", now.tokens, before.tokens),
        ("Cost", format_dollars(now.cost_nano, 2), unpriced, "cost_nano", now.cost_nano, before.cost_nano),
        ("p95 to first byte", f"~{duration(p95)}" if p95 else "–", "", "", p95 or 0, p95_before or 0),
    )
    return [
        Kpi(name, value, more, _spark(found, line), change(is_now, was), against, where + _ONLY.get(name, ""))
        for name, value, more, line, is_now, was in figures
    ]


def _spark(found: Overview, name: str) -> str:
    return charts.sparkline([getattr(bucket, name) for bucket in found.buckets]) if name else ""


def area(found: Overview) -> charts.AreaChart:
    series = [charts.Series(line.model, line.requests) for line in found.lines]
    words = clock if found.span.length_ms <= 24 * 3_600_000 else day
    labels = [f"{words(bucket.at)[:10]} UTC" for bucket in found.buckets]
    return charts.stacked_area(series, labels, "requests")


def histogram(first_byte: FirstByte) -> charts.Histogram | None:
    return charts.histogram(first_byte.counts, FIRST_BYTE_BOUNDS_MS)


def percentiles(first_byte: FirstByte) -> list[tuple[str, str]]:
    found = (("p50", first_byte.p50), ("p95", first_byte.p95), ("p99", first_byte.p99))
    return [(name, f"~{duration(value)}") for name, value in found if value is not None]


def attention_item(one: Attention) -> Item:
    path = "/admin/providers" if one.kind != "unpriced" else "/admin/prices"
    words = {
        "cooling": "rests after a limit, back in",
        "open": "failed too often, its circuit is open; tried again in",
        "quota": "is out of quota or money at its provider. Tried again in",
        "refused": "was refused its key; mend it, then clear the rest. Tried again in",
        "unbound": "has a new address: enter its key again",
        "unpriced": "was used and has no price",
    }.get(one.kind, one.sentence)
    return Item(one.subject, words, path, one.seconds, one.sentence)


def _was_used(one: ProviderStrip) -> bool:
    return one.up is not None


def _step_words(bucket_ms: int) -> str:
    minutes = bucket_ms // 60_000
    if minutes < 60:
        return f"{minutes} min"
    return {60: "hour", 24 * 60: "day"}.get(minutes, f"{minutes // 60} h")
