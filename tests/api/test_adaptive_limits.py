"""A learned limit over HTTP: read, forgotten, fixed."""

from __future__ import annotations

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_a_learned_limit_from_first_to_last(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    key_id = (await api.get("/provider-keys")).json()["items"][0]["id"]
    path = f"/provider-keys/{key_id}/adaptive"
    await api.patch(f"/provider-keys/{key_id}", json={"rpm_limit": None})

    async def learn() -> None:
        for _ in range(2):
            gateway.desk.state.learned_of(key_id).refused(100, gateway.desk.clock.mono(), gateway.desk.clock.wall_ms())

    assert (await api.get(path)).json()["learned"]["limit"] is None
    assert (await api.post(f"{path}/fix")).status_code == 409
    await learn()
    found = (await api.get(path)).json()
    assert (found["fixed"], found["learned"]["limit"], found["learned"]["enforced"]) == (None, 95, True)
    assert found["learned"]["adjustments"][0]["after"] == 95

    assert (await api.post(f"{path}/reset")).json()["learned"]["limit"] is None
    await learn()
    fixed = await api.post(f"{path}/fix")
    assert (fixed.status_code, fixed.json()["rpm_limit"]) == (200, 95)
    assert (await api.get("/provider-keys/nowhere/adaptive")).status_code == 404
