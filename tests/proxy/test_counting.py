"""Tokens are counted for every model: by its backend where that can, else by estimate."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from gateway.model.calls import CallStatus
from gateway.model.registry import ApiFormat
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Scene, answer, limited, refused

pytestmark = pytest.mark.anyio
WORDS = "How many tokens has this sentence, roughly?"
ESTIMATE = -(-len(WORDS) // 4)
FORMATS = ("openai_chat", "openai_responses", "anthropic_messages", "gemini_generate")
OWN: dict[str, tuple[dict[str, Any], str]] = {
    "anthropic_messages": ({"input_tokens": 77}, "/v1/messages/count_tokens"),
    "gemini_generate": ({"totalTokens": 77}, "/v1/models/theirs:countTokens"),
    "openai_responses": ({"object": "response.input_tokens", "input_tokens": 77}, "/v1/responses/input_tokens"),
}


async def counted(gateway: RunningGateway, asks: str) -> int:
    """What the SDK of a format is told."""
    if asks == "anthropic_messages":
        async with anthropic.AsyncAnthropic(base_url=gateway.url, api_key=gateway.api_key, max_retries=0) as claude:
            turns: Any = [{"role": "user", "content": WORDS}]
            return (await claude.messages.count_tokens(model="m", messages=turns)).input_tokens
    if asks == "openai_responses":
        async with openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0) as ours:
            return (await ours.responses.input_tokens.count(model="m", input=WORDS)).input_tokens
    google = genai.Client(api_key=gateway.api_key, http_options=types.HttpOptions(base_url=gateway.url)).aio
    try:
        return (await google.models.count_tokens(model="m", contents=WORDS)).total_tokens or 0
    finally:
        await google.aclose()


@pytest.mark.parametrize("asks", OWN)
async def test_a_backend_of_the_format_counts_itself(
    gateway: RunningGateway, provider: MakeProvider, asks: str
) -> None:
    said, path = OWN[asks]
    made = await provider(answer(said))
    await gateway.backend(made, models={"m": "theirs"}, api_format=asks)
    assert await counted(gateway, asks) == 77
    assert made.heard[0].path.partition("?")[0] == path
    row = await gateway.row()
    assert (row.status, row.usage.all_input, row.usage.output) == (CallStatus.COMPLETED, 0, 0)


@pytest.mark.parametrize("asks", OWN)
@pytest.mark.parametrize("serves", FORMATS)
async def test_where_another_format_serves_the_model_it_is_an_estimate(
    gateway: RunningGateway, provider: MakeProvider, asks: str, serves: str
) -> None:
    made = await provider(refused(404, "no such path"))
    await gateway.backend(made, api_format=serves)
    assert await counted(gateway, asks) == ESTIMATE
    assert len(made.heard) == (serves == asks)
    row = await gateway.row()
    assert (row.status, row.code, row.cost_nano or 0) == (CallStatus.COMPLETED, 200, 0)


@pytest.mark.parametrize("asks", OWN)
@pytest.mark.parametrize("scene", [refused(500, "down"), answer(b"<html>")])
async def test_where_the_backend_fails_it_is_an_estimate(
    gateway: RunningGateway, provider: MakeProvider, asks: str, scene: Scene
) -> None:
    await gateway.backend(await provider(scene), api_format=asks)
    assert await counted(gateway, asks) == ESTIMATE


async def test_a_model_that_is_not_there_is_not_counted(gateway: RunningGateway, provider: MakeProvider) -> None:
    with pytest.raises(anthropic.NotFoundError):
        await counted(gateway, ApiFormat.ANTHROPIC_MESSAGES.value)


@pytest.mark.parametrize("asks", OWN)
async def test_a_provider_at_its_limit_does_not_keep_anybody_from_counting(
    gateway: RunningGateway, provider: MakeProvider, asks: str
) -> None:
    await gateway.backend(await provider(limited(60)), models={"m": "theirs"}, api_format=asks)
    assert await counted(gateway, asks) == ESTIMATE


async def test_a_limit_of_our_own_holds_for_counting_too(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider())
    token = {"authorization": f"Bearer {gateway.management_token}"}
    made = {"name": "slow", "rpm_limit": 1}
    key = (await gateway.client.post("/api/admin/api-keys", headers=token, json=made)).json()["key"]
    asked = {"model": "m", "messages": [{"role": "user", "content": WORDS}]}
    paths = ["/v1/messages/count_tokens", "/v1/chat/completions", "/v1/messages/count_tokens"]
    codes = [(await gateway.client.post(path, headers={"x-api-key": key}, json=asked)).status_code for path in paths]
    assert codes == [200, 200, 429]
