"""A client of chat that asks for it reads what its call cost."""

from __future__ import annotations

import json

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import stream

pytestmark = pytest.mark.anyio
ASKS = {"x-gateway-include-cost": "1"}


async def priced(gateway: RunningGateway) -> None:
    token = {"authorization": f"Bearer {gateway.management_token}"}
    found = (await gateway.client.get("/api/admin/models", headers=token, params={"q": "m"})).json()["items"]
    model = next(one for one in found if one["code"] == "m")
    changed = {"input_price": "1", "output_price": "2", "version": model["version"]}
    assert (
        await gateway.client.patch(f"/api/admin/models/{model['id']}", headers=token, json=changed)
    ).status_code == 200


@pytest.mark.parametrize("wants_usage", [True, False])
async def test_the_last_chunk_of_a_stream_tells_the_cost_that_is_written_down(
    gateway: RunningGateway, provider: MakeProvider, wants_usage: bool
) -> None:
    await gateway.backend(await provider(stream()))
    await priced(gateway)
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}

    got = await gateway.call(headers=ASKS, stream=True, **options)

    chunks = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: {")]
    row = await gateway.row()
    assert row.cost_nano
    assert [chunk["usage"]["cost_nano"] for chunk in chunks if chunk.get("usage")] == [row.cost_nano]
    assert got.text.endswith("data: [DONE]\n\n")


async def test_a_whole_answer_tells_it_too_and_nobody_else_sees_it(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider())
    await priced(gateway)

    told = (await gateway.call(headers=ASKS)).json()["usage"]
    assert (told["cost_nano"], told["cost"]) == (9 * 1000 + 3 * 2000, 0.000015)
    assert "cost" not in (await gateway.call()).json()["usage"]


async def test_what_has_no_price_has_no_cost(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider())
    assert "cost" not in (await gateway.call(headers=ASKS)).json()["usage"]
