"""What happened at endpoints, from the ledger: attempts that were made there, and calls that passed them by."""

from __future__ import annotations

import msgspec

from gateway.store.database import Tx

SKIPPED = "skipped"


class EndpointEvent(msgspec.Struct, frozen=True):
    """`at` is when the attempt began or the call came, Unix milliseconds. `outcome` is an attempt's, or SKIPPED.

    `latency_ms` is the wait for the first output, or for the end where there was none; None for a skip. `error` is
    what went wrong, or why it was passed by.
    """

    backend: str
    call_id: str
    at: int
    outcome: str
    status: int | None
    latency_ms: int | None
    error: str


async def newest(tx: Tx, endpoint_id: str, since: int, most: int) -> tuple[EndpointEvent, ...]:
    """At most `most` of the calls that started since then, newest first.

    Calls are walked from the newest on, until there are enough; asked for each endpoint by itself, so that one with
    much to tell leaves a quiet one its place. A backend that a call tried and then passed by was tried. Where attempts
    alone are enough, skips are looked for no further back than these: a busy endpoint that nobody passes by would
    otherwise have every call searched for skips.
    """
    async with tx.execute(
        """
        WITH tried AS MATERIALIZED (
          SELECT attempts.backend AS backend, calls.id AS call_id, calls.started_at + attempts.started_ms AS at,
                 attempts.outcome AS outcome, attempts.status AS status,
                 coalesce(attempts.first_output_ms, attempts.total_ms) AS latency_ms, attempts.error AS error,
                 calls.started_at AS started_at
          FROM calls CROSS JOIN attempts ON attempts.call_id = calls.id
          WHERE calls.started_at >= :since
            AND attempts.backend_id > :endpoint_id || ':' AND attempts.backend_id < :endpoint_id || ';'
          ORDER BY calls.started_at DESC LIMIT :most),
        enough AS MATERIALIZED (SELECT min(started_at) AS since FROM tried HAVING count(*) = :most)
        SELECT backend, call_id, at, outcome, status, latency_ms, error FROM tried
        UNION ALL
        SELECT backend, call_id, at, outcome, status, latency_ms, error FROM (
          SELECT skip.value ->> 'backend' AS backend, calls.id AS call_id, calls.started_at AS at,
                 :skipped AS outcome, NULL AS status, NULL AS latency_ms, skip.value ->> 'sentence' AS error
          FROM calls CROSS JOIN json_each(calls.skips) AS skip
          WHERE calls.started_at >= coalesce((SELECT since FROM enough), :since) AND calls.skips <> '[]'
            AND skip.value ->> 'backend_id' > :endpoint_id || ':' AND skip.value ->> 'backend_id' < :endpoint_id || ';'
            AND NOT EXISTS (
              SELECT 1 FROM attempts
              WHERE attempts.call_id = calls.id AND attempts.backend_id = skip.value ->> 'backend_id')
          ORDER BY calls.started_at DESC LIMIT :most)
        ORDER BY at DESC, call_id DESC LIMIT :most
        """,
        {"endpoint_id": endpoint_id, "since": since, "skipped": SKIPPED, "most": most},
    ) as rows:
        return tuple(EndpointEvent(*row) for row in await rows.fetchall())
