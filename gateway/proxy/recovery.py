"""After a crash: calls whose money was reserved and whose end was never written become ledger rows, and are charged.

A provider has taken what it was sent, so such a call is not free: its input is charged as it was estimated, or all that
was reserved where the operator wants that.
"""

from __future__ import annotations

import logging

from gateway.clock import Clock
from gateway.model.calls import CallRecord, CallStatus, Reservation, Usage, UsageSource
from gateway.routing.cost import cost_of
from gateway.routing.spends import DAY_MS, by_owner
from gateway.store import calls, last_uses, ledger_sums, pending_sums, reservations, retention, spends
from gateway.store.database import Database, Tx
from gateway.store.spends import DaySpend

log = logging.getLogger("gateway.ledger")
CRASHED_CODE = 500
_PROVED_AT_ONCE = 100_000
"""Calls; they take a quarter of a second."""


async def recover(db: Database, clock: Clock, *, was_left_open: bool, charges_all: bool = False) -> int:
    """Write down what a crash left over, in one transaction; how many calls that were.

    Where the database `was_left_open`, the sums of API keys and users are proved from the ledger, too, unless it is
    long (see proof.py). Its rows are right: a sum that differs is corrected, and said so.
    """
    async with db.write(is_durable=True) as tx:
        await pending_sums.settle(tx)
        found = await reservations.every(tx)
        rows = [crashed(one, clock.wall_ms(), charges_all=charges_all) for one in found]
        await calls.insert_many(tx, rows)
        await last_uses.save_many(tx, [(row.api_key_id, row.started_at) for row in rows if row.api_key_id])
        for row in rows:
            for one in _spends(row):
                await spends.add(tx, one)
        await reservations.delete_many(tx, [one.call_id for one in found])
        if (was_left_open or found) and await is_proved_at_once(tx):
            for key, nano in (await differences(tx)).items():
                await spends.add(tx, DaySpend(*key, nano))
    if rows:
        log.warning("the gateway did not stop by itself: %d calls are charged as crashed", len(rows))
    return len(rows)


async def is_proved_at_once(tx: Tx) -> bool:
    """Whether the ledger is short enough to go through it before anything is served."""
    return await retention.calls_since(tx, 0) <= _PROVED_AT_ONCE


async def differences(tx: Tx) -> dict[tuple[str, int], int]:
    """What kept sums lack of what their calls come to, by owner and day; says so where they do."""
    told = by_owner(await ledger_sums.by_day(tx))
    kept = await pending_sums.days(tx)
    wrong = {key: told.get(key, 0) - kept.get(key, 0) for key in told.keys() | kept.keys()}
    wrong = {key: nano for key, nano in wrong.items() if nano}
    if wrong:
        owners = sorted({owner for owner, _ in wrong})
        log.error("what %s spent is not what the calls come to; it is corrected by them", ", ".join(owners[:20]))
    return wrong


def crashed(found: Reservation, wall_ms: int, *, charges_all: bool) -> CallRecord:
    """The ledger row of a call whose end nobody saw."""
    output = found.output_tokens if charges_all else 0
    usage = Usage(input=found.input_tokens, output=output, source=UsageSource.ESTIMATED)
    return CallRecord(
        id=found.call_id,
        started_at=found.started_at,
        api_key_id=found.api_key_id,
        api_key_name=found.api_key_name,
        api_format=found.api_format,
        path=found.path,
        asked_model=found.asked_model,
        served_model=found.served_model,
        provider_id=None,
        provider="",
        backend_id=None,
        backend="",
        pool="",
        is_stream=found.is_stream,
        status=CallStatus.CRASHED,
        code=CRASHED_CODE,
        error_code="crashed",
        error="The gateway stopped while this call was under way; what it used is an estimate.",
        usage=usage,
        price=found.price,
        cost_nano=cost_of(usage, found.price),
        total_ms=max(0, wall_ms - found.started_at),
        first_byte_ms=None,
        overhead_us=0,
        config_version=found.config_version,
        client_ip=found.client_ip,
        attempts=(),
        skips=(),
        source=found.source,
        user_id=found.user_id,
        user_name=found.user_name,
        charged_at=found.charged_at,
        reserved_nano=found.reserved_nano,
        price_origin=found.price_origin,
    )


def _spends(row: CallRecord) -> list[DaySpend]:
    day = (row.charged_at // DAY_MS, row.api_key_id or "", row.user_id or "", row.cost_nano or 0)
    return [DaySpend(*key, nano) for key, nano in by_owner([day]).items()]
