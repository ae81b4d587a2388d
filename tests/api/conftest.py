"""A client that holds a management token, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.harness import RunningGateway


@pytest.fixture
async def api(gateway: RunningGateway) -> AsyncIterator[httpx.AsyncClient]:
    """Paths begin after /api/admin."""
    credential = {"authorization": f"Bearer {gateway.management_token}"}
    async with httpx.AsyncClient(base_url=f"{gateway.url}/api/admin", headers=credential, timeout=30) as client:
        yield client
