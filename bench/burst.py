"""Many calls in the hour that runs, written into a seeded directory as the gateway writes them: they wait to be summed.

    python -m bench.burst DIRECTORY --calls 30000

They are copies of the newest ones there. Nothing may serve the directory meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from random import Random

from gateway.cli import lock
from gateway.cli.offline import offline_desk
from gateway.control.desk import Desk
from gateway.model.sums import HOUR_MS, MINUTE_MS
from gateway.settings import Settings
from gateway.store import rollups
from gateway.store.database import Tx

CALLS = 30_000
_BATCH = 250
_MINUTES = 30


async def write(desk: Desk, calls: int) -> None:
    """Evenly over the last half hour, or what there is of the hour."""
    now = desk.clock.wall_ms()
    since = max(now - _MINUTES * MINUTE_MS, now // HOUR_MS * HOUR_MS)
    async with desk.db.read() as tx:
        models = await _newest(tx, calls)
    moments = [since + (now - since) * number // calls for number in range(calls)]
    rng = Random(now)
    made = [
        (f"req_{at:012x}{rng.getrandbits(56):014x}", at, models[number % len(models)])
        for number, at in enumerate(moments)
    ]
    for start in range(0, calls, _BATCH):
        async with desk.db.write() as tx:
            await rollups.count_new(tx, {call_id: at for call_id, at, _ in made[start : start + _BATCH]})
            for table, own in (("calls", ("id", "started_at", "charged_at")), ("attempts", ("call_id",))):
                await _copy(tx, table, own, made[start : start + _BATCH])
        await desk.db.checkpoint_if_large()


async def _newest(tx: Tx, most: int) -> list[str]:
    async with tx.execute("SELECT id FROM calls ORDER BY id DESC LIMIT ?", (most,)) as rows:
        return [row[0] for row in await rows.fetchall()]


async def _copy(tx: Tx, table: str, own: tuple[str, ...], made: list[tuple[str, int, str]]) -> None:
    async with tx.execute(f"SELECT name FROM pragma_table_info('{table}')") as rows:  # noqa: S608  # names above
        rest = [row[0] for row in await rows.fetchall() if row[0] not in own]
    marks = ", ".join("?" * len(own))
    await tx.executemany(
        f"INSERT INTO {table} ({', '.join((*own, *rest))}) SELECT {marks}, {', '.join(rest)} FROM {table} "  # noqa: S608
        f"WHERE {own[0]} = ?",
        [(*(call_id, at, at)[: len(own)], copied) for call_id, at, copied in made],
    )


async def _write(settings: Settings, calls: int) -> None:
    async with offline_desk(settings) as desk:
        await write(desk, calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--calls", type=int, default=CALLS)
    arguments = parser.parse_args()
    settings = Settings(data_dir=arguments.directory.absolute())
    with lock.hold(settings.data_dir):
        asyncio.run(_write(settings, arguments.calls))
    print(f"{arguments.calls:,} calls in the hour that runs")


if __name__ == "__main__":
    main()
