"""What writing a call down costs: rows a second, and CPU time a row of all threads together.

    python -m bench.ledger [--rows 20000] [--rounds 3]

Calls are made beforehand and handed to the real ledger on a new database: as many as there are at once, and so many a
second. Each has one attempt, a plan of two backends, the money of its key and its user, and a bucket that changed.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from gateway.clock import SystemClock
from gateway.ids import new_id
from gateway.model.calls import Attempt, CallRecord, CallStatus, Considered, Usage, UsageSource
from gateway.model.registry import Price
from gateway.proxy.ledger import Entry, Ledger, open_ledger
from gateway.routing.buckets import TokenBucket
from gateway.routing.state import RuntimeState
from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend
from gateway.store.uncounted import count_no_memory

KEYS, MODELS = 40, 8
PACES = (50, 1000, 4000)
"""Calls a second."""
SECONDS = 3.0
BACKEND = f"{'e' * 32}:{'k' * 32}"
HELD = 200_000
"""Rows that are there before: indexes have depth then."""


@dataclass(frozen=True, slots=True)
class Cost:
    rows: int
    seconds: float
    cpu: float

    def __str__(self) -> str:
        return f"{self.rows / self.seconds:,.0f} | {self.cpu / self.rows * 1e6:.1f}"


def entries(start: int, count: int, now: int) -> Iterator[Entry]:
    """The n-th call and those after it, a millisecond apart."""
    price = Price(1_250_000_000, 10_000_000_000, 125_000_000, 1_560_000_000, 0)
    for number in range(start, start + count):
        key, model = f"{number % KEYS:032x}", f"model-{number % MODELS}"
        provider, at = f"{number % 3:032x}", now + number
        names = [(f"{provider}:{'k' * 32}", "openai/main"), (f"{'e' * 32}:{'j' * 32}", "groq/spare")]
        row = CallRecord(
            id=f"req_{at:012x}{number:014x}",
            started_at=at,
            api_key_id=key,
            api_key_name=f"app-{number % KEYS}",
            api_format="openai_chat",
            path="/v1/chat/completions",
            asked_model=model,
            served_model=model,
            provider_id=provider,
            provider="openai",
            backend_id=names[0][0],
            backend=names[0][1],
            pool="primary",
            is_stream=bool(number % 2),
            status=CallStatus.COMPLETED,
            code=200,
            error_code="",
            error="",
            usage=Usage(120 + number % 900, 60, source=UsageSource.REPORTED),
            price=price,
            cost_nano=750_000,
            total_ms=900,
            first_byte_ms=240,
            overhead_us=210,
            config_version=12,
            client_ip="192.0.2.1",
            attempts=(Attempt(1, *names[0], "primary", model, 1, 230, 240, 899, "ok", 200, "", None, "openai_chat"),),
            skips=(),
            seed=number,
            considered=tuple(Considered(*name, "primary", model, "", "openai_chat") for name in names),
            rate_multiplier=1_000_000,
            actual_nano=750_000,
            user_id=f"{number % 20:032x}",
            user_name=f"user{number % 20}",
            upstream_format="openai_chat",
            charged_at=at,
            price_origin="model v7",
        )
        spent = tuple(DaySpend(owner, 0, number) for owner in (f"api_key:{key}", f"user:{row.user_id}"))
        yield Entry(row, StoredSpend(provider, number, 0), spent)


async def at_once(ledger: Ledger, rows: Sequence[Entry]) -> Cost:
    began, cpu = time.perf_counter(), time.process_time()
    for entry in rows:
        ledger.record(entry)
    await ledger.flush()
    return Cost(len(rows), time.perf_counter() - began, time.process_time() - cpu)


async def paced(ledger: Ledger, state: RuntimeState, rows: Sequence[Entry], pace: int) -> Cost:
    """Evenly, a few of them each time the loop wakes up; what waking up takes is taken off."""
    idle = await _cpu_of_waiting(pace, len(rows))
    began, cpu = time.perf_counter(), time.process_time()
    done = 0
    while done < len(rows):
        due = min(len(rows), int((time.perf_counter() - began) * pace) + 1)
        for entry in rows[done:due]:
            name = f"key:{entry.row.api_key_id}:rpm"
            state.buckets[name].level -= 1
            state.dirty.buckets.add(name)
            state.dirty.backends.add(BACKEND)
            ledger.record(entry)
        done = due
        await asyncio.sleep(0.001)
    await ledger.flush()
    return Cost(len(rows), time.perf_counter() - began, time.process_time() - cpu - idle)


async def _cpu_of_waiting(pace: int, rows: int) -> float:
    cpu, until = time.process_time(), time.perf_counter() + rows / pace
    while time.perf_counter() < until:  # noqa: ASYNC110  # waiting is what is measured
        await asyncio.sleep(0.001)
    return time.process_time() - cpu


async def measure(path: Path, rows: int, rounds: int) -> None:
    state, clock, start = RuntimeState(), SystemClock(), 0
    now = clock.wall_ms()
    for number in range(KEYS):
        state.buckets[f"key:{number:032x}:rpm"] = TokenBucket.full(1_000_000, clock.mono())
    state.of(BACKEND).score = 0.5
    async with open_database(path) as db, open_ledger(db, state, clock) as ledger:
        start = await _fill(db, ledger, now)
        print("| load | rows/s | CPU µs/row |\n| --- | ---: | ---: |")
        found = []
        for _ in range(rounds):
            found.append(await at_once(ledger, list(entries(start, rows, now))))
            start += rows
        print(f"| {rows:,} at once | {_middle(found)} |")
        for pace in PACES:
            found, count = [], max(20, int(pace * SECONDS))
            for _ in range(rounds):
                found.append(await paced(ledger, state, list(entries(start, count, now)), pace))
                start += count
            print(f"| {pace:,} a second | {_middle(found)} |", flush=True)


async def _fill(db: Database, ledger: Ledger, now: int) -> int:
    for start in range(0, HELD, 10_000):
        await at_once(ledger, list(entries(start, 10_000, now)))
        await db.checkpoint_if_large()
    return HELD


def _middle(found: Sequence[Cost]) -> str:
    return str(Cost(*(median(getattr(one, name) for one in found) for name in ("rows", "seconds", "cpu"))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    count_no_memory()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / new_id()
        migrate(path)
        asyncio.run(measure(path, arguments.rows, arguments.rounds))


if __name__ == "__main__":
    main()
