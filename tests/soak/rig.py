"""The real program under load, with a provider that writes down by itself what it served.

Short by default; `SOAK=long` (make soak) runs the same experiments for as long as it takes to be sure.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from tests.cli.program import Program, run, serving
from tests.provider import Exchange, delta, scripted_provider, sse

LONG = os.environ.get("SOAK") == "long"
PRICES = {"input_price": "3", "output_price": "15", "cache_read_price": "0.3", "request_price": "0.000001"}


Number = TypeVar("Number", int, float)


def rounds(short: Number, long: Number) -> Number:
    return long if LONG else short


@dataclass(slots=True)
class Witness:
    """A provider. Each call asks for its own number of tokens, so that a ledger row tells which call it is.

    Every answer that is over is a line of `path`: number, input and output tokens, finished or aborted.
    """

    path: Path
    chunks: int = 6
    pause: float = 0.02

    async def play(self, exchange: Exchange) -> None:
        body = json.loads(exchange.heard.body)
        number, output = int(body["user"]), int(body["max_tokens"])
        usage = {
            "prompt_tokens": number,
            "completion_tokens": output,
            "prompt_tokens_details": {"cached_tokens": number // 3},
        }
        is_finished = False
        try:
            if body.get("stream"):
                await self._stream(exchange, usage)
            else:
                await _whole(exchange, usage)
            is_finished = True
        finally:
            with self.path.open("a") as file:
                file.write(f"{number} {number} {output} {'finished' if is_finished else 'aborted'}\n")

    async def _stream(self, exchange: Exchange, usage: dict[str, Any]) -> None:
        await exchange.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        gone = asyncio.create_task(exchange.reader.read(1))
        try:
            for _ in range(self.chunks):
                await exchange.chunk(sse(delta("word "))[0])
                await asyncio.wait({gone}, timeout=self.pause * random.random() * 2)  # noqa: S311
                if gone.done():
                    raise ConnectionResetError
            ends = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "u", "choices": []}
            for event in sse(delta(finish="stop"), {**ends, "usage": usage}, "[DONE]"):
                await exchange.chunk(event)
            await exchange.write(b"0\r\n\r\n")
        finally:
            # The connection is read by the next request's turn again, so the watcher may not keep its byte.
            gone.cancel()
            exchange.writer.close()

    def lines(self) -> dict[int, tuple[int, int, str]]:
        """By number: input tokens, output tokens, how it ended."""
        found = {}
        for line in self.path.read_text().splitlines() if self.path.exists() else ():
            number, given, taken, end = line.split()
            found[int(number)] = (int(given), int(taken), end)
        return found


async def _whole(exchange: Exchange, usage: dict[str, Any]) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello!"}, "finish_reason": "stop"}
    content = json.dumps(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "u", "choices": [choice], "usage": usage}
    ).encode()
    await exchange.head(200, {"content-type": "application/json", "content-length": str(len(content))})
    await exchange.write(content)


@dataclass(slots=True)
class Sent:
    """What a client saw of one call. `ended` is when its last byte came (monotonic), None where it never did."""

    number: int
    key: str
    request_id: str = ""
    status: int = 0
    ended: float | None = None
    text: str = ""


@dataclass(slots=True)
class Rig:
    """A data directory, its keys by name, and the calls that were made."""

    data_dir: Path
    witness: Witness
    token: str
    keys: dict[str, str] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    @property
    def database(self) -> Path:
        return self.data_dir / "gateway.db"

    @contextlib.contextmanager
    def serving(self, *words: str, **environ: str) -> Iterator[Program]:
        with serving(self.data_dir, "--no-detect", *words, **environ) as program:
            yield program

    def api(self, program: Program, method: str, path: str, **body: object) -> Any:
        headers = {"authorization": f"Bearer {self.token}"}
        status, _, content = program.request(method, f"/api/admin{path}", body or None, headers)
        assert status < 300, (status, content)
        return json.loads(content) if content else None

    def prepare(self, program: Program, base_url: str) -> None:
        """The model `m` at the witness, a key whose money is limited and one without limits, each of a user."""
        made = self.api(
            program,
            "POST",
            "/backends",
            name="witness",
            base_url=base_url,
            api_key="sk-provider-secret-0001",
            models=["m"],
            local_upstream=True,
            pool="primary",
        )
        self.api(program, "PATCH", f"/models/{made['models'][0]['id']}", **PRICES)
        self.api(program, "POST", "/users", username="bea", password="a-long-and-odd-password", quota="100000")
        for name, limits in (("limited", {"budget": "100000", "user_id": "bea"}), ("free", {})):
            self.keys[name] = self.api(program, "POST", "/api-keys", name=name, **limits)["key"]

    async def load(self, url: str, *, rate: float, seconds: float, streams: float = 0.3) -> None:
        """Calls at a fixed rate whatever becomes of them."""
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=50)
        async with httpx.AsyncClient(base_url=url, timeout=30, limits=limits) as client:
            begin, made = time.monotonic(), 0
            calls = set()
            while (due := made / rate) < seconds:
                await asyncio.sleep(max(0.0, begin + due - time.monotonic()))
                calls.add(asyncio.create_task(self.call(client, is_stream=random.random() < streams)))  # noqa: S311
                made += 1
            await asyncio.wait(calls)

    async def call(self, client: httpx.AsyncClient, *, is_stream: bool, name: str = "") -> Sent:
        """One call whose own number is also its number of input tokens, with the API key of this name."""
        number = len(self.sent) + 1
        name = name or ("limited" if number % 2 else "free")
        sent = Sent(number, name)
        self.sent.append(sent)
        body = {
            "model": "m",
            "messages": [{"role": "user", "content": "Say hi"}],
            "user": str(number),
            "max_tokens": 10 + number % 50,
            "stream": is_stream,
        }
        with contextlib.suppress(httpx.HTTPError):
            headers = {"authorization": f"Bearer {self.keys[name]}"}
            async with client.stream("POST", "/v1/chat/completions", json=body, headers=headers) as got:
                sent.status, sent.request_id = got.status_code, got.headers.get("x-gateway-request-id", "")
                async for part in got.aiter_text():
                    sent.text += part
                if not is_stream or "[DONE]" in sent.text or '"error"' in sent.text:
                    sent.ended = time.monotonic()
        return sent

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database says, read beside the program or after it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, values).fetchall()

    def prove(self) -> None:
        """The file is sound, and every sum follows from its rows."""
        assert self.rows("PRAGMA integrity_check") == [("ok",)]
        assert self.rows("PRAGMA foreign_key_check") == []
        proof = run("ledger", "verify", "--data-dir", str(self.data_dir))
        assert proof.returncode == 0, proof.stdout + proof.stderr


@contextlib.asynccontextmanager
async def rigged(data_dir: Path) -> AsyncIterator[Rig]:
    """A prepared data directory and its provider; nothing is served yet."""
    made = json.loads(run("init", "--data-dir", str(data_dir / "gateway"), "--json", "--no-detect").stdout)
    witness = Witness(data_dir / "witness.txt")
    async with scripted_provider(witness.play) as provider:
        rig = Rig(data_dir / "gateway", witness, made["management_token"])
        with rig.serving() as program:
            await asyncio.to_thread(rig.prepare, program, provider.base_url)
            await asyncio.to_thread(program.stop)
        yield rig
