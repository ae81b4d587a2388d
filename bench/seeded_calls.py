"""The calls of a made-up ledger: who made them, when, how they ended and what they took."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.store.segments import FULL

DAYS = 60
MODELS = (
    *("gpt-5", "gpt-5-mini", "gpt-4.1", "o4-mini", "claude-sonnet", "claude-haiku"),
    *("llama-70b", "llama-8b", "mistral-large", "mistral-small", "qwen-72b", "gemma-27b"),
)
UNPRICED = "gemma-27b"
RARE = 0.99999
"""One call in a hundred thousand crashed."""
LONG_SESSION = "session-long"
"""One call in fifty is of this session of a coding agent; as many again are of one of an hour each."""
DAY_MS = 24 * 3600 * 1000
_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Cast:
    """Callers are API key id and name, user id and name; backends endpoint, key and provider id, and the names."""

    callers: tuple[tuple[str, str, str | None, str], ...]
    backends: tuple[tuple[str, str, str, str, str], ...]


def write_calls(database: Path, cast: Cast, rows: int, rng: Random, now: int) -> None:
    """In one pass: the indexes are made anew at the end, which takes a third of keeping them up."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -200000")
    found = db.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'calls' AND type = 'index' AND sql <> ''")
    kept = found.fetchall()
    db.execute("BEGIN")
    for name, _ in kept:
        db.execute(f'DROP INDEX "{name}"')
    made = _calls(cast, sorted(_moments(rows, rng, now)), rng)
    calls: list[tuple[object, ...]] = []
    attempts: list[tuple[object, ...]] = []
    for number, (call, tries) in enumerate(made):
        calls.append((*call, number // FULL))
        attempts.extend(tries)
        if len(calls) == _BATCH:
            _insert(db, calls, attempts)
            calls, attempts = [], []
    _insert(db, calls, attempts)
    for _, sql in kept:
        db.execute(sql)
    db.execute(
        "INSERT INTO hours (hour, calls) SELECT started_at / 3600000 * 3600000 AS hour, count(*) FROM calls GROUP BY 1"
    )
    db.execute("DELETE FROM segments")
    db.execute(
        """
        INSERT INTO segments (number, after_id, calls)
        SELECT segment, coalesce(lag(max(id)) OVER (ORDER BY segment), ''), count(*) FROM calls GROUP BY segment
        """
    )
    db.execute(
        """
        INSERT INTO last_uses (api_key_id, at)
        SELECT api_key_id, max(started_at) FROM calls WHERE api_key_id IS NOT NULL GROUP BY api_key_id
        """
    )
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


_CALL_COLUMNS = (
    *("id", "started_at", "api_key_id", "api_key_name", "api_format", "path", "asked_model", "served_model"),
    *("provider_id", "provider", "backend_id", "backend", "pool", "is_stream", "status", "code", "error_code", "error"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens", "reasoning_tokens"),
    *("usage_source", "input_price", "output_price", "cache_read_price", "cache_creation_price", "request_price"),
    *("cost_nano", "total_ms", "first_byte_ms", "overhead_us", "config_version", "client_ip", "attempt_count", "skips"),
    *("source", "considered", "rate_multiplier", "actual_nano", "user_id", "user_name", "upstream_format"),
    *("charged_at", "agent_session", "agent_id", "parent_agent_id", "request_class", "segment"),
)
_ATTEMPT_COLUMNS = (
    *("call_id", "number", "backend_id", "backend", "pool", "upstream_model", "started_ms", "headers_ms"),
    *("first_output_ms", "total_ms", "outcome", "status", "error", "rest_ms"),
)


def _agent(at: int, fate: float, chance: float) -> tuple[str, str, str, str]:
    """What a coding agent said of the call; most calls are nobody's."""
    if not 0.4 < fate < 0.44:
        return "", "", "", ""
    session = LONG_SESSION if fate < 0.42 else f"session-{at // 3_600_000}"
    agent = int(chance * 5)
    return session, f"agent-{agent}", "agent-0" if agent else "", "subagent" if agent else "main"


def _insert(db: sqlite3.Connection, calls: list[tuple[object, ...]], attempts: list[tuple[object, ...]]) -> None:
    for table, columns, rows in (("calls", _CALL_COLUMNS, calls), ("attempts", _ATTEMPT_COLUMNS, attempts)):
        marks = ", ".join("?" * len(columns))
        db.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608  # names above


def _moments(rows: int, rng: Random, now: int) -> Iterator[int]:
    """When calls began: by day more than by night, on working days more than at weekends."""
    begin = now - DAYS * DAY_MS
    made = 0
    while made < rows:
        at = begin + int(rng.random() * DAYS * DAY_MS)
        hour, weekday = at // 3_600_000 % 24, (at // DAY_MS + 3) % 7
        likely = (0.55 - 0.45 * math.cos((hour - 2) / 24 * math.tau)) * (0.4 if weekday > 4 else 1)
        if rng.random() < likely:
            made += 1
            yield at


_FAILURES = (
    (502, "upstream_failed", "The provider answered 500: internal error"),
    (504, "upstream_timeout", "No first byte within 60 s"),
    (429, "rate_limited", "Every backend rests after a limit"),
    (400, "invalid_request_error", "The provider says that max_tokens is too large"),
)
_DENIALS = (
    (401, "invalid_api_key", "This API key is not valid."),
    (402, "budget_exhausted", "The API key has spent its monthly budget."),
    (404, "model_not_found", "There is no model gpt-6; did you mean gpt-5?"),
)
Made = tuple[tuple[object, ...], list[tuple[object, ...]]]


def _calls(cast: Cast, moments: Sequence[int], rng: Random) -> Iterator[Made]:
    callers = [caller for number, caller in enumerate(cast.callers) for _ in range(1 + 60 // (number + 2))]
    codes = [code for number, code in enumerate(MODELS) for _ in range(len(MODELS) - number)]
    backends = [backend for number, backend in enumerate(cast.backends) for _ in range(len(cast.backends) - number)]
    considered = [
        json.dumps([_considered(one) for one in cast.backends[start:][:3]]) for start in range(len(cast.backends))
    ]
    chance = rng.random
    for number, at in enumerate(moments):
        call_id = f"req_{at:012x}{number:014x}"
        caller = callers[int(chance() * len(callers))]
        code = codes[int(chance() * len(codes))]
        fate = chance()
        if fate < 0.03:
            yield _denied(call_id, at, caller, code, number), []
            continue
        place = int(chance() * len(backends))
        plan = considered[place % len(cast.backends)]
        yield _sent(call_id, at, caller, code, backends[place], fate, plan, chance())


def _considered(backend: tuple[str, str, str, str, str]) -> dict[str, str]:
    endpoint_id, key_id, _, provider, key = backend
    shown = {"backend_id": f"{endpoint_id}:{key_id}", "backend": f"{provider}/{key}", "pool": "primary"}
    return {**shown, "upstream_model": "upstream", "why": ""}


def _denied(
    call_id: str, at: int, caller: tuple[str, str, str | None, str], model: str, number: int
) -> tuple[object, ...]:
    code, error_code, error = _DENIALS[number % len(_DENIALS)]
    key_id, key_name, user_id, user_name = (None, "", None, "") if code == 401 else caller
    served = "" if code == 404 else model
    return (
        *(call_id, at, key_id, key_name, "openai_chat", "/v1/chat/completions", model, served),
        *(None, "", None, "", "", 0, "failed", code, error_code, error, 0, 0, 0, 0, 0, "none"),
        *(None, None, None, None, None, 0, 1, None, 300, 1, "192.0.2.1", 0, "[]", "API", "[]", None, 0),
        *(user_id, user_name, "", at, "", "", "", ""),
    )


def _sent(  # noqa: PLR0913
    call_id: str,
    at: int,
    caller: tuple[str, str, str | None, str],
    model: str,
    backend: tuple[str, str, str, str, str],
    fate: float,
    plan: str,
    chance: float,
) -> Made:
    key_id, key_name, user_id, user_name = caller
    endpoint_id, provider_key_id, provider_id, provider, provider_key = backend
    backend_id, backend_name = f"{endpoint_id}:{provider_key_id}", f"{provider}/{provider_key}"
    status, code, error_code, error = "completed", 200, "", ""
    if fate < 0.07:
        code, error_code, error = _FAILURES[int(chance * 4)]
        status = "failed"
    elif fate < 0.085:
        status, code = "cancelled", 499
    elif fate > RARE:
        status, code, error_code, error = (
            "crashed",
            500,
            "crashed",
            "The gateway stopped while this call was under way.",
        )
    first = None if status == "failed" else int(90 + 700 * chance**4 + 40 * fate)
    total = 60_000 if code == 504 else (first or 200) + int(3000 * chance**2)
    read, written = (0, 0) if status == "failed" else (int(200 + 4000 * chance), int(50 + 900 * chance**2))
    cached = read // 3 if fate > 0.7 else 0
    priced = model != UNPRICED and written
    cost = (1250 * (read - cached) + 125 * cached + 10_000 * written) if priced else (None if written else 0)
    price = (1_250_000_000, 10_000_000_000, 125_000_000, 1_560_000_000, 0) if priced else (None,) * 5
    tries = 2 if 0.1 < fate < 0.14 else 1
    call = (
        *(call_id, at, key_id, key_name, "openai_chat", "/v1/chat/completions", model, model),
        *(provider_id, provider, backend_id, backend_name, "primary", int(chance < 0.6), status, code, error_code),
        *(error, read - cached, written, cached, 0, written // 5 if fate > 0.8 else 0),
        *("reported" if written else "none", *price, cost, total, first, 280, 1, "192.0.2.1", tries),
        *(_SKIPS if 0.14 < fate < 0.17 else "[]", "TEST" if fate > 0.999 else "API", plan, 1_000_000, cost),
        *(user_id, user_name, "openai_chat", at + total, *_agent(at, fate, chance)),
    )
    own = (backend_id, backend_name, "primary", model)
    outcome = "ok" if status == "completed" else "abandoned" if status == "cancelled" else "failed"
    last = (call_id, tries, *own, 2, first and first - 5, first, total, outcome, code, error, None)
    if tries == 1:
        return call, [last]
    return call, [(call_id, 1, *own, 1, 40, None, 45, "rate_limited", 429, "Rate limit reached", 5000), last]


_SKIPS = json.dumps(
    [
        {
            "backend_id": "gone:gone",
            "backend": "gone/main",
            "pool": "primary",
            "reason": "cooling",
            "sentence": "It rests for 3.5 s more.",
            "seconds": 3.5,
        }
    ]
)
