"""What a newcomer sees, told from beginning to end with the real program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, OpenAI

from tests.cli.program import Program, run, serving


def rows(data_dir: Path, statement: str) -> list[tuple[Any, ...]]:
    """What the database says, read beside the running program."""
    url = f"file:{data_dir / 'gateway.db'}?mode=ro"
    with contextlib.closing(sqlite3.connect(url, uri=True)) as connection:
        return connection.execute(statement).fetchall()


def eventually(data_dir: Path, statement: str, wanted: list[tuple[Any, ...]]) -> None:
    """The ledger is written behind: give it a moment."""
    deadline = time.monotonic() + 5
    while (found := rows(data_dir, statement)) != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    assert found == wanted


def pools(program: Program, token: str) -> dict[str, Any]:
    status, _, body = program.request("GET", "/api/admin/pools/stats", headers={"authorization": f"Bearer {token}"})
    assert status == 200, body
    return {pool["name"]: pool for pool in json.loads(body)["items"]}


def test_a_limited_backend_rests_the_spare_answers_and_a_kill_changes_nothing(tmp_path: Path) -> None:
    made = json.loads(run("init", "--data-dir", str(tmp_path), "--json", "--no-detect").stdout)
    key, token = made["api_key"], made["management_token"]
    with serving(tmp_path) as program:
        status, headers, _ = program.ask(key, "demo/429")
        assert (status, headers["x-gateway-provider"]) == (200, "demo-spare")
        status, headers, _ = program.ask(key, "demo/echo")
        assert (status, headers["x-gateway-provider"]) == (200, "demo-spare"), "demo rests now"
        tries = "SELECT number, backend, status FROM attempts ORDER BY call_id, number"
        eventually(tmp_path, tries, [(1, "demo/main", 429), (2, "demo-spare/main", 200), (1, "demo-spare/main", 200)])
        eventually(tmp_path, "SELECT count(*) FROM backend_states WHERE resting_until IS NOT NULL", [(1,)])
        program.process.kill()
        program.process.wait()

    with serving(tmp_path) as program:
        status, headers, _ = program.ask(key, "demo/echo")
        assert (status, headers["x-gateway-provider"]) == (200, "demo-spare"), "the rest survived the kill"
        eventually(tmp_path, "SELECT count(*) FROM calls", [(3,)])
        assert pools(program, token)["primary"]


def test_every_fault_of_the_demo_ends_as_the_documents_say(tmp_path: Path) -> None:
    expected = {"echo": "demo", "500": "demo-spare", "503": "demo-spare", "hang": "demo-spare", "slow": "demo"}
    for name, provider in expected.items():
        with serving(tmp_path / name, "--no-detect") as program:
            began = time.monotonic()
            status, headers, body = program.ask(program.ready["api_key"], f"demo/{name}", stream=True)
            assert (name, status, headers["x-gateway-provider"]) == (name, 200, provider)
            assert b'"content":" hi"' in body and body.endswith(b"data: [DONE]\n\n")
            assert time.monotonic() - began < 5


def test_the_header_asks_for_a_fault_as_the_model_does(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        body = {"model": "demo/echo", "messages": [{"role": "user", "content": "Say hi"}]}
        headers = {"authorization": f"Bearer {program.ready['api_key']}", "x-demo-fault": "500"}
        status, answered, _ = program.request("POST", "/v1/chat/completions", body, headers)

    assert (status, answered["x-gateway-provider"]) == (200, "demo-spare")


def test_the_openai_sdk_talks_to_it(tmp_path: Path) -> None:
    messages: Any = [{"role": "user", "content": "one two three"}]
    with (
        serving(tmp_path) as program,
        OpenAI(base_url=program.ready["api"], api_key=program.ready["api_key"], max_retries=0) as sdk,
    ):
        assert "demo/echo" in {model.id for model in sdk.models.list()}
        whole = sdk.chat.completions.create(model="demo/echo", messages=messages)
        stream = sdk.chat.completions.create(
            model="demo/echo", messages=messages, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(stream)
        with pytest.raises(APIStatusError) as unknown:
            sdk.chat.completions.create(model="no-such-model", messages=messages)

    assert whole.choices[0].message.content == "one two three"
    assert whole.usage is not None and whole.usage.completion_tokens == 3
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 3
    assert unknown.value.status_code == 404


def test_usage_is_in_the_ledger_whether_it_was_streamed_or_not(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        for is_stream in (False, True):
            assert program.ask(program.ready["api_key"], stream=is_stream)[0] == 200
        eventually(
            tmp_path,
            """
            SELECT is_stream, status, code, input_tokens, output_tokens, usage_source, cost_nano
            FROM calls ORDER BY id
            """,
            [(0, "completed", 200, 2, 2, "reported", 0), (1, "completed", 200, 2, 2, "reported", 0)],
        )


@contextlib.contextmanager
def model_server() -> Iterator[int]:
    """A local server as vLLM would be, on a port where one is looked for; it says the same to everybody."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for port in (8081, 8000, 1234, 11434):
        with contextlib.suppress(OSError):
            listening.bind(("127.0.0.1", port))
            break
    else:
        listening.close()
        pytest.skip("every port where a local server could be is taken")
    listening.listen()
    body = b'{"object":"list","data":[{"id":"Local-Model"}]}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_local_server_is_found_and_its_models_can_be_asked_for(tmp_path: Path) -> None:
    with model_server() as port, serving(tmp_path) as program:
        assert any(f"http://127.0.0.1:{port}" in one and "1 model" in one for one in program.ready["found"])
        status, _, body = program.request(
            "GET", "/v1/models", headers={"authorization": f"Bearer {program.ready['api_key']}"}
        )

    assert status == 200
    assert "local-model" in {model["id"] for model in json.loads(body)["data"]}


def test_detection_can_be_switched_off(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-detect", OPENAI_API_KEY="sk-x") as program:
        assert program.ready["found"] == []
    with serving(tmp_path / "other", GATEWAY_DETECT="off", OPENAI_API_KEY="sk-x") as program:
        assert program.ready["found"] == []


def test_a_hundred_calls_at_once_are_all_answered_and_all_written(tmp_path: Path) -> None:
    async def one(program: Program, number: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(program.url.rsplit(":", 1)[1]))
        body = json.dumps({"model": "demo/echo", "messages": [{"role": "user", "content": f"number {number}"}]})
        head = [
            "POST /v1/chat/completions HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {program.ready['api_key']}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        writer.write("\r\n".join([*head, "", body]).encode())
        answer = await reader.read()
        writer.close()
        return answer

    async def every(program: Program) -> list[bytes]:
        return await asyncio.gather(*(one(program, number) for number in range(100)))

    with serving(tmp_path) as program:
        answers = asyncio.run(every(program))
        assert program.stop() == 0

    for number, answer in enumerate(answers):
        assert answer.startswith(b"HTTP/1.1 200") and f'"number {number}"'.encode() in answer
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT id) FROM calls WHERE status = 'completed'") == [(100, 100)]
