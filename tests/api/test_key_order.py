"""Provider keys many at a time over HTTP: their order by API format, and pasting them."""

from __future__ import annotations

import httpx
import pytest

from gateway.model.registry import ApiFormat

pytestmark = pytest.mark.anyio

CHAT = "openai_chat"


@pytest.fixture
async def acme(api: httpx.AsyncClient) -> None:
    await api.post("/providers", json={"name": "acme"})
    await api.post("/endpoints", json={"provider_id": "acme", "base_url": "https://api.acme.example/v1"})


async def order_of(api: httpx.AsyncClient) -> list[dict[str, object]]:
    found = (await api.get("/provider-keys/by-format")).json()
    assert (found["total"], found["items"][0]["api_format"]) == (1, CHAT)
    keys: list[dict[str, object]] = found["items"][0]["keys"]
    return keys


@pytest.mark.usefixtures("acme")
async def test_pasted_keys_are_put_in_order(api: httpx.AsyncClient) -> None:
    lines = ["one sk-CANARY-0123456789a", "two sk-CANARY-0123456789b"]
    pasted = await api.post("/provider-keys/paste", json={"provider_id": "acme", "api_keys": lines})
    assert pasted.status_code == 201
    assert [key["name"] for key in pasted.json()["keys"]] == ["one", "two"]
    assert "CANARY" not in pasted.text

    ids = [str(key["id"]) for key in await order_of(api)][::-1]
    answer = await api.put("/provider-keys/order", json={"api_format": CHAT, "ids": ids})

    assert answer.status_code == 200
    assert [key["id"] for key in answer.json()["keys"]] == ids
    assert [key["priority"] for key in await order_of(api)] == [10 * number for number in range(1, len(ids) + 1)]


async def test_an_order_of_other_keys_is_a_conflict(api: httpx.AsyncClient) -> None:
    answer = await api.put("/provider-keys/order", json={"api_format": CHAT, "ids": ["made-up"]})

    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "changed_meanwhile")
    refused = await api.put("/provider-keys/order", json={"api_format": "smoke_signals"})
    assert refused.json()["error"]["fields"] == {
        "api_format": f"must be one of {', '.join(ApiFormat)}",
        "ids": "is required",
    }


@pytest.mark.usefixtures("acme")
async def test_a_bad_line_is_named_without_its_secret(api: httpx.AsyncClient) -> None:
    lines = ["sk-CANARY-0123456789a", "sk-CANARY-\u00e9"]
    answer = await api.post("/provider-keys/paste", json={"provider_id": "acme", "api_keys": lines})

    fields = {"api_keys": "line 2 must be visible ASCII characters without spaces"}
    assert (answer.status_code, answer.json()["error"]["fields"]) == (400, fields)
    assert "CANARY" not in answer.text
