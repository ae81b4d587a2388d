"""Providers in numbers, their health and their quota, over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from gateway.routing.quota import Spend
from tests.conftest import MakeProvider
from tests.harness import RunningGateway, running_gateway
from tests.provider import answer, limited

pytestmark = pytest.mark.anyio


async def test_every_provider_is_summed_up(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")

    found = (await api.get("/providers/summary")).json()

    assert found["total"] == 2
    demo, spare = found["items"]
    assert (demo["name"], demo["endpoints"], demo["keys"]) == (
        "demo",
        {"total": 1, "active": 1},
        {"total": 1, "active": 1},
    )
    assert (demo["health"], spare["health"]) == (1.0, None)
    assert demo["quota"]["limit"] is None
    assert (await api.get(f"/providers/{demo['id']}/summary")).json() == demo
    assert (await api.get("/providers/nowhere/summary")).status_code == 404


async def test_a_list_of_many_providers_asks_the_database_no_more_than_a_short_one(
    api: httpx.AsyncClient, gateway: RunningGateway, caplog: pytest.LogCaptureFixture
) -> None:
    async def once() -> int:
        caplog.clear()
        with caplog.at_level("DEBUG", logger="aiosqlite"):
            assert (await api.get("/providers/summary")).status_code == 200
        return sum("SELECT" in record.getMessage() for record in caplog.records if "executing" in record.getMessage())

    async def statements() -> int:
        # Sums are made in the background meanwhile: the fewest of a few tries have none of theirs.
        return min([await once() for _ in range(8)])

    short = await statements()
    for number in range(30):
        await api.post("/backends", json={"name": f"p{number}", "base_url": "https://a.example/v1", "models": ["m"]})

    assert 0 < await statements() == short  # those that recognise the token


async def test_the_health_of_a_provider_comes_from_what_happened(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(answer(), answer({"error": {"message": "broken"}}, 500), limited(60)))
    for _ in range(4):
        await gateway.call("m")
    await gateway.rows()

    found = (await api.get(f"/providers/{made.provider.id}/health")).json()

    assert (found["lookback_hours"], found["per_endpoint_limit"]) == (6, 48)
    endpoint = found["endpoints"][0]
    assert (endpoint["success"], endpoint["failed"], endpoint["limited"]) == (1, 1, 1)
    assert endpoint["skipped"] >= 1
    assert endpoint["success_rate"] == 0.5
    failed = next(event for event in endpoint["events"] if event["kind"] == "failed")
    assert (failed["status"], "broken" in failed["error"]) == (500, True)
    assert len(endpoint["cells"]) == 60


async def test_the_health_of_a_provider_is_asked_for_within_bounds(api: httpx.AsyncClient) -> None:
    demo = (await api.get("/providers")).json()["items"][0]["id"]

    refused = await api.get(f"/providers/{demo}/health?lookback_hours=73&per_endpoint_limit=1")

    assert refused.status_code == 400
    assert set(refused.json()["error"]["fields"]) == {"lookback_hours", "per_endpoint_limit"}
    assert (await api.get("/providers/nowhere/health")).status_code == 404


async def test_a_quota_that_is_used_up_serves_again_after_a_reset(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(answer()))
    path = f"/providers/{made.provider.id}"
    await api.patch(f"/models/{made.models[0].id}", json={"input_price": "1", "output_price": "1"})
    await api.patch(path, json={"monthly_quota": "1"})
    gateway.desk.state.spent[made.provider.id] = Spend(2_000_000_000, gateway.desk.clock.wall_ms() - 1000)
    assert (await gateway.call("m")).status_code == 429
    shown = (await api.get(path)).json()
    assert (shown["monthly_used"], shown["quota_last_reset_at"] is None) == ("2", False)

    reset = await api.post(f"{path}/reset-quota")

    assert (reset.status_code, reset.json()["quota"]["used"], reset.json()["quota"]["is_exhausted"]) == (
        200,
        "0",
        False,
    )
    assert (await gateway.call("m")).status_code == 200
    assert (await api.post("/providers/nowhere/reset-quota")).status_code == 404


async def test_a_reset_outlives_a_restart(tmp_path: Path) -> None:
    async with running_gateway(tmp_path) as gateway:
        demo = gateway.desk.snapshot().providers["demo"].id
        gateway.desk.state.spent[demo] = Spend(5, 1)
        credential = {"authorization": f"Bearer {gateway.management_token}"}
        got = await gateway.client.post(f"/api/admin/providers/{demo}/reset-quota", headers=credential)
        assert got.status_code == 200

    async with running_gateway(tmp_path) as gateway:
        assert gateway.desk.state.spent[demo].used_nano == 0
        assert gateway.desk.state.spent[demo].since > 1
