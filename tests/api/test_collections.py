"""Every noun can be listed, made, read, changed and deleted over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


async def made(api: httpx.AsyncClient, path: str, body: Json) -> Json:
    answer = await api.post(path, json=body)
    assert answer.status_code == 201, answer.text
    found: Json = answer.json()
    return found


@pytest.fixture
async def provider(api: httpx.AsyncClient) -> Json:
    """A provider with its endpoint."""
    found = await made(api, "/providers", {"name": "acme"})
    await made(api, "/endpoints", {"provider_id": "acme", "base_url": "https://api.acme.example/v1"})
    return found


CASES: list[tuple[str, Json, Json]] = [
    ("/providers", {"name": "other"}, {"priority": 3}),
    ("/pools", {"name": "third", "tier": 3}, {"wait_seconds": 1.5}),
    ("/models", {"code": "new", "status": "DRAFT"}, {"display_name": "New"}),
    ("/mappings", {"provider_id": "acme", "model_id": "demo/echo"}, {"upstream_name": "x"}),
    ("/provider-keys", {"provider_id": "acme", "api_key": "sk-CANARY-0123456789"}, {"rpm_limit": 5}),
    ("/route-rules", {"route_type": "AGENT", "route_key": "coder", "model_id": "demo/echo"}, {"note": "x"}),
    ("/api-keys", {"name": "laptop"}, {"allowed_models": []}),
]


@pytest.mark.parametrize(("path", "body", "change"), CASES, ids=[case[0] for case in CASES])
async def test_a_noun_from_first_to_last(
    api: httpx.AsyncClient, provider: Json, path: str, body: Json, change: Json
) -> None:
    before = (await api.get(path)).json()["total"]
    new = await made(api, path, body)
    new.pop("key", None)

    listed = (await api.get(path)).json()
    assert listed["total"] == before + 1
    assert new in listed["items"]
    assert (await api.get(f"{path}/{new['id']}")).json() == new

    changed = await api.patch(f"{path}/{new['id']}", json=change)
    assert changed.status_code == 200
    assert changed.json() == {**new, **change, "updated_at": changed.json()["updated_at"], "version": 2}

    gone = await api.delete(f"{path}/{new['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await api.get(path)).json()["total"] == before
    for answer in (
        await api.get(f"{path}/{new['id']}"),
        await api.patch(f"{path}/{new['id']}", json={}),
        await api.delete(f"{path}/{new['id']}"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_an_endpoint_from_first_to_last(api: httpx.AsyncClient) -> None:
    await made(api, "/providers", {"name": "acme"})
    new = await made(
        api, "/endpoints", {"provider_id": "acme", "base_url": "http://127.0.0.1:9999/v1", "local_upstream": True}
    )
    assert (new["local_upstream"], new["api_format"]) == (True, "openai_chat")

    changed = await api.patch(f"/endpoints/{new['id']}", json={"timeout_seconds": 1.5})
    assert changed.json()["timeout_seconds"] == 1.5
    assert (await api.delete(f"/endpoints/{new['id']}")).status_code == 204


async def test_lists_are_paged(api: httpx.AsyncClient) -> None:
    whole = (await api.get("/mappings")).json()
    page = (await api.get("/mappings", params={"limit": 2, "offset": 1})).json()

    assert page["items"] == whole["items"][1:3]
    assert page["total"] == whole["total"] >= 5
    refused = await api.get("/models", params={"limit": 0, "ofset": 1})
    assert refused.json()["error"]["fields"] == {
        "limit": "must be 1 or more",
        "ofset": "is not a field here; did you mean offset?",
    }


async def test_unknown_fields_are_named(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api-keys", json={"name": "a", "rmp_limit": 5, "key_hash": "x"})

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "invalid_fields", "rmp_limit")
    assert error["fields"] == {
        "rmp_limit": "is not a field here; did you mean rpm_limit?",
        "key_hash": "is not a field here",
    }
    assert error["request_id"] == answer.headers["x-request-id"]


async def test_an_api_key_is_shown_once_and_works_at_once(api: httpx.AsyncClient) -> None:
    new = await made(api, "/api-keys", {"name": "laptop"})
    plain = new["key"]

    listed = await api.get("/api-keys")
    assert plain not in listed.text
    assert plain not in (await api.get(f"/api-keys/{new['id']}")).text
    assert (new["prefix"], new["tail"]) == (plain[:10], plain[-4:])
    origin = f"http://{api.base_url.netloc.decode()}"
    models = await api.get(f"{origin}/v1/models", headers={"authorization": f"Bearer {plain}"})
    assert models.status_code == 200

    await api.patch(f"/api-keys/{new['id']}", json={"is_active": False})
    refused = await api.get(f"{origin}/v1/models", headers={"authorization": f"Bearer {plain}"})
    assert refused.status_code == 401


async def test_no_secret_ever_comes_back(api: httpx.AsyncClient, provider: Json) -> None:
    await made(api, "/provider-keys", {"provider_id": "acme", "api_key": "sk-CANARY-0123456789"})
    await made(api, "/api-keys", {"name": "a"})

    for path in ("/provider-keys", "/api-keys", "/backends", "/pools/stats", "/endpoints", "/providers"):
        text = (await api.get(path)).text
        assert "CANARY" not in text
        assert not any(word in text for word in ("sealed", "key_hash", "token_hash", "password"))


async def test_prices_are_exact_decimal_strings(api: httpx.AsyncClient) -> None:
    new = await made(api, "/models", {"code": "m", "input_price": 0.1, "output_price": "0.000000001"})
    assert (new["input_price"], new["output_price"]) == ("0.1", "0.000000001")
    assert (new["cache_read_price"], new["request_price"]) == ("0.1", "0")


async def test_a_life_cycle_step_that_is_not_there_says_which_are(api: httpx.AsyncClient) -> None:
    new = next(item for item in (await api.get("/models")).json()["items"] if item["code"] == "demo/echo")
    answer = await api.patch(f"/models/{new['id']}", json={"status": "DRAFT"})
    assert answer.json()["error"]["fields"] == {
        "status": "cannot go from ENABLED to DRAFT; from ENABLED it can become DEPRECATED or DISABLED"
    }
    refused = await api.delete(f"/models/{new['id']}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


async def test_a_pool_in_use_is_a_conflict(api: httpx.AsyncClient) -> None:
    primary = (await api.get("/pools")).json()["items"][0]
    answer = await api.delete(f"/pools/{primary['id']}")
    assert answer.status_code == 409
    assert "demo/main" in answer.json()["error"]["message"]


async def test_another_host_unbinds_the_key(api: httpx.AsyncClient, provider: Json) -> None:
    key = await made(api, "/provider-keys", {"provider_id": "acme", "api_key": "sk-CANARY-0123456789"})
    endpoint = next(e for e in (await api.get("/endpoints")).json()["items"] if e["provider_id"] == provider["id"])
    assert (key["is_bound"], key["source"]) == (True, "stored")

    await api.patch(f"/endpoints/{endpoint['id']}", json={"base_url": "https://evil.example/v1"})

    found = (await api.get(f"/provider-keys/{key['id']}")).json()
    assert (found["is_bound"], found["masked"]) == (False, key["masked"])
