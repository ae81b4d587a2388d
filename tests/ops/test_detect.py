"""Looking around on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.control.presets import PRESETS
from gateway.ops.detect import _probe, detect
from gateway.settings import Settings

pytestmark = pytest.mark.anyio
SETTINGS = Settings(Path("/nowhere"), port=1)


async def names(settings: Settings) -> list[tuple[str, str, str | None]]:
    return [(one.name, one.base_url, one.env_name) for one in await detect(settings) if one.env_name]


async def test_keys_are_found_under_their_usual_names_and_referred_to() -> None:
    found = await detect(
        replace(SETTINGS, secrets={"OPENAI_API_KEY": "sk-CANARY", "GOOGLE_API_KEY": "x", "OTHER_API_KEY": "y"})
    )

    keyed = {one.name: one.env_name for one in found if one.env_name}
    assert keyed == {"openai": "OPENAI_API_KEY", "gemini": "GOOGLE_API_KEY"}
    assert "CANARY" not in repr(found)


async def test_a_base_url_in_the_environment_goes_with_its_key() -> None:
    settings = replace(
        SETTINGS, secrets={"OPENAI_API_KEY": "x"}, base_urls={"OPENAI_BASE_URL": "https://eu.api.example.com/v1/"}
    )

    assert await names(settings) == [("openai", "https://eu.api.example.com/v1", "OPENAI_API_KEY")]


async def test_a_key_that_belongs_to_this_gateway_is_no_provider() -> None:
    settings = replace(SETTINGS, port=8080, secrets={"OPENAI_API_KEY": "sk-gw-x"})

    for own in ("http://127.0.0.1:8080/v1", "http://localhost:8080/v1"):
        assert await names(replace(settings, base_urls={"OPENAI_BASE_URL": own})) == []


Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    talks = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await answer(writer)
        writer.close()

    listening = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()[1]
    await asyncio.gather(*filter(None, talks))


def saying(status: str, body: bytes) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + status.encode() + b"\r\nContent-Type: application/json\r\n\r\n" + body)
        await writer.drain()

    return answer


async def test_a_local_server_is_found_with_its_models() -> None:
    listed = b'{"object":"list","data":[{"id":"llama3:8b","owned_by":"x"},{"id":"qwen"},{"id":""}]}'
    async with server(saying("200 OK", listed)) as port:
        first = await _probe(replace(PRESETS["ollama"], ports=(port,)), port)
        other = await _probe(PRESETS["vllm"], port)

    assert first is not None and other is not None
    assert (first.name, first.base_url, first.models) == (
        "ollama",
        f"http://127.0.0.1:{port}/v1",
        ("llama3:8b", "qwen"),
    )
    assert other.name == f"vllm-{port}"


async def test_a_server_without_models_is_found_too() -> None:
    async with server(saying("200 OK", b'{"object":"list","data":null}')) as port:
        found = await _probe(PRESETS["ollama"], port)

    assert found is not None and found.models == ()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("200 OK", b"<html>"),
        ("401 Unauthorized", b"{}"),
        ("404 Not Found", b"{}"),
        ("200 OK", b"[1]"),
        ("200 OK", b"[" * 9000),
    ],
)
async def test_what_is_no_model_server_is_passed_by(status: str, body: bytes) -> None:
    async with server(saying(status, body)) as port:
        assert await _probe(PRESETS["vllm"], port) is None


async def test_a_server_that_hangs_costs_three_tenths_of_a_second() -> None:
    async def hang(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)

    async with server(hang) as port:
        began = time.monotonic()
        assert await _probe(PRESETS["vllm"], port) is None
        assert time.monotonic() - began < 0.5
