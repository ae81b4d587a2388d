"""The rooms that no call needs: they are not there at the start, and there when they are wanted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import MutableMapping
from typing import Any

import pytest

from gateway.late_rooms import App, LateRoom, loading
from tests.harness import RunningGateway

pytestmark = pytest.mark.anyio
HEAVY = ("gateway.admin", "gateway.api", "starlette", "jinja2", "markdown_it", "nh3")


async def told(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    await send(scope["path"])


async def asked(room: LateRoom, path: str = "/admin") -> list[str]:
    found: list[str] = []

    async def send(message: str) -> None:
        found.append(message)

    await room({"path": path}, None, send)
    return found


def test_a_start_loads_nothing_that_no_call_needs() -> None:
    script = f"import sys, gateway.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"

    told = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert told.strip() == "[]"


async def test_who_asks_at_once_waits_for_one_loading() -> None:
    loads = 0

    def load() -> App:
        nonlocal loads
        loads += 1
        return told

    room = LateRoom(load)
    assert await asyncio.gather(*(asked(room, f"/{number}") for number in range(5))) == [[f"/{n}"] for n in range(5)]
    assert loads == 1


async def test_a_loading_that_fails_is_tried_again() -> None:
    faults = [MemoryError("no room")]

    def load() -> App:
        if faults:
            raise faults.pop()
        return told

    room = LateRoom(load)
    with pytest.raises(MemoryError):
        await asked(room)
    assert await asked(room) == ["/admin"]


async def test_rooms_are_loaded_in_the_background_though_nobody_asks() -> None:
    loaded = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load() -> App:
        loop.call_soon_threadsafe(loaded.set)
        return told

    async with loading([LateRoom(load)]), asyncio.timeout(30):
        await loaded.wait()


async def test_the_first_page_and_the_first_request_of_the_api_are_answered_at_once(gateway: RunningGateway) -> None:
    credential = {"authorization": f"Bearer {gateway.management_token}"}

    page, listed = await asyncio.gather(
        gateway.client.get("/admin/login"), gateway.client.get("/api/admin/backends", headers=credential)
    )

    assert page.status_code in (200, 303)
    assert listed.status_code == 200
