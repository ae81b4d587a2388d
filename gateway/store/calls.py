"""The ledger: one row per call and one per attempt. Rows are written once and never changed.

Ids begin with their time, so newest first is simply the highest id first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec.structs import astuple

from gateway.model.calls import (
    Attempt,
    Attribution,
    CallRecord,
    CallSource,
    CallStatus,
    Considered,
    Skip,
    Usage,
    UsageSource,
)
from gateway.model.registry import Price
from gateway.store import rollups, segments
from gateway.store.call_search import CallFilter, search
from gateway.store.database import Tx
from gateway.store.lots import lots
from gateway.store.models import price_of

_T = TypeVar("_T")


class CallRow(msgspec.Struct, frozen=True):
    """A call as lists show it: a CallRecord without its attempts, skips and prices."""

    id: str
    started_at: int
    api_key_id: str | None
    api_key_name: str
    api_format: str
    path: str
    asked_model: str
    served_model: str
    provider_id: str | None
    provider: str
    backend_id: str | None
    backend: str
    pool: str
    is_stream: bool
    status: CallStatus
    code: int
    error_code: str
    error: str
    usage: Usage
    cost_nano: int | None
    total_ms: int
    first_byte_ms: int | None
    attempt_count: int
    source: CallSource
    route: str
    actual_nano: int | None
    user_id: str | None
    user_name: str
    upstream_format: str
    dropped: tuple[str, ...]
    attribution: Attribution


_CALLS = lots(
    """
    INSERT OR FAIL INTO calls (id, started_at, api_key_id, api_key_name, api_format, path, asked_model, served_model,
                               provider_id, provider, backend_id, backend, pool, is_stream, code, input_tokens,
                               output_tokens, cache_read_tokens, cache_creation_tokens, reasoning_tokens, usage_source,
                               cache_creation_1h_tokens, total_ms, overhead_us, config_version, client_ip,
                               attempt_count, route, considered, user_name, upstream_format, charged_at, price_origin,
                               first_byte_ms, seed, rate_multiplier, cost_nano, actual_nano, reserved_nano, user_id,
                               segment, input_price, output_price, cache_read_price, cache_creation_price,
                               request_price, cache_creation_1h_price, status, source, error_code, error,
                               agent_session, agent_id, parent_agent_id, request_class, skips, dropped)
    """,
    "ON CONFLICT DO NOTHING",
    "'completed', 'API', '', '', '', '', '', '', '[]', '[]'",
)
_ATTEMPTS = lots(
    """
    INSERT OR FAIL INTO attempts (call_id, number, backend_id, backend, pool, upstream_model, started_ms, headers_ms,
                                  first_output_ms, total_ms, api_format, outcome, status, error, rest_ms)
    """,
    "ON CONFLICT DO NOTHING",
    "'ok', 200, '', NULL",
)
_Placed = tuple[CallRecord, int]
"""A call, and its segment."""
_USUAL_CALL = (CallStatus.COMPLETED.text, CallSource.API.text, "", "", "", "", "", "", (), ())
_USUAL_ATTEMPT = ("ok", 200, "", None)
"""What `_rest` and `_rest_of_attempt` find of most; the usual statements have it in them."""


async def insert_many(tx: Tx, records: Sequence[CallRecord]) -> None:
    """Write calls with their attempts. A call that is already there is left as it is.

    In the order of their ids: rows that come before others split pages in halves, and those stay.
    """
    records = sorted(records, key=attrgetter("id"))
    await rollups.count_new(tx, {record.id: record.started_at for record in records})
    placed = list(zip(records, await segments.place(tx, [record.id for record in records]), strict=True))
    usual, others = _parted(placed, lambda one: _rest(one[0]) == _USUAL_CALL)
    await _CALLS.insert(tx, usual, _add_usual, are_usual=True)
    await _CALLS.insert(tx, others, _add)
    attempts = [(record.id, attempt) for record in records for attempt in record.attempts]
    usual_attempts, other_attempts = _parted(attempts, lambda found: _rest_of_attempt(found[1]) == _USUAL_ATTEMPT)
    await _ATTEMPTS.insert(tx, usual_attempts, _add_usual_attempt, are_usual=True)
    await _ATTEMPTS.insert(tx, other_attempts, _add_attempt)


async def page(tx: Tx, wanted: CallFilter, before: str | None, limit: int) -> tuple[CallRow, ...]:
    """At most `limit` calls, newest first, that are older than the one with the id `before`."""
    return await rows_of(tx, (await search(tx, wanted, before, limit)).ids)


async def count(tx: Tx, wanted: CallFilter, cap: int) -> int:
    """How many calls there are, counted no further than `cap`."""
    return len((await search(tx, wanted, None, cap)).ids)


async def rows_of(tx: Tx, ids: Sequence[str]) -> tuple[CallRow, ...]:
    """Newest first."""
    async with tx.execute(
        """
        SELECT id, started_at, api_key_id, api_key_name, api_format, path, asked_model, served_model,
               provider_id, provider, backend_id, backend, pool, is_stream, status, code, error_code, error,
               input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, reasoning_tokens,
               usage_source, cost_nano, total_ms, first_byte_ms, attempt_count, source, route, actual_nano,
               user_id, user_name, cache_creation_1h_tokens, upstream_format, dropped, agent_session, agent_id,
               parent_agent_id, request_class
        FROM calls
        WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY id DESC
        """,
        {"ids": json.dumps(ids)},
    ) as rows:
        return tuple(_call_row(row) for row in await rows.fetchall())


async def get(tx: Tx, call_id: str) -> CallRecord | None:
    """One call with its attempts and skips."""
    async with tx.execute(
        """
        SELECT id, started_at, api_key_id, api_key_name, api_format, path, asked_model, served_model,
               provider_id, provider, backend_id, backend, pool, is_stream, status, code, error_code, error,
               input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens, reasoning_tokens,
               usage_source, input_price, output_price, cache_read_price, cache_creation_price,
               request_price, cost_nano, total_ms, first_byte_ms, overhead_us, config_version, client_ip,
               skips, source, route, seed, considered, rate_multiplier, actual_nano, user_id, user_name,
               upstream_format, charged_at, reserved_nano, cache_creation_1h_tokens, cache_creation_1h_price,
               price_origin, dropped, agent_session, agent_id, parent_agent_id, request_class
        FROM calls WHERE id = :id
        """,
        {"id": call_id},
    ) as rows:
        row = await rows.fetchone()
    return None if row is None else _record(row, await _attempts(tx, call_id))


async def _attempts(tx: Tx, call_id: str) -> tuple[Attempt, ...]:
    async with tx.execute(
        """
        SELECT number, backend_id, backend, pool, upstream_model, started_ms, headers_ms, first_output_ms,
               total_ms, outcome, status, error, rest_ms, api_format
        FROM attempts WHERE call_id = :id ORDER BY number
        """,
        {"id": call_id},
    ) as rows:
        return tuple(Attempt(*row) for row in await rows.fetchall())


def _call_row(row: sqlite3.Row) -> CallRow:
    return CallRow(
        **_common(row, row[33]),
        cost_nano=row[24],
        total_ms=row[25],
        first_byte_ms=row[26],
        attempt_count=row[27],
        source=CallSource(row[28]),
        route=row[29],
        actual_nano=row[30],
        user_id=row[31],
        user_name=row[32],
        upstream_format=row[34],
        dropped=tuple(json.loads(row[35])),
        attribution=Attribution(*row[36:40]),
    )


def _record(row: sqlite3.Row, attempts: tuple[Attempt, ...]) -> CallRecord:
    return CallRecord(
        **_common(row, row[47]),
        price=price_of(row[24], row[25], row[26], row[27], row[28], row[48]),
        cost_nano=row[29],
        total_ms=row[30],
        first_byte_ms=row[31],
        overhead_us=row[32],
        config_version=row[33],
        client_ip=row[34],
        attempts=attempts,
        skips=tuple(Skip(**skip) for skip in json.loads(row[35])),
        source=CallSource(row[36]),
        route=row[37],
        seed=row[38],
        considered=tuple(Considered(**one) for one in json.loads(row[39])),
        rate_multiplier=row[40],
        actual_nano=row[41],
        user_id=row[42],
        user_name=row[43],
        upstream_format=row[44],
        charged_at=row[45],
        reserved_nano=row[46],
        price_origin=row[49],
        dropped=tuple(json.loads(row[50])),
        attribution=Attribution(*row[51:55]),
    )


_COMMON = (
    *("id", "started_at", "api_key_id", "api_key_name", "api_format", "path", "asked_model", "served_model"),
    *("provider_id", "provider", "backend_id", "backend", "pool", "is_stream", "status", "code"),
    *("error_code", "error"),
)


def _common(row: sqlite3.Row, cache_creation_1h: int) -> dict[str, Any]:
    """The first 24 columns of both statements, as the fields that both structs share."""
    shared = dict(zip(_COMMON, row[:18], strict=True))
    return {
        **shared,
        "is_stream": bool(shared["is_stream"]),
        "status": CallStatus(shared["status"]),
        "usage": Usage(row[18], row[19], row[20], row[21], row[22], UsageSource(row[23]), cache_creation_1h),
    }


_NULL = float("nan")
"""SQLite takes it for NULL. Python's driver takes five times as long to find out what None is."""
_NO_PRICE = (_NULL,) * len(Price.__struct_fields__)


