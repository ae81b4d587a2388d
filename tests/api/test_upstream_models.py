"""A provider's own models over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer, refused

pytestmark = pytest.mark.anyio

LIST = {"object": "list", "data": [{"id": "Llama-9"}, {"id": "m"}]}


async def test_models_are_listed_attached_and_detached(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(answer(LIST)), models={"m": "m", "old": "old"})
    one = f"/providers/{made.provider.id}"

    listed = (await api.get(f"{one}/upstream-models")).json()
    attached = (await api.post(f"{one}/attach", json={"models": ["Llama-9"]})).json()
    refreshed = (await api.post(f"{one}/refresh-models", json={})).json()
    detached = (await api.post(f"{one}/detach", json={"models": ["old"]})).json()

    assert [(model["name"], model["models"], model["is_listed"]) for model in listed["models"]] == [
        ("Llama-9", [], True),
        ("m", ["m"], True),
        ("old", ["old"], False),
    ]
    assert attached["models"][0]["status"] == "ENABLED"
    assert attached["mappings"][0]["upstream_name"] == "Llama-9"
    assert [model["is_available"] for model in refreshed["models"]] == [True, True, False]
    assert detached == {"models": ["old"]}


async def test_a_provider_that_does_not_answer_is_told_in_its_words(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(refused(401, "bad key")))

    got = await api.get(f"/providers/{made.provider.id}/upstream-models")

    assert (got.status_code, got.json()["error"]["code"]) == (502, "upstream_error")
    assert "bad key" in got.json()["error"]["message"]
