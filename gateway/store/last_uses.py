"""Rows of `last_uses`: when each API key was last used, which stays when its calls are deleted."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.store.database import Tx
from gateway.store.lots import lots

_USES = lots(
    "INSERT OR FAIL INTO last_uses (api_key_id, at)",
    "ON CONFLICT (api_key_id) DO UPDATE SET at = max(at, excluded.at)",
)


async def save_many(tx: Tx, uses: Iterable[tuple[str, int]]) -> None:
    """API keys, and when calls with them began (Unix ms). What is there already is never made earlier."""
    latest = dict(sorted(uses))  # of each key the last one, which is the latest
    await _USES.insert(tx, list(latest.items()), _add)


async def every(tx: Tx) -> dict[str, int]:
    """Unix milliseconds by the id of the API key; keys that were never used are left out."""
    async with tx.execute("SELECT api_key_id, at FROM last_uses") as rows:
        return {row[0]: row[1] for row in await rows.fetchall()}


def _add(values: list[object], use: tuple[str, int]) -> None:
    values += use
