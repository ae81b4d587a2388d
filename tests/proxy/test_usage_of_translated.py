"""Servers that do not know a stream's options still serve clients of other formats."""

from __future__ import annotations

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import refused, stream

pytestmark = pytest.mark.anyio
ASKED = {"model": "m", "max_tokens": 5, "stream": True, "messages": [{"role": "user", "content": "hi"}]}


async def test_one_that_refuses_the_wish_for_usage_is_asked_without_it_and_remembered(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await provider(refused(400, "Unknown field: stream_options"), stream())
    await gateway.backend(made)
    for _ in range(2):
        got = await gateway.client.post("/v1/messages", headers=gateway.auth, json=ASKED)
        assert got.status_code == 200
        assert "event: message_stop" in got.text
    assert ["stream_options" in heard.json() for heard in made.heard] == [True, False, False]


async def test_an_endpoint_that_is_not_to_be_asked_is_not(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider(stream())
    backend = await gateway.backend(made)
    token = {"authorization": f"Bearer {gateway.management_token}"}
    changed = {"injects_usage": False, "version": 1}
    path = f"/api/admin/endpoints/{backend.endpoint.id}"
    assert (await gateway.client.patch(path, headers=token, json=changed)).status_code == 200
    assert (await gateway.client.post("/v1/messages", headers=gateway.auth, json=ASKED)).status_code == 200
    assert "stream_options" not in made.heard[0].json()
