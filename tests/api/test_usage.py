"""Usage and files over HTTP."""

from __future__ import annotations

import csv
import io
import json

import httpx
import pytest

from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


async def test_usage_is_told_over_time_with_its_sums(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    for _ in range(3):
        await gateway.call("demo/echo")
    await gateway.rows()

    found = (await api.get("/usage", params={"range": "24h", "group": "model", "metric": "tokens"})).json()

    assert (found["metric"], found["unit"], found["bucket_ms"]) == ("tokens", "tokens", 3_600_000)
    (row,) = found["rows"]
    assert (row["subject"], row["sums"]["requests"], row["share"]) == ("demo/echo", 3, 1)
    assert (
        sum(found["series"][0]["points"])
        == row["value"]
        == found["total"]["input_tokens"] + found["total"]["output_tokens"]
    )
    assert len(found["series"][0]["points"]) == 24


async def test_a_question_that_cannot_be_answered_names_its_field(api: httpx.AsyncClient) -> None:
    refused = await api.get("/usage", params={"group": "model", "subgroup": "user", "provider": "p"})

    assert refused.status_code == 400
    assert list(refused.json()["error"]["fields"]) == ["subgroup"]


async def test_requests_and_usage_come_as_files(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    await gateway.call("demo/echo")
    await gateway.call("no-such-model")
    await gateway.rows()

    requests = await api.get("/requests/export", params={"format": "jsonl", "status": "completed"})
    usage = await api.get("/usage/export", params={"group": "provider", "range": "24h"})

    assert [json.loads(line)["asked_model"] for line in requests.text.splitlines()] == ["demo/echo"]
    assert requests.headers["content-disposition"] == 'attachment; filename="requests.jsonl"'
    assert requests.headers["x-request-id"].startswith("req_")
    assert [row["provider_name"] for row in csv.DictReader(io.StringIO(usage.text))] == ["no provider", "demo"]
    assert (await api.get("/requests/export?format=xls")).status_code == 400
    assert (await api.get("/requests/export?statsu=failed")).status_code == 400
