"""What a session of a coding agent comes to."""

from __future__ import annotations

import pytest

from gateway.model.calls import Attribution, CallStatus, Usage, UsageSource
from gateway.model.sums import Sums
from gateway.store import agent_sessions, calls
from gateway.store.database import Database
from tests.store.rows import call, failed

pytestmark = pytest.mark.anyio

MAIN = Attribution("s1", "a1", "", "main")
SUB = Attribution("s1", "a2", "a1", "subagent")


async def test_calls_are_summed_by_agent_and_class_and_those_of_other_sessions_are_not(db: Database) -> None:
    rows = [
        call(1, attribution=MAIN),
        call(2, attribution=SUB, cost_nano=None, actual_nano=7),
        failed(3, 400, attribution=SUB, attempts=(), usage=Usage(), cost_nano=None),
        call(4, attribution=MAIN, status=CallStatus.CANCELLED, usage=Usage(5, 0, source=UsageSource.ESTIMATED)),
        call(5, attribution=Attribution("s2", "a1")),
        call(6),
    ]
    async with db.write() as tx:
        await calls.insert_many(tx, rows)

    async with db.read() as tx:
        first, second = await agent_sessions.groups(tx, "s1", 100)
        nothing = await agent_sessions.groups(tx, "", 100)

    assert (first.agent, first.parent_agent, first.request_class, first.since, first.until) == ("a1", "", "main", 1, 4)
    assert first.sums == Sums(2, 0, 1, 0, 0, 15, 20, 3, 6, 5, 246, 0)
    assert (second.agent, second.parent_agent, second.request_class) == ("a2", "a1", "subagent")
    assert second.sums == Sums(2, 1, 0, 1, 1, 10, 20, 3, 6, 5, 0, 7)
    assert nothing == ()


async def test_only_the_newest_calls_are_counted(db: Database) -> None:
    async with db.write() as tx:
        await calls.insert_many(tx, [call(number, attribution=MAIN) for number in range(1, 9)])

    async with db.read() as tx:
        (group,) = await agent_sessions.groups(tx, "s1", 5)

    assert (group.since, group.until, group.sums.requests) == (4, 8, 5)
