"""Levels, rests, learned limits and spends come back as they were saved."""

from __future__ import annotations

import pytest

from gateway.store import adaptive_limits, bucket_levels, endpoint_rests, provider_spend, spends
from gateway.store.adaptive_limits import StoredLimit
from gateway.store.bucket_levels import StoredLevel
from gateway.store.database import Database
from gateway.store.endpoint_rests import StoredRest
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend

pytestmark = pytest.mark.anyio


async def test_levels_are_replaced_by_name_and_deleted(db: Database) -> None:
    async with db.write() as tx:
        await bucket_levels.save_many(tx, [StoredLevel("b", 1.5, 1), StoredLevel("a", -3.0, 1), StoredLevel("c", 0, 1)])
        await bucket_levels.save_many(tx, [StoredLevel("b", 2.5, 2)])
        await bucket_levels.delete_many(tx, ["c", "never there"])
    async with db.read() as tx:
        assert await bucket_levels.every(tx) == (StoredLevel("a", -3.0, 1), StoredLevel("b", 2.5, 2))


async def test_rests_of_endpoints_are_those_and_no_others(db: Database) -> None:
    one, two, three = [StoredRest(name, 5000, "2 of its 3 keys", 4000) for name in ("e1", "e2", "e3")]
    async with db.write() as tx:
        await endpoint_rests.replace_all(tx, [one, two])
        await endpoint_rests.replace_all(tx, [three, two])
    async with db.read() as tx:
        assert await endpoint_rests.every(tx) == (two, three)
    async with db.write() as tx:
        await endpoint_rests.replace_all(tx, [])
    async with db.read() as tx:
        assert await endpoint_rests.every(tx) == ()


async def test_learned_limits_are_replaced_by_key_and_deleted(db: Database) -> None:
    async with db.write() as tx:
        await adaptive_limits.save_many(tx, [StoredLimit("k1", "{}", 1), StoredLimit("k2", "{}", 1)])
        await adaptive_limits.save_many(tx, [StoredLimit("k1", '{"limit": 5}', 2)])
        await adaptive_limits.delete_many(tx, {"k2"})
    async with db.read() as tx:
        assert await adaptive_limits.every(tx) == (StoredLimit("k1", '{"limit": 5}', 2),)


async def test_a_spend_written_twice_counts_once(db: Database) -> None:
    async with db.write() as tx:
        await provider_spend.save_many(tx, [StoredSpend("p1", 10, 1)])
        for _ in range(2):
            await provider_spend.save_many(tx, [StoredSpend("p1", 25, 1), StoredSpend("p2", 2**62, 7)])
    async with db.read() as tx:
        assert await provider_spend.every(tx) == (StoredSpend("p1", 25, 1), StoredSpend("p2", 2**62, 7))


async def test_sums_of_many_owners_are_each_the_last_that_was_written(db: Database) -> None:
    def sums(times: int) -> list[DaySpend]:
        return [DaySpend(f"user:{number:02d}", day, number * times) for number in range(23, -1, -1) for day in (0, 1)]

    async with db.write() as tx:
        await spends.save_many(tx, sums(1))
        await spends.save_many(tx, sums(1000))
    async with db.read() as tx:
        found = await spends.every(tx)
    assert set(found) == set(sums(1000))
    assert len(found) == 48


async def test_what_owners_spent_is_told_since_the_beginnings_of_periods(db: Database) -> None:
    async with db.read() as tx:
        assert (await spends.latest_day(tx), await spends.since_days(tx, (0, 9, 7, 5))) == (0, {})
    async with db.write() as tx:
        await spends.save_many(tx, [DaySpend("user:a", day, 10**day) for day in (1, 5, 6, 8, 9)])
        await spends.save_many(tx, [DaySpend("user:b", 2, 7)])
    async with db.read() as tx:
        found = await spends.since_days(tx, (0, 9, 7, 5))
        assert await spends.latest_day(tx) == 9
    assert found == {"user:a": (1_101_100_010, 10**9, 1_100_000_000, 1_101_100_000), "user:b": (7, 0, 0, 0)}
