"""Rows of `provider_spend`: what was spent at each provider since its quota last began anew."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import asdict

from gateway.store.database import Tx
from gateway.store.lots import lots


class StoredSpend(msgspec.Struct, frozen=True):
    """Nano-dollars since `since` (Unix ms)."""

    provider_id: str
    used_nano: int
    since: int


async def every(tx: Tx) -> tuple[StoredSpend, ...]:
    async with tx.execute("SELECT provider_id, used_nano, since FROM provider_spend ORDER BY provider_id") as rows:
        return tuple(StoredSpend(*row) for row in await rows.fetchall())


_SPENDS = lots(
    "INSERT OR FAIL INTO provider_spend (provider_id, used_nano, since)",
    """
    ON CONFLICT (provider_id) DO UPDATE SET used_nano = excluded.used_nano, since = excluded.since
    WHERE excluded.since >= provider_spend.since
    """,
)


async def save_many(tx: Tx, spends: Iterable[StoredSpend]) -> None:
    """Write each as the new sum, so that writing the same twice counts once. One of a period that is over is late."""
    await _SPENDS.insert(tx, list(spends), _add)


async def begin_anew(tx: Tx, spend: StoredSpend) -> None:
    """Write it whatever is there, also where the clock was set back."""
    await tx.execute(
        """
        INSERT INTO provider_spend (provider_id, used_nano, since) VALUES (:provider_id, :used_nano, :since)
        ON CONFLICT (provider_id) DO UPDATE SET used_nano = excluded.used_nano, since = excluded.since
        """,
        asdict(spend),
    )


def _add(values: list[object], spend: StoredSpend) -> None:
    values += (spend.provider_id, spend.used_nano, spend.since)
