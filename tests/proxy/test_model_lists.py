"""The models that a key may use, in three shapes."""

from __future__ import annotations

import anthropic
import openai
import pytest
from google import genai
from google.genai import types

from tests.conftest import MakeProvider
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def named(gateway: RunningGateway, provider: MakeProvider) -> None:
    """Two models, one of them under a name that coding agents know."""
    await gateway.backend(await provider(), models=("gpt-large", "small"))
    token = {"authorization": f"Bearer {gateway.management_token}"}
    found = (await gateway.client.get("/api/admin/models", headers=token, params={"q": "gpt-large"})).json()["items"]
    changed = {"aliases": ["claude-gpt", "big", "claude-*"], "context_limit": 1000, "version": found[0]["version"]}
    got = await gateway.client.patch(f"/api/admin/models/{found[0]['id']}", headers=token, json=changed)
    assert got.status_code == 200, got.text


async def test_each_sdk_lists_what_its_key_may_use(gateway: RunningGateway, provider: MakeProvider) -> None:
    await named(gateway, provider)
    ours = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.api_key)
    async with ours:
        listed = [model.id async for model in ours.models.list()]
        assert {"gpt-large", "small"} <= set(listed)
        assert (await ours.models.retrieve("small")).owned_by == "p1"
    theirs = anthropic.AsyncAnthropic(base_url=gateway.url, api_key=gateway.api_key)
    async with theirs:
        known = [model.id async for model in theirs.models.list(limit=2)]
        assert set(listed) | {"claude-gpt"} == set(known)
        assert (await theirs.models.retrieve("claude-gpt")).type == "model"
    google = genai.Client(api_key=gateway.api_key, http_options=types.HttpOptions(base_url=gateway.url)).aio
    shown = [model async for model in await google.models.list(config={"page_size": 2})]
    assert [model.name for model in shown] == [f"models/{name}" for name in listed]
    assert next(model for model in shown if model.name == "models/gpt-large").input_token_limit == 1000
    await google.aclose()


@pytest.mark.parametrize("path", ["/v1/models/nope", "/v1beta/models/nope"])
async def test_a_model_that_is_not_there_is_not_found(gateway: RunningGateway, path: str) -> None:
    got = await gateway.client.get(path, headers=gateway.auth)
    assert got.status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001"])
async def test_a_limit_that_is_none_is_refused(gateway: RunningGateway, query: str) -> None:
    headers = {**gateway.auth, "anthropic-version": "2023-06-01"}
    got = await gateway.client.get(f"/v1/models?{query}", headers=headers)
    assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_pages_go_on_and_back(gateway: RunningGateway, provider: MakeProvider) -> None:
    await named(gateway, provider)
    headers = {**gateway.auth, "anthropic-version": "2023-06-01"}

    async def page(query: str) -> dict[str, object]:
        return (await gateway.client.get(f"/v1/models?{query}", headers=headers)).json()

    whole = [one["id"] for one in (await page("limit=1000"))["data"]]  # type: ignore[attr-defined]
    first = await page("limit=2")
    assert (first["has_more"], first["first_id"], first["last_id"]) == (True, whole[0], whole[1])
    after = await page(f"limit=2&after_id={whole[1]}")
    assert after["first_id"] == whole[2]
    back = await page(f"limit=2&before_id={whole[2]}")
    assert (back["first_id"], back["has_more"]) == (whole[0], False)


async def test_a_list_is_no_redirect_and_asks_for_a_key(gateway: RunningGateway) -> None:
    assert (await gateway.client.get("/v1/models?limit=1000", headers=gateway.auth)).status_code == 200
    assert (await gateway.client.get("/v1/models")).status_code == 401
    assert (await gateway.client.get(f"/v1beta/models?key={gateway.api_key}")).status_code == 200
    assert (await gateway.client.get(f"/v1/models?key={gateway.api_key}")).status_code == 401
