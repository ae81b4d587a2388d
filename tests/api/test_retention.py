"""What is kept, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_what_is_kept_and_what_is_due_is_told(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    await gateway.rows()

    found = (await api.get("/retention")).json()

    assert (found["requests"], found["due_requests"], found["more_requests"], found["captures"]) == (1, 0, 0, 0)
    assert found["retention_days"] == 90
    assert 0 < found["used_bytes"] < found["retention_bytes"]
    assert found["oldest_at"] == (await gateway.row()).started_at
