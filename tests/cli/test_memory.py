"""What the program keeps of memory that it needed once."""

from __future__ import annotations

import asyncio
import concurrent.futures
import ctypes
import http.client
import json
import os
from pathlib import Path

import pytest

from gateway.cli.memory import giving_back
from tests.cli.program import Program, serving

MIB = 1024 * 1024
OF_GLIBC = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="another C library gives back by itself"
)


def resident(pid: int) -> int:
    """Bytes of the process in memory."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096


def ask(program: Program, size: int) -> int:
    """A call with a long system prompt; its status."""
    told = [{"role": "system", "content": "x" * size}, {"role": "user", "content": "Say hi"}]
    connection = http.client.HTTPConnection(program.url.removeprefix("http://"), timeout=60)
    headers = {"authorization": f"Bearer {program.ready['api_key']}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", json.dumps({"model": "demo/echo", "messages": told}), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_large_bodies_leave_little_memory_behind(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        assert program.request("GET", "/admin/login")[0] in (200, 303)
        with concurrent.futures.ThreadPoolExecutor(3) as at_once:
            assert set(at_once.map(lambda _: ask(program, 1000), range(30))) == {200}
            before = resident(program.process.pid)
            assert set(at_once.map(lambda _: ask(program, 15 * MIB), range(9))) == {200}
        after = resident(program.process.pid)

    assert after - before < 40 * MIB


@OF_GLIBC
@pytest.mark.anyio
async def test_what_is_free_between_things_that_stay_is_given_back() -> None:
    blocks = [bytearray(b"x" * 100_000) for _ in range(400)]
    kept = blocks[::2]
    del blocks
    before = resident(os.getpid())

    async with giving_back(0.01):
        async with asyncio.timeout(30):
            while resident(os.getpid()) > before - 10 * MIB:
                await asyncio.sleep(0.01)

    assert all(block == b"x" * 100_000 for block in kept)


@OF_GLIBC
@pytest.mark.anyio
async def test_nothing_goes_on_behind_it() -> None:
    async with giving_back(0.001):
        await asyncio.sleep(0.01)
        assert any(task.get_name() == "memory" for task in asyncio.all_tasks())

    assert not any(task.get_name() == "memory" for task in asyncio.all_tasks())
