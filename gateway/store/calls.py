"""The ledger: one row per call and one per attempt. Rows are written once and never changed.

Ids begin with their time, so newest first is simply the highest id first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict

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
from gateway.store import rollups
from gateway.store.call_search import CallFilter, search
from gateway.store.database import Tx
from gateway.store.models import price_of


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


async def insert_many(tx: Tx, records: Sequence[CallRecord]) -> None:
    """Write calls with their attempts. A call that is already there is left as it is."""
    await rollups.count_new(tx, {record.id: record.started_at for record in records})
    await tx.executemany(
        """
        INSERT INTO calls (id, started_at, api_key_id, api_key_name, api_format, path, asked_model,
                           served_model, provider_id, provider, backend_id, backend, pool, is_stream,
                           status, code, error_code, error, input_tokens, output_tokens, cache_read_tokens,
                           cache_creation_tokens, reasoning_tokens, usage_source, input_price, output_price,
                           cache_read_price, cache_creation_price, request_price, cost_nano, total_ms,
                           first_byte_ms, overhead_us, config_version, client_ip, attempt_count, skips, source,
                           route, seed, considered, rate_multiplier, actual_nano, user_id, user_name, upstream_format,
                           charged_at, reserved_nano, cache_creation_1h_tokens, cache_creation_1h_price,
                           price_origin, dropped, agent_session, agent_id, parent_agent_id, request_class)
        VALUES (:id, :started_at, :api_key_id, :api_key_name, :api_format, :path, :asked_model, :served_model,
                :provider_id, :provider, :backend_id, :backend, :pool, :is_stream, :status, :code,
                :error_code, :error, :input_tokens, :output_tokens, :cache_read_tokens,
                :cache_creation_tokens, :reasoning_tokens, :usage_source, :input_price, :output_price,
                :cache_read_price, :cache_creation_price, :request_price, :cost_nano, :total_ms,
                :first_byte_ms, :overhead_us, :config_version, :client_ip, :attempt_count, :skips, :source,
                :route, :seed, :considered, :rate_multiplier, :actual_nano, :user_id, :user_name, :upstream_format,
                :charged_at, :reserved_nano, :cache_creation_1h_tokens, :cache_creation_1h_price,
                :price_origin, :dropped, :agent_session, :agent_id, :parent_agent_id, :request_class)
        ON CONFLICT DO NOTHING
        """,
        [_columns(record) for record in records],
    )
    await tx.executemany(
        """
        INSERT INTO attempts (call_id, number, backend_id, backend, pool, upstream_model, started_ms,
                              headers_ms, first_output_ms, total_ms, outcome, status, error, rest_ms,
                              api_format)
        VALUES (:call_id, :number, :backend_id, :backend, :pool, :upstream_model, :started_ms, :headers_ms,
                :first_output_ms, :total_ms, :outcome, :status, :error, :rest_ms, :api_format)
        ON CONFLICT DO NOTHING
        """,
        [{"call_id": record.id, **asdict(attempt)} for record in records for attempt in record.attempts],
    )


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


async def last_uses(tx: Tx) -> dict[str, int]:
    """When each API key was last used, by its id; keys that never were are left out."""
    async with tx.execute(
        """
        SELECT id,
               (SELECT started_at FROM calls WHERE api_key_id = api_keys.id ORDER BY id DESC LIMIT 1) AS last
        FROM api_keys WHERE last IS NOT NULL
        """
    ) as rows:
        return {row[0]: row[1] for row in await rows.fetchall()}


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


def _shown(one: Considered) -> dict[str, str]:
    # Written with every call: asdict, which copies deeply, takes four times as long.
    return {
        "backend_id": one.backend_id,
        "backend": one.backend,
        "pool": one.pool,
        "upstream_model": one.upstream_model,
        "why": one.why,
        "api_format": one.api_format,
    }


def _columns(record: CallRecord) -> dict[str, object]:
    usage, price = record.usage, record.price
    return {
        "id": record.id,
        "started_at": record.started_at,
        "api_key_id": record.api_key_id,
        "api_key_name": record.api_key_name,
        "api_format": record.api_format,
        "path": record.path,
        "asked_model": record.asked_model,
        "served_model": record.served_model,
        "provider_id": record.provider_id,
        "provider": record.provider,
        "backend_id": record.backend_id,
        "backend": record.backend,
        "pool": record.pool,
        "is_stream": record.is_stream,
        "status": record.status.value,
        "code": record.code,
        "error_code": record.error_code,
        "error": record.error,
        "input_tokens": usage.input,
        "output_tokens": usage.output,
        "cache_read_tokens": usage.cache_read,
        "cache_creation_tokens": usage.cache_creation,
        "reasoning_tokens": usage.reasoning,
        "usage_source": usage.source.value,
        "input_price": price and price.input,
        "output_price": price and price.output,
        "cache_read_price": price and price.cache_read,
        "cache_creation_price": price and price.cache_creation,
        "request_price": price and price.per_request,
        "cost_nano": record.cost_nano,
        "total_ms": record.total_ms,
        "first_byte_ms": record.first_byte_ms,
        "overhead_us": record.overhead_us,
        "config_version": record.config_version,
        "client_ip": record.client_ip,
        "attempt_count": len(record.attempts),
        "skips": json.dumps([asdict(skip) for skip in record.skips]),
        "source": record.source.value,
        "route": record.route,
        "seed": record.seed,
        "considered": json.dumps([_shown(one) for one in record.considered]),
        "rate_multiplier": record.rate_multiplier,
        "actual_nano": record.actual_nano,
        "user_id": record.user_id,
        "user_name": record.user_name,
        "upstream_format": record.upstream_format,
        "charged_at": record.charged_at,
        "reserved_nano": record.reserved_nano,
        "cache_creation_1h_tokens": usage.cache_creation_1h,
        "cache_creation_1h_price": price and price.cache_creation_1h,
        "price_origin": record.price_origin,
        "dropped": json.dumps(record.dropped),
        "agent_session": record.attribution.session,
        "agent_id": record.attribution.agent,
        "parent_agent_id": record.attribution.parent_agent,
        "request_class": record.attribution.request_class,
    }