def _parted(found: Iterable[_T], is_usual: Callable[[_T], bool]) -> tuple[list[_T], list[_T]]:
    usual: list[_T] = []
    others: list[_T] = []
    for one in found:
        (usual if is_usual(one) else others).append(one)
    return usual, others


def _add(values: list[object], placed: _Placed) -> None:
    _add_usual(values, placed)
    *texts, skips, dropped = _rest(placed[0])
    values += (*texts, _list(skips), _list(dropped))


def _add_usual(values: list[object], placed: _Placed) -> None:
    """All but `_rest`, by position: parameters that have names take three times as long to bind.

    It is done for every call, so without lists and calls within; Python makes no list of up to thirty values at a time.
    """
    record, segment = placed
    usage, price, considered = record.usage, record.price, record.considered
    first_byte_ms, seed, rate_multiplier = record.first_byte_ms, record.seed, record.rate_multiplier
    cost_nano, actual_nano, reserved_nano = record.cost_nano, record.actual_nano, record.reserved_nano
    user_id = record.user_id
    # fmt: off
    values += (
        record.id, record.started_at, record.api_key_id, record.api_key_name, record.api_format, record.path,
        record.asked_model, record.served_model, record.provider_id, record.provider, record.backend_id,
        record.backend, record.pool, +record.is_stream, record.code, usage.input, usage.output, usage.cache_read,
        usage.cache_creation, usage.reasoning, usage.source.text, usage.cache_creation_1h, record.total_ms,
        record.overhead_us, record.config_version, record.client_ip,
    )
    values += (
        len(record.attempts), record.route, _list(considered) if considered else "[]", record.user_name,
        record.upstream_format, record.charged_at, record.price_origin,
        _NULL if first_byte_ms is None else first_byte_ms, _NULL if seed is None else seed,
        _NULL if rate_multiplier is None else rate_multiplier, _NULL if cost_nano is None else cost_nano,
        _NULL if actual_nano is None else actual_nano, _NULL if reserved_nano is None else reserved_nano,
        _NULL if user_id is None else user_id, segment,
    )
    # fmt: on
    if price is None:
        values += _NO_PRICE
    else:
        *prices, cache_creation_1h = astuple(price)
        values += prices
        values.append(_NULL if cache_creation_1h is None else cache_creation_1h)


