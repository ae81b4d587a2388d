"""What translation leaves out is said: at once where it is known, and in the ledger in any case."""

from __future__ import annotations

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import CHAT_ANSWER, answer, delta, sse, stream

pytestmark = pytest.mark.anyio
ASKED = {"model": "m", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
NOTES = [{"type": "url_citation", "url_citation": {"url": "https://example.com"}}]


async def test_what_a_whole_answer_loses_is_in_its_header_too(gateway: RunningGateway, provider: MakeProvider) -> None:
    choice = CHAT_ANSWER["choices"][0]
    said = {**CHAT_ANSWER, "choices": [{**choice, "message": {**choice["message"], "annotations": NOTES}}]}
    await gateway.backend(await provider(answer(said)))
    got = await gateway.client.post("/v1/messages", headers=gateway.auth, json=ASKED)
    assert got.headers["x-gateway-dropped"] == "top_k, annotations"
    assert (await gateway.row()).dropped == ("top_k", "annotations")


async def test_what_a_stream_loses_on_its_way_is_written_down(gateway: RunningGateway, provider: MakeProvider) -> None:
    late = delta(" there")
    late["choices"][0]["delta"]["annotations"] = NOTES
    parts = sse(delta("Hello"), late, delta(finish="stop"), "[DONE]")
    await gateway.backend(await provider(stream(parts)))
    got = await gateway.client.post("/v1/messages", headers=gateway.auth, json={**ASKED, "stream": True})
    assert "event: message_stop" in got.text
    assert got.headers["x-gateway-dropped"].startswith("top_k")
    assert (await gateway.row()).dropped == ("top_k", "annotations")


async def test_nothing_is_named_where_everything_was_carried(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider())
    asked = {name: value for name, value in ASKED.items() if name != "top_k"}
    got = await gateway.client.post("/v1/messages", headers=gateway.auth, json=asked)
    assert "x-gateway-dropped" not in got.headers
    assert (await gateway.row()).dropped == ()
