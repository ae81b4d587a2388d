"""`ledger verify`: whether every cost and every sum follows from the calls that were written down."""

from __future__ import annotations

import argparse
import asyncio

import msgspec

from gateway.errors import ConfigurationFault
from gateway.ops.verify_ledger import Verdict, verify
from gateway.settings import Settings
from gateway.store.database import open_reader


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Read the database, also while it is served. 0 where all is as it should be, else 1 with what differs."""
    if not settings.database.exists():
        raise ConfigurationFault([f"{settings.database}: there is no such database"])
    verdict = asyncio.run(_verify(settings))
    if arguments.json:
        print(msgspec.json.encode(verdict).decode())
    else:
        _print(verdict)
    return 0 if verdict.is_sound else 1


async def _verify(settings: Settings) -> Verdict:
    async with open_reader(settings.database) as tx:
        return await verify(tx)


def _print(verdict: Verdict) -> None:
    for line in verdict.differences:
        print(line)
    compared = (
        f"{verdict.calls} calls, {verdict.sums} sums of API keys and users, "
        f"{verdict.providers} providers, {verdict.balances} balances, {verdict.days} days of statistics"
    )
    if verdict.is_sound:
        print(f"All is as it should be: {compared}.")
    else:
        print(f"{len(verdict.differences)} differences in {compared}.")
