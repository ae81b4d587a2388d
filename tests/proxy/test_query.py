"""What stands behind a path: for us, for the provider, and never written down."""

from __future__ import annotations

import logging

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer

pytestmark = pytest.mark.anyio
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "u",
    "content": [{"type": "text", "text": "Hello!"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 3},
}
ASKED = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(("query", "heard"), [("?beta=true", "?beta=true"), ("", ""), ("?" + "x" * 600, "")])
async def test_a_query_of_anthropics_clients_goes_on_to_its_own_provider(
    gateway: RunningGateway, provider: MakeProvider, query: str, heard: str
) -> None:
    made = await provider(answer(MESSAGE))
    await gateway.backend(made, api_format="anthropic_messages")
    got = await gateway.client.post(f"/v1/messages{query}", headers=gateway.auth, json=ASKED)
    assert (got.status_code, got.json()) == (200, MESSAGE)
    assert made.heard[0].path == f"/v1/messages{heard}"
    assert made.heard[0].headers["x-api-key"].startswith("sk-provider-secret")
    assert made.heard[0].headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in made.heard[0].headers


async def test_it_is_not_for_a_provider_of_another_format(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider()
    await gateway.backend(made)
    got = await gateway.client.post("/v1/messages?beta=true", headers=gateway.auth, json=ASKED)
    assert [block["text"] for block in got.json()["content"]] == ["Hello!"]
    assert made.heard[0].path == "/v1/chat/completions"


async def test_a_key_in_a_query_is_taken_from_geminis_clients_alone_and_shown_to_nobody(
    gateway: RunningGateway, provider: MakeProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = await provider()
    await gateway.backend(made)
    asked = {"contents": [{"parts": [{"text": "hi"}]}]}
    got = await gateway.client.post(f"/v1beta/models/m:generateContent?key={gateway.api_key}", json=asked)
    assert got.status_code == 200
    other = await gateway.client.post(f"/v1/chat/completions?key={gateway.api_key}", json={"model": "m"})
    assert other.status_code == 401
    ours = [record.getMessage() for record in caplog.records if record.name.startswith(("gateway",))]
    assert not any(gateway.api_key in line for line in ours)
    assert all(gateway.api_key not in heard.path for heard in made.heard)
    row = await gateway.row()
    assert gateway.api_key not in repr(row)
