"""What else grows with use: the audit log, captured parts, kept answers, reports of use, tests of models."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

from bench.seeded_calls import DAY_MS, DAYS, Cast
from gateway.model.audit import Entry, chained
from gateway.model.people import Actor

AUDIT_ROWS = 50_000
REPORTS = 50_000
TESTS = 500


def write_rest(database: Path, cast: Cast, calls: int, now: int) -> None:
    """As long a history as sixty days of a busy team have; parts and kept answers for one call in fifty."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN")
    _audit(db, now)
    ids = [row[0] for row in db.execute("SELECT id FROM calls ORDER BY id DESC LIMIT :most", {"most": calls // 50})]
    _of_calls(db, cast, ids, now)
    _of_models(db, now)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def _audit(db: sqlite3.Connection, now: int) -> None:
    """A chain that verifies, after the rows that setting up left."""
    seq, last = db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    step = DAYS * DAY_MS // AUDIT_ROWS
    rows = []
    for number in range(AUDIT_ROWS):
        name = f"user{number % 20:02d}"
        actor = Actor("user", name, name, "192.0.2.1")
        kind = ("provider_key", "api_key", "model", "user")[number % 4]
        shown = json.dumps({"name": f"thing {number % 500}", "rpm_limit": number % 100, "is_active": True})
        entry = Entry(
            now + (number - AUDIT_ROWS) * step, actor, "update", kind, f"{number % 500:032x}", shown, shown, 1
        )
        seq += 1
        last = chained(last or hashlib.sha256().digest(), seq, entry)
        rows.append((seq, entry.at, actor.kind, actor.id, actor.name, actor.ip, entry.action, kind, entry.object_id,
                     shown, shown, 1, last))  # fmt: skip
    db.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _of_calls(db: sqlite3.Connection, cast: Cast, ids: list[str], now: int) -> None:
    sealed = b"\x00" * 400
    parts = ("request_headers", "request_body", "response_headers", "response_body")
    db.executemany(
        "INSERT INTO captures (call_id, part, at, size, is_cut, sealed) VALUES (?, ?, ?, 1000, 0, ?)",
        ((call_id, part, now - number, sealed) for number, call_id in enumerate(ids) for part in parts),
    )
    key_id, _, user_id, _ = cast.callers[0]
    endpoint_id, provider_key_id, *_ = cast.backends[0]
    db.executemany(
        "INSERT INTO stored_responses VALUES (?, ?, ?, ?, 'gpt-5', ?)",
        (
            (f"resp_{number:020d}", key_id, user_id, f"{endpoint_id}:{provider_key_id}", now - number * 1000)
            for number in range(len(ids))
        ),
    )


def _of_models(db: sqlite3.Connection, now: int) -> None:
    models = [row[0] for row in db.execute("SELECT id FROM models ORDER BY id")]
    span = DAYS * DAY_MS
    db.executemany(
        "INSERT INTO usage_reports VALUES (?, ?, ?, 'batch', 10, 9, 1000, 500, 12345, ?, 'seed')",
        (
            (f"{number:032x}", models[number % len(models)], now - number * span // REPORTS, now)
            for number in range(REPORTS)
        ),
    )
    for number in range(TESTS):
        model, at = models[number % len(models)], now - number * span // TESTS
        db.execute(
            "INSERT INTO model_checks VALUES (?, ?, ?, 'models', 'HEALTHY', '', 80, '[]', 'seed')",
            (f"{number:032x}", model, at),
        )
        db.execute(
            "INSERT INTO model_tests VALUES (?, ?, ?, ?, 'PASSED', 'openai/main', 'pong', '', 8, 2, 0, 300, 'seed')",
            (f"{number:032x}", model, f"req_{number:026d}", at),
        )
