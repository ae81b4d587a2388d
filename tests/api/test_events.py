"""The live event stream over a real socket, for who holds a management token."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from gateway.control import tokens
from gateway.control.events import MOST_LISTENERS, Topic
from tests.conftest import MakeProvider
from tests.harness import OPERATOR, RunningGateway
from tests.provider import limited

pytestmark = pytest.mark.anyio


class Reader:
    """Reads events off a stream: (name, id, data)."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, int, dict[str, Any]]:
        found: dict[str, str] = {}
        async with asyncio.timeout(10):
            async for line in self._lines:
                if not line and "event" in found:
                    return found["event"], int(found.get("id", -1)), json.loads(found["data"])
                name, _, value = line.partition(": ")
                found[name] = value
        raise EOFError

    async def rest(self) -> list[str]:
        async with asyncio.timeout(10):
            return [line async for line in self._lines]


@contextlib.asynccontextmanager
async def events(api: httpx.AsyncClient, path: str = "/events", **headers: str) -> AsyncIterator[Reader]:
    """A stream that is open, past its first event."""
    async with api.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        reader = Reader(response)
        assert (await reader.next())[0] == "ready"
        yield reader


async def settled(gateway: RunningGateway) -> None:
    """Until no stream is open any more."""
    async with asyncio.timeout(5):
        while gateway.desk.events._listeners or gateway.app.asgi.in_flight:
            await asyncio.sleep(0.01)


async def test_each_change_is_told_as_it_is_made(api: httpx.AsyncClient) -> None:
    async with events(api, "/events?topic=registry") as reader:
        pool = (await api.post("/pools", json={"name": "third"})).json()
        await api.patch(f"/pools/{pool['id']}", json={"tier": 30})
        assert (await api.post("/pools", json={"name": "third"})).status_code == 400
        assert (await api.delete(f"/pools/{pool['id']}")).status_code == 204
        told = [await reader.next() for _ in range(3)]

    assert [name for name, _, _ in told] == ["registry"] * 3
    assert [found["action"] for _, _, found in told] == ["create", "update", "delete"]
    assert {(found["noun"], tuple(found["ids"])) for _, _, found in told} == {("pool", (pool["id"],))}
    versions = [found["config_version"] for _, _, found in told]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2], "what was refused is no version"
    assert [event_id for _, event_id, _ in told] == [found["id"] for _, _, found in told]
    assert told[0][2]["dedupe_key"] == f"registry:{versions[0]}:pool:{pool['id']}:create"


async def test_what_was_missed_is_told_to_who_comes_back(api: httpx.AsyncClient) -> None:
    async with events(api) as reader:
        await api.post("/pools", json={"name": "third"})
        _, last, _ = await reader.next()
    for name in ("fourth", "fifth"):
        await api.post("/pools", json={"name": name})

    async with events(api, **{"last-event-id": str(last)}) as reader:
        assert [(await reader.next())[1] for _ in range(2)] == [last + 1, last + 2]
    async with events(api, f"/events?after={last + 1}") as reader:
        assert (await reader.next())[1] == last + 2
    async with events(api, "/events?after=12") as reader:
        assert (await reader.next())[:2] == ("resync", last + 2)


async def test_a_rest_is_told_under_health(
    api: httpx.AsyncClient, gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await gateway.backend(await provider(limited(60)), models=("m",))
    async with events(api, "/events?topic=health") as reader:
        await asyncio.sleep(0.1)
        await gateway.call("m")
        await api.post("/pools", json={"name": "third"})
        name, _, found = await reader.next()

    assert (name, found["noun"]) == ("health", "backend")
    assert made.backend_id in found["ids"]


async def test_a_stream_is_for_nobody_to_store_or_to_hold_back(api: httpx.AsyncClient) -> None:
    async with api.stream("GET", "/events") as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-request-id"].startswith("req_")


async def test_words_that_mean_nothing_are_refused(api: httpx.AsyncClient) -> None:
    for query in ("topic=everything", "topic=registry,health", "since=1"):
        got = await api.get(f"/events?{query}")
        assert (got.status_code, got.json()["error"]["code"]) == (400, "invalid_fields"), query
    assert (await api.post("/events", json={})).headers["allow"] == "GET"


async def test_only_so_many_streams_may_be_open(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    with contextlib.ExitStack() as others:
        for _ in range(MOST_LISTENERS):
            others.enter_context(gateway.desk.events.listen(frozenset({Topic.HEALTH})))
        got = await api.get("/events")
        assert (got.status_code, got.json()["error"]["code"]) == (503, "too_many_streams")
        assert got.headers["retry-after"] == "10"

    async with events(api):
        pass


async def test_a_token_that_is_disabled_hears_nothing_more(gateway: RunningGateway) -> None:
    plain, token = await tokens.mint(gateway.desk, OPERATOR, "second")
    headers = {"authorization": f"Bearer {plain}"}
    async with httpx.AsyncClient(base_url=f"{gateway.url}/api/admin", headers=headers, timeout=30) as client:
        async with events(client) as reader:
            await tokens.disable(gateway.desk, OPERATOR, token.id)
            gateway.desk.events.publish(Topic.REGISTRY, "update", "pool", ("p",), 9, 0)
            assert await reader.rest() == ["event: over", "data: {}", ""]
        assert (await client.get("/events")).status_code == 401


async def test_clients_that_leave_leave_nothing_behind(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(20):
        async with events(api):
            pass
    await settled(gateway)

    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before + 2:
            await asyncio.sleep(0.01)


async def test_streams_end_at_once_when_the_gateway_stops(api: httpx.AsyncClient, gateway: RunningGateway) -> None:
    async with events(api) as first, events(api) as second:
        began = time.monotonic()
        gateway.app.begin_stop()
        assert await first.rest() == await second.rest() == []
        assert time.monotonic() - began < 1
    await settled(gateway)

    got = await api.get("/events")
    assert (got.status_code, got.headers["retry-after"]) == (503, "2")


async def test_the_document_says_that_it_is_a_stream(api: httpx.AsyncClient) -> None:
    document = (await api.get("/openapi.json")).json()
    described = document["paths"]["/api/admin/events"]["get"]

    content = described["responses"]["200"]["content"]
    assert content == {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}}
    assert [item["name"] for item in described["parameters"]] == ["topic", "after"]
    event = document["components"]["schemas"]["Event"]
    assert set(event["required"]) == {"id", "topic", "action", "noun", "ids", "config_version", "at", "dedupe_key"}
