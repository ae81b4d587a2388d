"""What the gateway remembers while it serves, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import limited

pytestmark = pytest.mark.anyio


async def test_a_rest_and_a_used_limit_are_seen_and_cleared(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(limited(41)), models=("m",), rpm_limit=2)
    await gateway.call("m")

    seen = (await api.get("/state")).json()
    (backend,) = seen["backends"]
    assert 39 < backend["rest_seconds"] <= 41
    assert backend["needs_probe"] is True
    (bucket,) = [one for one in seen["buckets"] if one["name"].startswith("key:")]
    assert bucket["left"] < 1.5

    after = await api.post("/state/refill", json={"name": bucket["name"]})
    assert after.status_code == 200
    assert bucket["name"] not in [one["name"] for one in after.json()["buckets"]]
    assert (await api.post("/state/refill", json={"name": bucket["name"]})).status_code == 404
    await api.post(f"/backends/{backend['backend_id']}/clear-cooldown")
    assert (await api.get("/state")).json()["backends"] == []


async def test_the_rest_of_a_whole_endpoint_is_cleared(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    backend = next(iter(gateway.desk.snapshot().backends.values()))
    gateway.desk.state.endpoint_rest(backend.endpoint.base_url).rest(gateway.desk.clock.mono() + 60, "2 of its 2 keys")

    (seen,) = (await api.get("/state")).json()["endpoints"]
    assert seen["endpoint_id"] == backend.endpoint.id
    cleared = await api.post(f"/endpoints/{seen['endpoint_id']}/clear-rest")
    assert (cleared.status_code, cleared.json()["endpoints"]) == (200, [])
    assert (await api.post("/endpoints/nowhere/clear-rest")).status_code == 404
