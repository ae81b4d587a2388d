"""Route rules over HTTP: chains, and moving a rule in one."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.anyio


async def test_chains_name_their_winner(api: httpx.AsyncClient) -> None:
    rule = {"route_type": "AGENT", "route_key": "coder", "priority": 5}
    first = (await api.post("/route-rules", json={**rule, "model_id": "demo/echo"})).json()
    await api.post("/route-rules", json={**rule, "model_id": "demo/slow", "priority": 6})

    before = (await api.get("/route-rules/chains")).json()
    moved = await api.post(f"/route-rules/{first['id']}/move", json={"direction": "down"})
    after = (await api.get("/route-rules/chains")).json()

    assert (before["total"], before["items"][0]["winner"]) == (1, "demo/echo")
    assert (moved.status_code, moved.json()["priority"], moved.json()["version"]) == (200, 20, 2)
    assert after["items"][0]["winner"] == "demo/slow"
    assert [link["wins"] for link in after["items"][0]["links"]] == [True, False]


async def test_a_rule_moves_up_or_down_only(api: httpx.AsyncClient) -> None:
    refused = await api.post("/route-rules/x/move", json={"direction": "left"})
    assert refused.json()["error"]["fields"] == {"direction": "must be one of up, down"}
    assert (await api.post("/route-rules/x/move", json={"direction": "up"})).status_code == 404
