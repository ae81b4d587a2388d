"""Rows of `backend_states`: what must be remembered of a backend when the process is killed."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
from msgspec.structs import astuple

from gateway.store.database import Tx
from gateway.store.lots import lots


class StoredState(msgspec.Struct, frozen=True):
    """Times are Unix milliseconds; `resting_until` None means that it does not rest.

    `breaker_openings` 0 means that its breaker is closed. `score`, `first_output_ms` and `allowance` None: not known,
    or as many calls at once as come.
    """

    backend_id: str
    resting_until: int | None
    rest_reason: str
    rest_kind: str
    streak: int
    fault: str
    fault_at: int | None
    breaker_openings: int
    breaker_open_until: int | None
    updated_at: int
    score: float | None = None
    first_output_ms: float | None = None
    allowance: int | None = None


async def every(tx: Tx) -> tuple[StoredState, ...]:
    async with tx.execute(
        """
        SELECT backend_id, resting_until, rest_reason, rest_kind, streak, fault, fault_at,
               breaker_openings, breaker_open_until, updated_at, score, first_output_ms, allowance
        FROM backend_states ORDER BY backend_id
        """
    ) as rows:
        return tuple(StoredState(*row) for row in await rows.fetchall())


_STATES = lots(
    """
    INSERT OR FAIL INTO backend_states (backend_id, resting_until, rest_reason, rest_kind, streak, fault, fault_at,
                                        breaker_openings, breaker_open_until, updated_at, score, first_output_ms,
                                        allowance)
    """,
    """
    ON CONFLICT (backend_id) DO UPDATE SET
      resting_until = excluded.resting_until, rest_reason = excluded.rest_reason, rest_kind = excluded.rest_kind,
      streak = excluded.streak, fault = excluded.fault, fault_at = excluded.fault_at,
      breaker_openings = excluded.breaker_openings, breaker_open_until = excluded.breaker_open_until,
      updated_at = excluded.updated_at, score = excluded.score, first_output_ms = excluded.first_output_ms,
      allowance = excluded.allowance
    """,
)


async def save_many(tx: Tx, states: Iterable[StoredState]) -> None:
    """Write each, replacing what was stored of the same backend."""
    await _STATES.insert(tx, list(states), _add)


async def delete_many(tx: Tx, backend_ids: Iterable[str]) -> None:
    await tx.execute(
        "DELETE FROM backend_states WHERE backend_id IN (SELECT value FROM json_each(:ids))",
        {"ids": json.dumps(list(backend_ids))},
    )


def _add(values: list[object], state: StoredState) -> None:
    values += astuple(state)
