"""Answers that a provider keeps: found by their id, by their owner alone, at the backend that keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from gateway.control import api_keys, users
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway, running_gateway
from tests.provider import Exchange, Provider, Scene, answer, refused
from tests.provider import stream as streamed
from tests.voices import responses
from tests.voices.said import Said

pytestmark = pytest.mark.anyio
MADE = responses.whole(Said("Hello!"))
DELETED = {"id": "resp_7", "object": "response", "deleted": True}
ITEMS = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}


async def keeper(exchange: Exchange) -> None:
    """A provider that keeps what it says."""
    method, path = exchange.heard.method, exchange.heard.path.partition("?")[0]
    if method == "DELETE":
        await answer(DELETED)(exchange)
    elif path.endswith("/input_items"):
        await answer(ITEMS)(exchange)
    else:
        await answer(MADE)(exchange)


async def kept(gateway: RunningGateway, made: Provider, **fields: Any) -> None:
    await gateway.backend(made, api_format="openai_responses", **fields)


def sdk(gateway: RunningGateway, key: str = "") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=key or gateway.api_key, max_retries=0)


async def test_its_owner_looks_at_it_stops_it_and_deletes_it(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider(keeper)
    await kept(gateway, made)
    async with sdk(gateway) as ours:
        first = await ours.responses.create(model="m", input="Hello")
        again = await ours.responses.retrieve(first.id, include=["reasoning.encrypted_content"])
        assert (again.id, again.output_text) == ("resp_7", "Hello!")
        await ours.responses.cancel(first.id)
        assert (await ours.responses.input_items.list(first.id, limit=3)).data == []
        await ours.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await ours.responses.retrieve(first.id)
    asked = [(heard.method, heard.path.partition("?")) for heard in made.heard[1:]]
    assert [(method, path) for method, (path, _, _) in asked] == [
        ("GET", "/v1/responses/resp_7"),
        ("POST", "/v1/responses/resp_7/cancel"),
        ("GET", "/v1/responses/resp_7/input_items"),
        ("DELETE", "/v1/responses/resp_7"),
    ]
    assert asked[0][1][2].startswith("include")
    assert asked[2][1][2] == "limit=3"
    for heard in made.heard:
        assert heard.headers["authorization"].startswith("Bearer sk-provider-secret")


async def test_nobody_else_learns_that_it_is_there(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await provider(keeper)
    await kept(gateway, made)
    stranger, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "stranger"})
    async with sdk(gateway) as ours, sdk(gateway, stranger) as theirs:
        first = await ours.responses.create(model="m", input="Hello")
        heard = len(made.heard)
        told = []
        for answer_id in (first.id, "resp_nobody"):
            for ask in (theirs.responses.retrieve, theirs.responses.delete, theirs.responses.cancel):
                with pytest.raises(openai.NotFoundError) as refusal:
                    await ask(answer_id)
                told.append(str(refusal.value.body["message"]).replace(answer_id, "…"))  # type: ignore[index]
            with pytest.raises(openai.NotFoundError):
                await theirs.responses.create(model="m", input="And?", previous_response_id=answer_id)
        assert len(set(told)) == 1
        assert len(made.heard) == heard
        assert (await ours.responses.retrieve(first.id)).id == first.id


async def test_other_keys_of_the_same_user_are_served(gateway: RunningGateway, provider: MakeProvider) -> None:
    await kept(gateway, await provider(keeper))
    user = await users.create(gateway.desk, OPERATOR, {"username": "bea", "password": "long enough to be safe"})
    mine = [await api_keys.create(gateway.desk, OPERATOR, {"name": n, "user_id": user.id}) for n in ("one", "two")]
    async with sdk(gateway, mine[0][0]) as one, sdk(gateway, mine[1][0]) as two:
        first = await one.responses.create(model="m", input="Hello")
        assert (await two.responses.retrieve(first.id)).id == first.id


@pytest.mark.parametrize("is_stream", [False, True])
async def test_what_goes_on_from_it_goes_to_who_keeps_it_also_after_a_restart(
    tmp_path: Path, provider: MakeProvider, is_stream: bool
) -> None:
    says: Scene = streamed(responses.stream(Said("Hello!"))) if is_stream else answer(MADE)
    keeping, other = await provider(says), await provider(answer(MADE))
    async with running_gateway(tmp_path) as gateway:
        await kept(gateway, keeping, pool="fallback")
        keeping_first = await gateway.client.post(
            "/v1/responses", headers=gateway.auth, json={"model": "m", "input": "Hello", "stream": is_stream}
        )
        assert keeping_first.status_code == 200
        await kept(gateway, other)
        key = gateway.api_key
        await go_on(gateway, key)
        assert (await gateway.row()).backend_id is not None
    async with running_gateway(tmp_path) as gateway:
        await go_on(gateway, key)
    assert (len(keeping.heard), len(other.heard)) == (3, 0)
    assert keeping.heard[-1].json()["previous_response_id"] == "resp_7"


async def go_on(gateway: RunningGateway, key: str) -> None:
    got = await gateway.client.post(
        "/v1/responses",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "m", "input": "And?", "previous_response_id": "resp_7"},
    )
    assert got.status_code == 200, got.text


async def test_where_its_keeper_fails_nobody_else_is_asked(gateway: RunningGateway, provider: MakeProvider) -> None:
    keeping = await provider(answer(MADE), refused(500, "down"))
    await kept(gateway, keeping)
    async with sdk(gateway) as ours:
        await ours.responses.create(model="m", input="Hello")
        other = await provider(answer(MADE))
        await kept(gateway, other)
        with pytest.raises(openai.InternalServerError):
            await ours.responses.create(model="m", input="And?", previous_response_id="resp_7")
        with pytest.raises(openai.InternalServerError):
            await ours.responses.retrieve("resp_7")
    assert other.heard == []


async def test_what_is_not_kept_cannot_be_gone_on_from(gateway: RunningGateway, provider: MakeProvider) -> None:
    await kept(gateway, await provider(answer(MADE)))
    async with sdk(gateway) as ours:
        await ours.responses.create(model="m", input="Hello", store=False)
        with pytest.raises(openai.NotFoundError) as refusal:
            await ours.responses.create(model="m", input="And?", previous_response_id="resp_7")
    assert (refusal.value.code, refusal.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_our_key_refused_is_never_the_clients_affair(gateway: RunningGateway, provider: MakeProvider) -> None:
    await kept(gateway, await provider(answer(MADE), refused(401, "bad key sk-provider-secret-0001")))
    async with sdk(gateway) as ours:
        await ours.responses.create(model="m", input="Hello")
        with pytest.raises(openai.InternalServerError) as refusal:
            await ours.responses.retrieve("resp_7")
    assert (refusal.value.status_code, refusal.value.code) == (502, "upstream_credentials_exhausted")
    assert "sk-provider" not in refusal.value.response.text
