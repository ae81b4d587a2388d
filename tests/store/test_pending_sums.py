"""Sums that are noted with their calls, and written to their tables later."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import resources
from gateway.store import api_keys, last_uses, pending_sums, provider_spend, spends
from gateway.store.at_once import Work, carry_out
from gateway.store.database import Database, Tx
from gateway.store.pending_sums import Sums
from gateway.store.provider_spend import StoredSpend
from gateway.store.spends import DaySpend
from tests.store.rows import API_KEY

pytestmark = pytest.mark.anyio


def sums(*days: DaySpend, at: StoredSpend | None = None, uses: dict[str, int] | None = None) -> Sums:
    found = Sums()
    found.note(days, at)
    for api_key_id, moment in (uses or {}).items():
        found.note_use(api_key_id, moment)
    return found


async def tables(tx: Tx) -> tuple[set[DaySpend], tuple[StoredSpend, ...], dict[str, int]]:
    return set(await spends.every(tx)), await provider_spend.every(tx), await last_uses.every(tx)


async def test_what_is_noted_is_told_at_once_and_written_when_it_is_settled(db: Database) -> None:
    day, spent = DaySpend('user:Zoë "x"', 20_000, 2**62), StoredSpend("p1", 2**62, 7)
    async with db.write() as tx:
        await spends.save_many(tx, [DaySpend('user:Zoë "x"', 20_000, 1), DaySpend("user:b", 1, 5)])
        await provider_spend.save_many(tx, [StoredSpend("p0", 3, 1), StoredSpend("p1", 1, 7)])
        await pending_sums.note(tx, sums(day, at=spent, uses={"ak1": 9}))
    async with db.read() as tx:
        assert await pending_sums.days(tx) == {('user:Zoë "x"', 20_000): 2**62, ("user:b", 1): 5}
        assert await pending_sums.at_providers(tx) == [StoredSpend("p0", 3, 1), spent]
        assert (await pending_sums.uses(tx), (await tables(tx))[2]) == ({"ak1": 9}, {})
    async with db.write() as tx:
        await pending_sums.settle(tx)
        assert len(await pending_sums.pending(tx)) == 0
        told = {day, DaySpend("user:b", 1, 5)}, (StoredSpend("p0", 3, 1), spent), {"ak1": 9}
        assert await tables(tx) == told
        await pending_sums.settle(tx)
        assert await tables(tx) == told


async def test_the_last_note_is_right_but_for_a_period_that_is_over(db: Database) -> None:
    async with db.write() as tx:
        await pending_sums.note(tx, sums(DaySpend("u", 1, 5), at=StoredSpend("p", 9, 100), uses={"ak1": 30}))
        await pending_sums.note(tx, sums(DaySpend("u", 1, 8), at=StoredSpend("p", 1, 200), uses={"ak1": 20}))
        await pending_sums.note(tx, sums(DaySpend("u", 2, 1), at=StoredSpend("p", 10, 100), uses={"ak2": 1}))
        await pending_sums.settle(tx)
        found = await tables(tx)
    assert found == ({DaySpend("u", 1, 8), DaySpend("u", 2, 1)}, (StoredSpend("p", 1, 200),), {"ak1": 30, "ak2": 1})


async def test_the_last_use_of_a_key_is_its_newest_call(db: Database) -> None:
    async with db.write() as tx:
        for at in (10, 30, 20):
            await pending_sums.save(tx, sums(uses={"ak1": at}))
        await pending_sums.save(tx, sums(uses={"ak1": 25, "ak2": 5}))
        assert await last_uses.every(tx) == {"ak1": 30, "ak2": 5}


async def test_a_key_that_is_deleted_leaves_no_last_use(db: Database) -> None:
    async with db.write() as tx:
        await api_keys.insert(tx, API_KEY)
        await pending_sums.save(tx, sums(uses={API_KEY.id: 1}))
        await pending_sums.note(tx, sums(uses={API_KEY.id: 2, "other": 3}))
        await api_keys.delete(tx, API_KEY.id)
        await pending_sums.settle(tx)
        assert await last_uses.every(tx) == {"other": 3}


OWNERS = st.sampled_from(["a", "b", "c"])
DAYS = st.builds(DaySpend, OWNERS, st.integers(0, 2), st.integers(0, 2**63 - 1))
AT = st.builds(StoredSpend, OWNERS, st.integers(0, 2**63 - 1), st.integers(0, 3))
NOTES = st.builds(lambda day, at, uses: sums(*day, at=at, uses=uses), st.lists(DAYS), st.none() | AT,
                  st.dictionaries(OWNERS, st.integers(0, 9)))  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["note", "save"]), NOTES), max_size=12))
def test_whenever_they_are_settled_it_comes_to_the_same(steps: list[tuple[str, Sums]]) -> None:
    async def as_told(tx: Tx) -> object:
        for step, found in steps:
            if step == "note":
                await pending_sums.note(tx, found)
            else:
                await pending_sums.settle(tx)
                await pending_sums.save(tx, found)
        told = await pending_sums.days(tx), await pending_sums.at_providers(tx), await pending_sums.uses(tx)
        await pending_sums.settle(tx)
        found_days, found_spent, uses = await tables(tx)
        assert told == ({(one.owner, one.day): one.nano for one in found_days}, list(found_spent), uses)
        return await tables(tx)

    async def at_once(tx: Tx) -> object:
        for _, found in steps:
            await pending_sums.save(tx, found)
        return await tables(tx)

    assert of_new_file(as_told) == of_new_file(at_once)


def of_new_file(work: Work[object]) -> object:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(resources.SCHEMA.read_text("utf-8"))
        return carry_out(connection, work)
