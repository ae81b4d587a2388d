"""What every path does the same: faults of ours, clients that leave, times to wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.api.operations import Operation, Visit, policy
from gateway.api.resource import Resource
from gateway.control import api_keys, tokens
from gateway.errors import Conflict, Unavailable
from tests.desks import SYSTEM, open_office
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio


@policy("token")
async def breaks(visit: Visit) -> object:
    raise RuntimeError("a secret detail at /root/path in class Foo")


@policy("token")
async def is_busy(visit: Visit) -> object:
    raise Unavailable("Come again.", retry_after=1.2)


@policy("token")
async def is_in_use(visit: Visit) -> object:
    raise Conflict("It is in use.")


@contextlib.asynccontextmanager
async def serving(data_dir: Path, operation: Operation) -> AsyncIterator[httpx.AsyncClient]:
    """A program of one path, called in memory, with a token that is good."""
    async with open_office(data_dir) as office:
        plain, _ = await tokens.mint(office.desk, SYSTEM, "tests")
        program = Starlette(routes=[Route("/x", Resource(office.desk, [operation]))])
        transport = httpx.ASGITransport(program)
        headers = {"authorization": f"Bearer {plain}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            yield client


async def test_a_fault_of_ours_says_nothing_but_its_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, Operation("GET", "/x", "x", "", breaks, None)) as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/x")

    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (500, "server_error")
    assert "secret detail" not in answer.text
    assert error["request_id"] in caplog.text


async def test_a_time_to_wait_is_rounded_up(tmp_path: Path) -> None:
    async with serving(tmp_path, Operation("GET", "/x", "x", "", is_busy, None)) as client:
        answer = await client.get("/x")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


async def test_a_conflict_is_a_409(tmp_path: Path) -> None:
    async with serving(tmp_path, Operation("DELETE", "/x", "x", "", is_in_use, None, 204)) as client:
        answer = await client.delete("/x")
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "It is in use.")


async def test_a_client_that_leaves_in_its_body_changes_nothing(gateway: RunningGateway) -> None:
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST /api/admin/api-keys HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {gateway.management_token}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"name": "half"'
    )
    writer.write(head.encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await asyncio.sleep(0.05)

    assert [key.name for key in await api_keys.listing(gateway.desk)] == ["first key"]
    assert (await gateway.client.get("/livez")).status_code == 200
