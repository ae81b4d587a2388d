"""One session of a coding agent, by agent and by class of request."""

from __future__ import annotations

import pytest

from gateway.control import agent_sessions
from gateway.control.desk import Desk
from gateway.errors import NotFound
from gateway.model.calls import Attribution
from gateway.store import calls
from tests.store.rows import call

pytestmark = pytest.mark.anyio


async def test_an_agent_with_two_classes_is_one_agent_and_two_classes(desk: Desk) -> None:
    who = [
        Attribution("s1", "a1", "", "main"),
        Attribution("s1", "a1", "", "compaction"),
        Attribution("s1", "a2", "a1", "subagent"),
        Attribution("s1", "a3", "a1", "subagent"),
    ]
    async with desk.db.write() as tx:
        await calls.insert_many(tx, [call(number, attribution=one) for number, one in enumerate(who, 1)])

    found = await agent_sessions.get(desk, "s1")

    assert [(one.name, one.parent_agent, one.sums.requests) for one in found.agents] == [
        ("a1", "", 2),
        ("a2", "a1", 1),
        ("a3", "a1", 1),
    ]
    assert [(one.name, one.sums.requests, one.since, one.until) for one in found.classes] == [
        ("main", 1, 1, 1),
        ("compaction", 1, 2, 2),
        ("subagent", 2, 3, 4),
    ]
    assert (found.total.requests, found.total.cost_nano) == (4, 4 * 123)
    assert (found.since, found.until, found.is_whole) == (1, 4, True)


async def test_a_very_long_session_is_counted_as_far_as_the_newest_calls_go(desk: Desk) -> None:
    many = agent_sessions.MOST_CALLS + 3
    async with desk.db.write() as tx:
        await calls.insert_many(
            tx, [call(number, attribution=Attribution("s1"), attempts=()) for number in range(many)]
        )

    found = await agent_sessions.get(desk, "s1")

    assert (found.total.requests, found.since, found.is_whole) == (agent_sessions.MOST_CALLS, 3, False)


@pytest.mark.parametrize("name", ["nobody", "", "%"])
async def test_a_session_without_calls_is_not_there(desk: Desk, name: str) -> None:
    with pytest.raises(NotFound, match="no such session"):
        await agent_sessions.get(desk, name)
