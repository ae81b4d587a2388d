"""The order of a pool's backends over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_the_order_of_a_pool_is_told_with_its_reasons(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    pool = (await api.get("/pools")).json()["items"][0]
    await api.patch(f"/pools/{pool['id']}", json={"strategy": "lowest_latency"})
    for name in ("slow", "fast"):
        await api.post("/backends", json={"name": name, "base_url": f"https://{name}.example/v1", "models": ["m"]})
    for backend in gateway.desk.snapshot().backends.values():
        gateway.desk.state.of(backend.id).first_output_ms = 900.0 if backend.provider.name == "slow" else 100.0

    found = (await api.get(f"/pools/{pool['id']}/order", params={"model": "m"})).json()

    assert [(one["backend"], one["why"]) for one in found["items"]] == [
        ("fast/main", "first output after 100 ms"),
        ("slow/main", "first output after 900 ms"),
    ]
    assert (await api.get(f"/pools/{pool['id']}/order")).json()["total"] == 3


async def test_a_pool_or_a_model_that_is_not_there_has_no_order(api: httpx.AsyncClient) -> None:
    pool = (await api.get("/pools")).json()["items"][0]["id"]

    assert (await api.get("/pools/nowhere/order")).status_code == 404
    assert (await api.get(f"/pools/{pool}/order?model=nothing")).status_code == 404
    assert (await api.get(f"/pools/{pool}/order?model=a%20b")).status_code == 400
    assert (await api.get(f"/pools/{pool}/order?modle=m")).status_code == 400


async def test_where_translated_calls_go_is_set_and_nothing_else_is_taken(api: httpx.AsyncClient) -> None:
    pool = (await api.get("/pools")).json()["items"][0]

    changed = (await api.patch(f"/pools/{pool['id']}", json={"translated": "never"})).json()
    refused = await api.patch(f"/pools/{pool['id']}", json={"translated": "first"})

    assert (pool["translated"], changed["translated"]) == ("last", "never")
    assert refused.status_code == 400
    assert list(refused.json()["error"]["fields"]) == ["translated"]


async def test_the_order_is_told_for_one_api_format(api: httpx.AsyncClient) -> None:
    pool = (await api.get("/pools")).json()["items"][0]["id"]
    form = {"name": "c", "base_url": "https://c.example/v1", "models": ["m"], "api_format": "anthropic_messages"}
    await api.post("/backends", json=form)

    asked = {"model": "m", "api_format": "anthropic_messages"}
    found = (await api.get(f"/pools/{pool}/order", params=asked)).json()["items"]
    nobody = (await api.get(f"/pools/{pool}/order", params={**asked, "api_format": "rerank"})).json()

    assert [(one["backend"], one["api_format"]) for one in found] == [("c/main", "anthropic_messages")]
    assert nobody["total"] == 0
    assert (await api.get(f"/pools/{pool}/order?api_format=smoke")).status_code == 400
