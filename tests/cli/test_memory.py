"""What the program keeps of memory that it needed once."""

from __future__ import annotations

import concurrent.futures
import http.client
import json
from pathlib import Path

from tests.cli.program import Program, serving

MIB = 1024 * 1024


def resident(program: Program) -> int:
    """Bytes of the process in memory."""
    fields = Path(f"/proc/{program.process.pid}/statm").read_text().split()
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
            before = resident(program)
            assert set(at_once.map(lambda _: ask(program, 15 * MIB), range(9))) == {200}
        after = resident(program)

    assert after - before < 40 * MIB
