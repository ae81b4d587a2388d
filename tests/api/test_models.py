"""Models over HTTP: looking for them, and all of them in numbers."""

from __future__ import annotations

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_models_are_filtered_and_paged(api: httpx.AsyncClient) -> None:
    await api.post("/models", json={"code": "draft", "display_name": "100%"})

    drafts = (await api.get("/models", params={"status": "DRAFT"})).json()
    found = (await api.get("/models", params={"q": "100%", "limit": 1})).json()
    demo = (await api.get("/models", params={"q": "DEMO-SPARE", "limit": 2, "offset": 1})).json()

    assert [item["code"] for item in drafts["items"]] == ["draft"]
    assert found == drafts
    assert (len(demo["items"]), demo["total"]) == (2, 7)
    refused = await api.get("/models", params={"status": "x", "limit": "y"})
    assert refused.status_code == 400
    assert set(refused.json()["error"]["fields"]) == {"status", "limit"}


async def test_a_model_says_which_rules_pass_it_over(api: httpx.AsyncClient) -> None:
    echo = (await api.get("/models", params={"q": "demo/echo"})).json()["items"][0]
    await api.post("/route-rules", json={"route_type": "GLOBAL", "model_id": "demo/echo"})

    changed = (await api.patch(f"/models/{echo['id']}", json={"status": "DISABLED"})).json()

    assert echo["notes"] == []
    assert changed["notes"] == ["Route rules point at it and pass it over while it is DISABLED: GLOBAL __global__."]


async def test_the_summary_is_there(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    await gateway.rows()

    found = (await api.get("/models/summary")).json()

    assert found["statuses"] == {"DRAFT": 0, "ENABLED": 7, "DISABLED": 0, "DEPRECATED": 0}
    assert found["rules"]["AGENT"] == found["rules_total"] == 0
    assert "demo/echo" in found["unhealthy"]
    assert found["uses"][0]["source"] == "API"
    assert (found["uses"][0]["requests"], found["uses"][0]["cost"]) == (1, "0")


async def test_figures_tell_who_serves_a_model_and_how_it_is_doing(
    api: httpx.AsyncClient, gateway: RunningGateway
) -> None:
    await gateway.call("demo/echo")
    await gateway.rows()
    echo = (await api.get("/models", params={"q": "demo/echo"})).json()["items"][0]
    await api.post(f"/models/{echo['id']}/check", json={"probe": "none"})

    found = (await api.get("/models/figures", params={"q": "demo/echo"})).json()["items"][0]

    assert [(tier["pool"], tier["targets"][0]["backend"]) for tier in found["tiers"]] == [
        ("primary", "demo/main"),
        ("fallback", "demo-spare/main"),
    ]
    assert found["tiers"][0]["targets"][0]["status"] == "healthy"
    assert (found["calls_24h"], found["share_24h"], found["check_status"]) == (1, 1.0, "HEALTHY")
    assert (await api.get("/models/figures", params={"status": "DRAFT"})).json() == {"items": [], "total": 0}
    assert (await api.get("/models/figures", params={"limit": "0"})).status_code == 400
