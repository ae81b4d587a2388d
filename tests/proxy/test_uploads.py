"""Multipart bodies: sent on while they arrive, again where a backend fails, never changed but for the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import answer, refused

pytestmark = pytest.mark.anyio
SAID = {"text": "hello", "usage": {"type": "tokens", "input_tokens": 14, "output_tokens": 5, "total_tokens": 19}}
KIND = "multipart/form-data; boundary=bnd"
PATH = "/v1/audio/transcriptions"


def field(name: str, value: bytes, more: str = "") -> bytes:
    return f'--bnd\r\ncontent-disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def body(*, file: bytes = b"\x00\xff--bnd? " * 100, model: str = "m", is_last: bool = False) -> bytes:
    parts = [field("model", model.encode()), field("file", file, '; filename="a.wav"\r\ncontent-type: audio/wav')]
    return b"".join(reversed(parts) if is_last else parts) + field("language", b"de") + b"--bnd--\r\n"


async def audio(gateway: RunningGateway, provider: MakeProvider, *scenes: Any, **fields: Any) -> Any:
    made = await provider(*(scenes or (answer(SAID),)))
    await gateway.backend(made, models={"m": "whisper-large"}, api_format="openai_audio", **fields)
    return made


async def post(gateway: RunningGateway, content: Any, **headers: str) -> Any:
    return await gateway.client.post(
        PATH, headers={**gateway.auth, "content-type": KIND, **headers}, content=content, timeout=20
    )


@pytest.mark.parametrize("is_last", [False, True])
async def test_only_the_models_name_changes_wherever_it_stands(
    gateway: RunningGateway, provider: MakeProvider, is_last: bool
) -> None:
    made = await audio(gateway, provider)
    got = await post(gateway, body(is_last=is_last))
    assert got.json() == SAID
    (heard,) = made.heard
    assert heard.body == body(model="whisper-large", is_last=is_last)
    assert (heard.headers["content-type"], heard.path) == (KIND, PATH)
    assert heard.headers["content-length"] == str(len(heard.body))
    row = await gateway.row()
    assert (row.api_format, row.asked_model, row.usage.input, row.usage.output) == ("openai_audio", "m", 14, 5)


async def test_a_body_without_a_declared_length_passes_in_chunks(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    made = await audio(gateway, provider)

    async def pieces() -> AsyncIterator[bytes]:
        whole = body()
        for start in range(0, len(whole), 7):
            yield whole[start : start + 7]

    assert (await post(gateway, pieces())).json() == SAID
    assert made.heard[0].body == body(model="whisper-large")


async def test_the_provider_reads_the_beginning_before_the_client_has_sent_the_end(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    began = asyncio.Event()
    made = await audio(gateway, provider)

    async def slowly() -> AsyncIterator[bytes]:
        whole = body(file=b"x" * 300_000)
        yield whole[:200_000]
        for _ in range(400):
            if made.arrived >= 100_000:
                began.set()
                break
            await asyncio.sleep(0.01)
        yield whole[200_000:]

    assert (await post(gateway, slowly())).json() == SAID
    assert began.is_set()
    assert made.heard[0].body == body(file=b"x" * 300_000, model="whisper-large")


async def test_a_second_backend_gets_all_of_it(gateway: RunningGateway, provider: MakeProvider) -> None:
    failing = await audio(gateway, provider, refused(500, "down"))
    spare = await audio(gateway, provider, pool="fallback")
    big = b"y" * 3_000_000  # larger than what is kept in memory
    got = await post(gateway, body(file=big))
    assert got.json() == SAID
    assert len(failing.heard) == 1
    assert spare.heard[0].body == body(file=big, model="whisper-large")
    assert [attempt.status for attempt in (await gateway.row()).attempts] == [500, 200]


async def test_what_is_no_upload_is_refused_in_words(gateway: RunningGateway, provider: MakeProvider) -> None:
    await audio(gateway, provider)
    missing = await post(gateway, field("file", b"x") + b"--bnd--\r\n")
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "model")
    unbound = await post(gateway, b"x", **{"content-type": "multipart/form-data"})
    assert unbound.json()["error"]["code"] == "invalid_multipart"
    unknown = await post(gateway, body(model="nope"))
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")


async def test_one_that_is_too_large_is_refused_before_and_while_it_comes(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await audio(gateway, provider)
    most = gateway.desk.settings.max_body_bytes

    async def endless() -> AsyncIterator[bytes]:
        yield body()[:200]
        for _ in range(most // 1_000_000 + 2):
            yield b"z" * 1_000_000

    declared = body(file=b"z" * (most + 1))
    for content in (declared, endless()):
        got = await post(gateway, content)
        assert (got.status_code, got.json()["error"]["code"]) == (413, "request_too_large")


async def test_an_upload_may_be_json_where_it_has_no_file(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await audio(gateway, provider)
    got = await gateway.client.post(
        "/v1/audio/speech", headers=gateway.auth, json={"model": "m", "input": "say", "voice": "alloy"}
    )
    assert got.status_code == 200
    assert json.loads(made.heard[0].body)["model"] == "whisper-large"
