"""Sessions of coding agents over the JSON API."""

from __future__ import annotations

import httpx
import pytest

from gateway.model.calls import Attribution
from gateway.store import calls
from tests.harness import RunningGateway
from tests.store.rows import call

pytestmark = pytest.mark.anyio


async def test_a_session_is_told_by_agent_and_class_with_its_cost(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    rows = [
        call(1, attribution=Attribution("a/b", "a1", "", "main"), cost_nano=2_000_000),
        call(2, attribution=Attribution("a/b", "a2", "a1", "subagent"), cost_nano=1_000_000),
    ]
    async with gateway.desk.db.write() as tx:
        await calls.insert_many(tx, rows)

    found = (await api.get("/requests/agents", params={"session": "a/b"})).json()

    assert (found["session"], found["since"], found["until"], found["is_whole"]) == ("a/b", 1, 2, True)
    assert (found["total"]["requests"], found["cost"]) == (2, "0.003")
    assert [(one["name"], one["parent_agent"], one["cost"]) for one in found["agents"]] == [
        ("a1", "", "0.002"),
        ("a2", "a1", "0.001"),
    ]
    assert [one["name"] for one in found["classes"]] == ["main", "subagent"]


async def test_a_session_must_be_named_and_be_there(api: httpx.AsyncClient) -> None:
    assert (await api.get("/requests/agents")).status_code == 400
    assert (await api.get("/requests/agents", params={"session": "x", "sort": "y"})).status_code == 400
    assert (await api.get("/requests/agents", params={"session": "x"})).status_code == 404
