"""Checks, tests and reported use over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer

pytestmark = pytest.mark.anyio


async def echo(api: httpx.AsyncClient) -> str:
    """The path of the demo's model."""
    found = (await api.get("/models", params={"q": "demo/echo"})).json()["items"][0]
    return f"/models/{found['id']}"


async def test_a_model_is_checked_and_its_history_kept(api: httpx.AsyncClient) -> None:
    path = await echo(api)

    found = (await api.post(f"{path}/check", json={"probe": "completion"})).json()

    assert (found["status"], found["probe"], len(found["results"])) == ("HEALTHY", "completion", 2)
    assert found["latency_ms"] >= 0
    assert (await api.get(f"{path}/checks")).json() == {"items": [found], "total": 1}
    assert (await api.post(f"{path}/check", json={"probe": "x"})).status_code == 400


async def test_a_check_of_models_spends_no_tokens(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    there = await provider(answer({"data": [{"id": "m"}]}))
    made = await gateway.backend(there)

    found = (await api.post(f"/models/{made.models[0].id}/check", json={})).json()

    assert found["results"][0]["words"] == "It lists m."
    assert [heard.path for heard in there.heard] == ["/v1/models"]
    assert await gateway.rows() == []


async def test_a_model_is_tried_with_a_message(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    path = await echo(api)

    found = (await api.post(f"{path}/test", json={"message": "Hello there"})).json()

    assert (found["status"], found["reply"]) == ("PASSED", "Hello there")
    assert found["call_id"] == (await gateway.row()).id
    assert (await api.get(f"{path}/tests")).json()["items"] == [found]
    summary = (await api.get("/models/summary")).json()
    assert (summary["tests_passed"], summary["tests_failed"]) == (1, 0)
    assert [use["source"] for use in summary["uses"]] == ["TEST"]


async def test_a_model_that_does_not_serve_cannot_be_tried(api: httpx.AsyncClient) -> None:
    made = (await api.post("/models", json={"code": "draft"})).json()
    refused = await api.post(f"/models/{made['id']}/test", json={"message": "Hi"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


async def test_usage_is_reported_in_one_piece(api: httpx.AsyncClient) -> None:
    report = {"model": "demo/echo", "source": "batch", "request_count": 2, "success_count": 1, "cost": "0.5"}

    taken = await api.post("/models/usage", json={"reports": [report, report]})
    refused = await api.post("/models/usage", json={"reports": [report, {**report, "success_count": 9}]})

    assert (taken.status_code, taken.json()) == (201, {"taken": 2})
    assert list(refused.json()["error"]["fields"]) == ["reports[1].success_count"]
    use = (await api.get("/models/summary")).json()["uses"][0]
    assert (use["source"], use["is_reported"], use["requests"], use["cost"]) == ("batch", True, 4, "1")
