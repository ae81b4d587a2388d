"""Requests and usage as files, written while they are read: some rows at a time, each in a short read of its own."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import asdict, astuple, fields, replace

from gateway.control import subjects, usage
from gateway.control.desk import Desk
from gateway.control.fields import Field, Kind, read
from gateway.control.usage_terms import NONE, Wanted
from gateway.model.sums import DAY_MS, HOUR_MS, Sums
from gateway.money import exact_dollars
from gateway.store import calls, figures
from gateway.store.call_search import CallFilter, search
from gateway.store.calls import CallRow

Header = tuple[bytes, bytes]
Cells = Mapping[str, object]

FORMATS = ("csv", "jsonl")
MEDIA_TYPES: Mapping[str, str] = MappingProxyType({"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"})
FORMAT = Field("format", Kind.CHOICE, "CSV, or one JSON object a line.", default="csv", choices=FORMATS)
WRITE_IDLE_SECONDS = 60.0
_ROWS_A_SEARCH, _ROWS_A_READ = 500, 50
"""To write fifty takes two milliseconds, and calls are served in between."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Export(msgspec.Struct, frozen=True):
    """ASGI. A file that is made as it is sent; it ends where its reader leaves or takes nothing for a minute."""

    name: str
    format: str
    rows: Callable[[], AsyncIterator[Sequence[Cells]]]
    headers: tuple[Header, ...] = ()

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._all_headers()})
        left = asyncio.ensure_future(_until_left(receive))
        try:
            has_head = False
            async for rows in self.rows():
                if left.done():
                    return
                if not rows:
                    continue
                async with asyncio.timeout(WRITE_IDLE_SECONDS):
                    body = self._encoded(rows, with_head=not has_head)
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                has_head = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            raise asyncio.CancelledError("the reader stopped reading") from None
        finally:
            left.cancel()

    def _encoded(self, rows: Sequence[Cells], *, with_head: bool) -> bytes:
        if self.format == "jsonl":
            return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        text = io.StringIO()
        writer = csv.writer(text)
        if with_head:
            writer.writerow(rows[0])
        writer.writerows([harmless(cell) for cell in row.values()] for row in rows)
        return text.getvalue().encode()

    def _all_headers(self) -> list[Header]:
        own = {
            b"content-type": MEDIA_TYPES[self.format].encode(),
            b"content-disposition": f'attachment; filename="{self.name}.{self.format}"'.encode(),
            b"cache-control": b"no-store",
            b"x-accel-buffering": b"no",
        }
        return list({**dict(self.headers), **own}.items())


def parse_format(raw: Mapping[str, object]) -> str:
    """Raises InvalidFields. What else `raw` has is somebody else's."""
    given = {name: value for name, value in raw.items() if name == FORMAT.name}
    return str(read((FORMAT,), given, partial=False, text=True)[FORMAT.name])


def harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula gets an apostrophe before it."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    return cell


def of_requests(desk: Desk, wanted: CallFilter, format_: str) -> Export:
    """All that match, newest first."""

    async def rows() -> AsyncIterator[Sequence[Cells]]:
        before: str | None = None
        while True:
            async with desk.db.read() as tx:
                found = await search(tx, wanted, before, _ROWS_A_SEARCH)
            for start in range(0, len(found.ids), _ROWS_A_READ):
                async with desk.db.read() as tx:
                    page = await calls.rows_of(tx, found.ids[start : start + _ROWS_A_READ])
                yield [_request(row) for row in page]
            if not found.ids:
                yield []  # whoever left meanwhile is not searched for any longer
            before = found.ids[-1] if len(found.ids) == _ROWS_A_SEARCH else found.next_before
            if before is None:
                return

    return Export("requests", format_, rows)


def of_usage(desk: Desk, wanted: Wanted, format_: str) -> Export:
    """Every sum of every hour or day, by what the question tells apart."""

    async def rows() -> AsyncIterator[Sequence[Cells]]:
        since, until = usage.bounds(wanted, desk.clock.wall_ms())
        bucket_ms = HOUR_MS if wanted.bucket == "hour" else DAY_MS
        whole = usage.question(wanted, (wanted.group, wanted.subgroup), since, until)
        async with desk.db.read() as tx:
            names = {dimension: await subjects.names(tx, desk, dimension) for dimension in usage.named(wanted)}
        for start in range(since, until, bucket_ms):
            piece = replace(whole, since=start, until=min(until, start + bucket_ms))
            async with desk.db.read() as tx:
                groups = await figures.sums(tx, piece)
            told = []
            for group in groups:
                cells: dict[str, object] = {"since": _moment(start)}
                for dimension in (wanted.group, wanted.subgroup):
                    if dimension != NONE:
                        subject = usage.picked(piece, dimension, group.first, group.second)
                        cells |= {dimension: subject, f"{dimension}_name": names[dimension].get(subject, subject)}
                told.append({**cells, **_sums(group.sums)})
            yield told

    return Export("usage", format_, rows)


def _sums(sums: Sums) -> dict[str, object]:
    told = dict(zip((field.name for field in fields(Sums)), astuple(sums), strict=True))
    return {**told, "cost": exact_dollars(sums.cost_nano), "actual": exact_dollars(sums.actual_nano)}


def _request(row: CallRow) -> dict[str, object]:
    used = asdict(row.usage)
    return {
        "id": row.id,
        "started_at": _moment(row.started_at),
        "user": row.user_name,
        "api_key": row.api_key_name,
        "api_key_id": row.api_key_id,
        "api_format": row.api_format,
        "upstream_format": row.upstream_format,
        "dropped": " ".join(row.dropped),
        "path": row.path,
        "asked_model": row.asked_model,
        "served_model": row.served_model,
        "provider": row.provider,
        "backend": row.backend,
        "pool": row.pool,
        "is_stream": row.is_stream,
        "status": row.status.value,
        "code": row.code,
        "error_code": row.error_code,
        "error": row.error,
        **{f"{name}_tokens": value for name, value in used.items() if name != "source"},
        "usage_source": row.usage.source.value,
        "cost": None if row.cost_nano is None else exact_dollars(row.cost_nano),
        "actual": None if row.actual_nano is None else exact_dollars(row.actual_nano),
        "total_ms": row.total_ms,
        "first_byte_ms": row.first_byte_ms,
        "attempts": row.attempt_count,
        "source": row.source.value,
        "route": row.route,
        "agent_session": row.attribution.session,
        "agent": row.attribution.agent,
        "parent_agent": row.attribution.parent_agent,
        "request_class": row.attribution.request_class,
    }


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _until_left(receive: Callable[[], Awaitable[MutableMapping[str, Any]]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
