"""Proves the ledger: every cost follows from its tokens and prices, and every sum that is kept from its rows."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from gateway.control import sums_proof
from gateway.money import exact_dollars
from gateway.routing.cost import at_rate, cost_of
from gateway.routing.spends import by_owner
from gateway.store import api_keys, ledger_sums, pending_sums, providers, top_ups
from gateway.store.database import Tx
from gateway.store.ledger_sums import Priced

_MOST_TOLD = 20
_FIRST_DAY = date(1970, 1, 1)


class Verdict(msgspec.Struct):
    """How many of each were compared, and a line for each that differs."""

    calls: int = 0
    sums: int = 0
    providers: int = 0
    balances: int = 0
    days: int = 0
    differences: list[str] = msgspec.field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        return not self.differences


async def verify(tx: Tx) -> Verdict:
    """Compare everything in one view of the database."""
    verdict = Verdict()
    await _calls(tx, verdict)
    await _sums(tx, verdict)
    await _providers(tx, verdict)
    await _balances(tx, verdict)
    verdict.days, unequal = await sums_proof.differences(tx)
    verdict.differences += unequal
    for call_id in await ledger_sums.settled_reservations(tx):
        verdict.differences.append(f"call {call_id} is in the ledger and money is still reserved for it")
    return verdict


async def _calls(tx: Tx, verdict: Verdict) -> None:
    wrong = 0
    async for row in ledger_sums.priced(tx):
        verdict.calls += 1
        fault = fault_of(row)
        if fault:
            wrong += 1
            if wrong <= _MOST_TOLD:
                verdict.differences.append(f"call {row.id}: {fault}")
    if wrong > _MOST_TOLD:
        verdict.differences.append(f"{wrong - _MOST_TOLD} more calls do not cost what their tokens and prices come to")


def fault_of(row: Priced) -> str:
    """What is wrong with a row's costs; empty where nothing is."""
    cost = cost_of(row.usage, row.price)
    if cost != row.cost_nano:
        return f"costs {_dollars(row.cost_nano)}, but its tokens and prices come to {_dollars(cost)}"
    if row.rate_multiplier is None or row.cost_nano is None:
        return ""
    actual = at_rate(row.cost_nano, row.rate_multiplier)
    if actual != row.actual_nano:
        return f"actually costs {_dollars(row.actual_nano)}, but its multiplier makes it {_dollars(actual)}"
    return ""


async def _sums(tx: Tx, verdict: Verdict) -> None:
    told = by_owner(await ledger_sums.by_day(tx))
    kept = await pending_sums.days(tx)
    verdict.sums = len(kept)
    for key in sorted(told.keys() | kept.keys()):
        if told.get(key, 0) != kept.get(key, 0):
            owner, day = key
            verdict.differences.append(
                f"{owner} spent {_dollars(kept.get(key, 0))} on {_FIRST_DAY + timedelta(days=day)}, "
                f"but its calls come to {_dollars(told.get(key, 0))}"
            )


async def _providers(tx: Tx, verdict: Verdict) -> None:
    names = {provider.id: provider.name for provider in await providers.every(tx)}
    for spend in await pending_sums.at_providers(tx):
        if spend.provider_id not in names:
            continue
        verdict.providers += 1
        exact, uncertain = await ledger_sums.of_provider(tx, spend.provider_id, spend.since)
        if not exact <= spend.used_nano <= exact + uncertain:
            verdict.differences.append(
                f"provider {names[spend.provider_id]} used {_dollars(spend.used_nano)} since {spend.since}, "
                f"but its calls come to {_dollars(exact)}"
            )


async def _balances(tx: Tx, verdict: Verdict) -> None:
    paid = await top_ups.sums(tx)
    for key in await api_keys.every(tx):
        if key.credited_nano is None and key.id not in paid:
            continue
        verdict.balances += 1
        if key.credited_nano != paid.get(key.id):
            verdict.differences.append(
                f"API key {key.name} was credited {_dollars(key.credited_nano)}, "
                f"but {_dollars(paid.get(key.id))} were paid in"
            )


def _dollars(nano: int | None) -> str:
    return "nothing known" if nano is None else f"${exact_dollars(nano)}"
