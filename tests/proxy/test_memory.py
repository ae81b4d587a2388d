"""What is written of the runtime state comes back, as much later as the program was off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.model.calls import Skip
from gateway.proxy.ledger import Entry, Ledger
from gateway.proxy.memory import restore_state
from gateway.routing import limits
from gateway.routing.breaker import BreakerState
from gateway.routing.health import Claim, Ending, Verdict, claim, conclude
from gateway.routing.rate_limits import LimitClass, Limited
from gateway.routing.snapshot import Lane, Snapshot
from gateway.routing.state import RuntimeState
from gateway.routing.world import World
from gateway.store import bucket_levels
from gateway.store.database import Database, open_database
from gateway.store.migrate import migrate
from gateway.store.provider_spend import StoredSpend
from tests.desks import FakeClock
from tests.routing.build import ask, key, lane, provider, snapshot
from tests.store.rows import CALL

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    migrate(tmp_path / "gateway.db")
    async with open_database(tmp_path / "gateway.db") as opened:
        yield opened


def configured() -> Snapshot:
    rates: dict[str, Any] = {"tpm_limit": 1000, "max_concurrent": 9, "daily_limit": 100, "monthly_limit": 1000}
    return snapshot(
        key("a", id="k1", name="k1", **rates),
        key("a", id="k2", name="k2", rpm_limit=30),
        key("b", id="k3", name="k3"),
        providers=(provider("a", rpm_limit=500),),
    )


def following(found: Snapshot) -> RuntimeState:
    state = RuntimeState()
    state.follow(found.backends)
    return state


def world(state: RuntimeState, clock: FakeClock, seed: int = 1) -> World:
    return World(state, clock.mono(), Random(seed), (), clock.wall_ms())


def endings(rng: Random) -> Ending:
    verdict = rng.choice([Verdict.OK, Verdict.OK, Verdict.LIMITED, Verdict.FAILED, Verdict.REFUSED, Verdict.ABANDONED])
    if verdict is not Verdict.LIMITED:
        return Ending(verdict, f"{verdict}")
    named = rng.choice([None, 60])
    return Ending(verdict, "HTTP 429", Limited(rng.choice(list(LimitClass)), rng.choice([None, 0.2, 7.0]), named))


def traffic(found: Snapshot, state: RuntimeState, clock: FakeClock, rng: Random) -> None:
    """A few hundred calls with every kind of end."""
    running: list[Claim] = []
    for number in range(300):
        clock.advance(rng.choice([0.0, 0.01, 0.5, 20.0]))
        one = rng.choice(list(found.backends.values()))
        got = claim(lane(one), ask(tokens=rng.randrange(80)), str(number), world(state, clock, number))
        if isinstance(got, Claim):
            running.append(got)
        if running and rng.random() < 0.8:
            done = running.pop(rng.randrange(len(running)))
            first_output_ms = rng.choice([None, 90])
            conclude(done, endings(rng), world(state, clock, number), clock.wall_ms(), first_output_ms)
            if first_output_ms is not None:
                limits.settle(done.grant, rng.randrange(150), state)
    for left in running:
        conclude(left, Ending(Verdict.ABANDONED), world(state, clock), clock.wall_ms())


def shown(found: Snapshot, state: RuntimeState, clock: FakeClock) -> dict[str, object]:
    """All that is to survive, as far as a decision or a page can tell; times in rounded milliseconds from now."""
    now = clock.mono()

    def left(until: float) -> int:
        return max(0, round((until - now) * 1000))

    backends = {
        name: (
            left(one.resting_until),
            one.needs_probe,
            one.rest_reason if one.seconds_left(now) else "",
            one.streak,
            (one.fault, one.fault_at_ms),
            one.breaker.openings,
            one.breaker.state is not BreakerState.CLOSED,
            left(one.breaker.open_until) if one.breaker.openings else 0,
            (one.score, one.first_output_ms, one.allowance),
        )
        for name, one in state.backends.items()
        if one.score is not None or one.streak or one.fault or one.allowance
    }
    full = {(one.reason, one.seconds and round(one.seconds, 2)) for one in refusals(found, state, clock)}
    learned = {
        name: replace(one.view(now), confidence=round(one.view(now).confidence, 4), requests_last_minute=0)
        for name, one in state.learned.items()
        if one.observations or one.adjustments
    }
    rests = {url: (left(one.resting_until), one.reason) for url, one in state.endpoint_rests.items() if one.needs_probe}
    levels = {}
    for name, limit, period in NAMED:
        bucket = state.bucket(name, limit, now, period)
        assert bucket is not None
        bucket.refill(now)
        levels[name] = round(bucket.level, 1)
    return {"backends": backends, "full": full, "learned": learned, "rests": rests, "levels": levels}


NAMED = [
    ("provider:a:rpm", 500, 60.0),
    ("key:k2:rpm", 30, 60.0),
    ("key:k1:tpm", 1000, 60.0),
    ("key:k1:daily", 100, 86_400.0),
    ("key:k1:monthly", 1000, 2_592_000.0),
]


def refusals(found: Snapshot, state: RuntimeState, clock: FakeClock) -> list[Skip]:
    """Why each backend is not asked, where it is for a limit; patience is for calls that were under way."""
    said = (limits.full(Lane(one, "m"), ask(tokens=50), world(state, clock)) for one in found.backends.values())
    return [one for one in said if one is not None and one.seconds != 1.0]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("off", [0.0, 3.5, 86_400.0])
async def test_what_is_restored_is_what_was_there_a_moment_later(db: Database, seed: int, off: float) -> None:
    clock, found = FakeClock(), configured()
    state = following(found)
    traffic(found, state, clock, Random(seed))
    await Ledger(db, state, clock).flush()
    assert not state.dirty

    booted = FakeClock(clock.wall, seconds=5.0)  # the monotonic clock begins anew with the machine
    later = following(found)
    clock.advance(off)
    booted.advance(off)
    await restore_state(db, later, booted)

    assert shown(found, later, booted) == shown(found, state, clock)


async def test_what_changes_between_two_writes_is_written_with_the_second(db: Database) -> None:
    clock, found = FakeClock(), configured()
    state = following(found)
    ledger = Ledger(db, state, clock)
    for seed in range(4):
        traffic(found, state, clock, Random(seed))
        await ledger.flush()

    later = following(found)
    await restore_state(db, later, clock)
    assert shown(found, later, clock) == shown(found, state, clock)


async def test_a_bucket_that_is_full_again_has_no_row_and_neither_has_one_of_long_ago(db: Database) -> None:
    clock, state = FakeClock(), RuntimeState()
    ledger = Ledger(db, state, clock)
    for name in ("full", "half", "unlimited"):
        bucket = state.bucket(name, 10, clock.mono())
        assert bucket is not None
        bucket.take(clock.mono(), 5)
    state.dirty.buckets |= {"full", "half", "unlimited"}
    await ledger.flush()
    state.buckets["full"].give_back(5)
    state.bucket("unlimited", None, clock.mono())
    state.dirty.buckets.add("full")
    await ledger.flush()
    async with db.read() as tx:
        assert [row.name for row in await bucket_levels.every(tx)] == ["half"]

    clock.advance(32 * 86_400)
    later = RuntimeState()
    await restore_state(db, later, clock)
    await Ledger(db, later, clock).flush()
    async with db.read() as tx:
        assert await bucket_levels.every(tx) == ()


async def test_what_was_spent_is_written_with_its_calls_or_not_at_all(db: Database) -> None:
    clock = FakeClock()
    ledger = Ledger(db, RuntimeState(), clock)
    for number in range(1, 1203):
        ledger.record(Entry(replace(CALL, id=f"req_{number:06}"), StoredSpend("prov1", 5 * number, 77)))
    async with db.write() as tx:
        await tx.execute("ALTER TABLE calls RENAME TO gone")
    with pytest.raises(Exception, match=r"calls|database"):
        await ledger.flush()
    later = RuntimeState()
    await restore_state(db, later, clock)
    assert later.spent == {}

    async with db.write() as tx:
        await tx.execute("ALTER TABLE gone RENAME TO calls")
    await ledger.flush()
    await restore_state(db, later, clock)
    assert (later.spent["prov1"].used_nano, later.spent["prov1"].since) == (5 * 1202, 77)