def _rest(record: CallRecord) -> tuple[object, ...]:
    """What most calls have in common."""
    said = record.attribution
    # fmt: off
    return (
        record.status.text, record.source.text, record.error_code, record.error, said.session, said.agent,
        said.parent_agent, said.request_class, record.skips, record.dropped,
    )
    # fmt: on


def _add_attempt(values: list[object], of: tuple[str, Attempt]) -> None:
    _add_usual_attempt(values, of)
    values += _rest_of_attempt(of[1])


def _add_usual_attempt(values: list[object], of: tuple[str, Attempt]) -> None:
    call_id, attempt = of
    headers_ms, first_output_ms = attempt.headers_ms, attempt.first_output_ms
    # fmt: off
    values += (
        call_id, attempt.number, attempt.backend_id, attempt.backend, attempt.pool, attempt.upstream_model,
        attempt.started_ms, _NULL if headers_ms is None else headers_ms,
        _NULL if first_output_ms is None else first_output_ms, attempt.total_ms, attempt.api_format,
    )
    # fmt: on


def _rest_of_attempt(attempt: Attempt) -> tuple[object, ...]:
    """What most attempts have in common."""
    return attempt.outcome, attempt.status, attempt.error, attempt.rest_ms


def _list(found: object) -> str:
    return msgspec.json.encode(found).decode()
