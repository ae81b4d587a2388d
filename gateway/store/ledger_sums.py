"""What the ledger's rows come to, for comparing with the sums that are kept of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec

from gateway.model.calls import CallStatus, Usage, UsageSource
from gateway.model.registry import Price
from gateway.store.database import Tx

_AT_A_TIME = 5000


class Priced(msgspec.Struct, frozen=True):
    """What a row's cost is made of."""

    id: str
    status: CallStatus
    usage: Usage
    price: Price | None
    cost_nano: int | None
    rate_multiplier: int | None
    actual_nano: int | None


async def by_day(tx: Tx) -> tuple[tuple[int, str, str, int], ...]:
    """Days since 1970 (UTC), API key and user (empty for none), and what their calls cost in nano-dollars.

    Of the rows that are there, and of those that were deleted since.
    """
    async with tx.execute(
        """
        SELECT day, api_key_id, user_id, sum(cost_nano) FROM (
          SELECT charged_at / 86400000 AS day, coalesce(api_key_id, '') AS api_key_id,
                 coalesce(user_id, '') AS user_id, cost_nano
          FROM calls WHERE cost_nano > 0
          UNION ALL
          SELECT day, api_key_id, user_id, cost_nano FROM carried_spends)
        GROUP BY day, api_key_id, user_id
        """
    ) as rows:
        return tuple((row[0], row[1], row[2], row[3]) for row in await rows.fetchall())


async def of_provider(tx: Tx, provider_id: str, since: int) -> tuple[int, int]:
    """The actual cost of calls charged at `since` (Unix ms) or later; and of deleted ones that may be among them."""
    async with tx.execute(
        """
        SELECT (SELECT coalesce(sum(actual_nano), 0) FROM calls
                WHERE provider_id = :provider AND charged_at >= :since)
               + (SELECT coalesce(sum(actual_nano), 0) FROM carried_spends
                  WHERE provider_id = :provider AND day > :since / 86400000),
               (SELECT coalesce(sum(actual_nano), 0) FROM carried_spends
                WHERE provider_id = :provider AND day = :since / 86400000)
        """,
        {"provider": provider_id, "since": since},
    ) as rows:
        row = await rows.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def settled_reservations(tx: Tx) -> tuple[str, ...]:
    """Ids of calls that are in the ledger and still have a reservation; there should be none."""
    async with tx.execute("SELECT call_id FROM reservations WHERE call_id IN (SELECT id FROM calls)") as rows:
        return tuple(row[0] for row in await rows.fetchall())


async def priced(tx: Tx) -> AsyncIterator[Priced]:
    """Every row that cost something, was unpriced or used tokens, by id."""
    after = ""
    while True:
        async with tx.execute(
            """
            SELECT id, status, input_tokens, output_tokens, cache_read_tokens, cache_creation_tokens,
                   reasoning_tokens, usage_source, input_price, output_price, cache_read_price,
                   cache_creation_price, request_price, cost_nano, rate_multiplier, actual_nano,
                   cache_creation_1h_tokens, cache_creation_1h_price
            FROM calls WHERE id > :after ORDER BY id LIMIT :limit
            """,
            {"after": after, "limit": _AT_A_TIME},
        ) as rows:
            found = list(await rows.fetchall())
        for row in found:
            yield Priced(
                id=row[0],
                status=CallStatus(row[1]),
                usage=Usage(
                    input=row[2],
                    output=row[3],
                    cache_read=row[4],
                    cache_creation=row[5],
                    reasoning=row[6],
                    source=UsageSource(row[7]),
                    cache_creation_1h=row[16],
                ),
                price=None if row[8] is None else Price(row[8], row[9], row[10], row[11], row[12], row[17]),
                cost_nano=row[13],
                rate_multiplier=row[14],
                actual_nano=row[15],
            )
        if len(found) < _AT_A_TIME:
            return
        after = found[-1][0]
