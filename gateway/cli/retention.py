"""`retention`: delete what is older or larger than is wanted, or with `--dry-run` only tell how much that is."""

from __future__ import annotations

import argparse
import asyncio
from datetime import UTC, datetime

import msgspec

from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.clock import SystemClock
from gateway.control import retention
from gateway.control.retention import Retention
from gateway.errors import ConfigurationFault
from gateway.ops import rollups
from gateway.ops.retention import Deleted, tidy
from gateway.settings import Settings
from gateway.store import system_settings
from gateway.store.database import open_reader


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """A gateway that runs does it by itself; to look is possible meanwhile.

    Raises ConfigurationFault where there is no database, DataDirectoryInUse where it is served.
    """
    if not settings.database.exists():
        raise ConfigurationFault([f"{settings.database}: there is no such database"])
    if arguments.dry_run:
        found = asyncio.run(_look(settings))
        print(msgspec.json.encode(found).decode() if arguments.json else _for_people(found))
        return 0
    with lock.hold(settings.data_dir):
        deleted = asyncio.run(_tidy(settings))
    told = {"requests": deleted.calls, "captures": deleted.captures}
    words = f"Deleted {deleted.calls} requests and {deleted.captures} captured parts."
    print(msgspec.json.encode(told).decode() if arguments.json else words)
    return 0


async def _look(settings: Settings) -> Retention:
    async with open_reader(settings.database) as tx:
        return await retention.of(tx, await system_settings.get(tx), SystemClock().wall_ms())


async def _tidy(settings: Settings) -> Deleted:
    async with offline_desk(settings) as desk:
        # What is not in the sums of hours and days is not deleted.
        await rollups.catch_up(desk.db, desk.clock)
        return await tidy(desk.db, desk.snapshot().settings, desk.clock.wall_ms())


def _for_people(found: Retention) -> str:
    days = "for good" if found.retention_days is None else f"for {found.retention_days} days"
    room = "" if found.retention_bytes is None else f", in at most {_size(found.retention_bytes)}"
    since = "" if found.oldest_at is None else f" since {datetime.fromtimestamp(found.oldest_at / 1000, UTC):%F}"
    return f"""\
Requests are kept {days}{room}; captured headers and bodies for {found.capture_days} days.
There are {found.requests} requests{since} and {found.captures} captured parts, in {_size(found.used_bytes)}.
Too old: {found.due_requests} requests, {found.due_captures} captured parts.
To make room: about {found.more_requests} more requests."""


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
