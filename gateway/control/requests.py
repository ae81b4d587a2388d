"""The ledger as operators read it: a page of calls, one call, and the overview's figures."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.control import overview as figures_of
from gateway.control import pools
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, Table, read
from gateway.control.lookup import require
from gateway.control.overview import DEFAULT_SPAN, SPANS, Kept, Overview
from gateway.errors import InvalidFields
from gateway.model.calls import CallRecord, CallStatus
from gateway.model.histograms import merged
from gateway.model.sums import MINUTE_MS, total, whole
from gateway.store import attempt_minutes, calls, figure_times, figures, retention
from gateway.store.attempt_minutes import ProviderMinute
from gateway.store.call_search import CallFilter, Found, search
from gateway.store.calls import CallRow
from gateway.store.database import Tx
from gateway.store.figure_pieces import Question
from gateway.store.figure_times import Times
from gateway.store.figures import Group

MOST_PER_PAGE = 500
COUNT_CAP = 2_000
"""To count on takes a page longer than to find what it shows; sums of any length are on the usage page."""
_RECENT = 10

FILTERS: Table = (
    Field("api_key", Kind.TEXT, "The API key, by id or name.", nullable=True),
    Field("user", Kind.TEXT, "The API key's owner at the time, by id or name.", nullable=True),
    Field("model", Kind.TEXT, "The asked or served model.", nullable=True),
    Field("provider", Kind.TEXT, "The provider, by id or name.", nullable=True),
    Field("backend", Kind.TEXT, "The backend, by id or name.", nullable=True),
    Field("status", Kind.CHOICE, "How it ended.", nullable=True, choices=tuple(CallStatus)),
    Field("code", Kind.INT, "The HTTP status.", nullable=True, least=100, most=599),
    Field("code_class", Kind.INT, "The first digit of the HTTP status.", nullable=True, least=1, most=5),
    Field("since", Kind.TIME, "Started then or later: Unix milliseconds or ISO 8601.", nullable=True),
    Field("until", Kind.TIME, "Started before: Unix milliseconds or ISO 8601.", nullable=True),
    Field("session", Kind.TEXT, "What a coding agent calls its session.", nullable=True),
    Field("text", Kind.TEXT, "Anything inside the error.", nullable=True, most=200),
)


class Page(msgspec.Struct, frozen=True):
    """`total` is exact where `is_exact`, else there are at least so many. `next_before` asks for what comes after.

    A page may have fewer items than were asked for, or none, and be followed by another: few calls match, and only so
    many are looked at for one page.
    """

    items: tuple[CallRow, ...]
    total: int
    is_exact: bool
    next_before: str | None


class _Ledger(msgspec.Struct, frozen=True):
    """What the overview is made of, in one view."""

    groups: tuple[Group, ...]
    before: tuple[Group, ...]
    times: tuple[Times, ...]
    times_before: tuple[Times, ...]
    minutes: tuple[ProviderMinute, ...]
    recent: tuple[CallRow, ...]
    used: int
    oldest: int | None


def parse_filter(raw: Mapping[str, object]) -> CallFilter:
    """A query string's values as a filter; raises InvalidFields."""
    values = read(FILTERS, raw, partial=False, text=True)
    status = values.pop("status")
    return CallFilter(**values, status=None if status is None else CallStatus(status))


async def listing(desk: Desk, wanted: CallFilter, before: str | None, limit: int) -> Page:
    """Newest first, those older than the call `before`; at most MOST_PER_PAGE. Counted up to COUNT_CAP."""
    limit = max(1, min(limit, MOST_PER_PAGE))

    async def look(tx: Tx) -> tuple[Found, Found, tuple[CallRow, ...]]:
        every = await search(tx, wanted, None, COUNT_CAP)
        found = every
        if before is not None:
            found = Found(tuple(call_id for call_id in every.ids if call_id < before), None)
            if len(found.ids) <= limit and not _is_all(every):  # what was counted ends within the page
                found = await search(tx, wanted, before, limit + 1)
        return every, found, await calls.rows_of(tx, found.ids[:limit])

    every, found, shown = await desk.db.read_at_once(look)
    is_exact = _is_all(every)
    return Page(shown, len(every.ids), is_exact, found.ids[limit - 1] if len(found.ids) > limit else found.next_before)


def _is_all(counted: Found) -> bool:
    return counted.next_before is None and len(counted.ids) < COUNT_CAP


async def get(desk: Desk, call_id: str) -> CallRecord:
    """With its attempts and skips. Raises NotFound."""
    return require(await desk.db.read_at_once(lambda tx: calls.get(tx, call_id)), "request")


async def overview(desk: Desk, span_code: str = DEFAULT_SPAN) -> Overview:
    """Everything that the overview page shows, as of now. Raises InvalidFields for an unknown range."""
    span = SPANS.get(span_code)
    if span is None:
        raise InvalidFields({"range": f"must be one of {', '.join(SPANS)}"})
    # The millisecond that is running belongs to the picture too.
    until = desk.clock.wall_ms() + 1
    since = span.since(until)
    now = Question(since, until, "model", bucket_ms=span.bucket_ms)
    earlier = Question(since - span.length_ms, until - span.length_ms)
    hour_ago = whole(until - figures_of.STRIP_MINUTES * MINUTE_MS, MINUTE_MS)

    async def look(tx: Tx) -> _Ledger:
        return _Ledger(
            groups=await figures.sums(tx, now),
            before=await figures.sums(tx, earlier),
            times=await figure_times.of_first_bytes(tx, Question(since, until)),
            times_before=await figure_times.of_first_bytes(tx, earlier),
            minutes=await attempt_minutes.by_provider(tx, hour_ago, until),
            recent=await calls.page(tx, CallFilter(), None, _RECENT),
            used=await retention.used_bytes(tx),
            oldest=await retention.oldest_at(tx),
        )

    found = await desk.db.read_at_once(look)
    pool_stats, settings = tuple(pools.stats(desk)), desk.snapshot().settings
    providers = [provider.name for provider in desk.snapshot().registry.providers]
    return Overview(
        span=span,
        since=since,
        until=until,
        totals=total(item.sums for item in found.groups),
        before=total(item.sums for item in found.before),
        lines=figures_of.lines(found.groups, figures_of.bucket_count(span)),
        buckets=figures_of.buckets(found.groups, since, span),
        first_byte=figures_of.first_byte(merged(item.counts for item in found.times)),
        first_byte_before=figures_of.first_byte(merged(item.counts for item in found.times_before)),
        providers=figures_of.strips(found.minutes, providers),
        recent=found.recent,
        pools=pool_stats,
        attention=figures_of.attention(pool_stats, found.groups),
        kept=Kept(settings.retention_days, settings.retention_bytes, found.used, found.oldest),
    )
