"""Paths that only pass: heard as they were sent but for the model's name, and answered to the byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from gateway.model.registry import ApiFormat
from gateway.proxy.surfaces import SURFACES, listed_model, stored_response, surface_of
from tests.conftest import MakeProvider
from tests.harness import RunningGateway
from tests.provider import Exchange, Pause, Provider, answer, refused, sse, stream

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
TOLD = {"prompt_tokens": 9, "total_tokens": 9}


def completion(text: str, finish: str | None, **more: Any) -> Json:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "u", "choices": [choice], **more}


COMPLETED = completion("Hello", "stop", usage={"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12})
EMBEDDED = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 1e-09]}],
    "model": "u",
    "usage": TOLD,
}
FLAGS = {"harassment": False, "hate": True}
MODERATED = {
    "id": "modr-1",
    "model": "u",
    "results": [{"flagged": True, "categories": FLAGS, "category_scores": {}, "category_applied_input_types": {}}],
}
PICTURE = {
    "created": 1,
    "data": [{"b64_json": "iVBORw0KGgo="}],
    "usage": {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12},
}
RERANKED = {"results": [{"index": 1, "relevance_score": 0.98}], "usage": {"total_tokens": 9}}
HEARD = {"text": "Hello", "usage": {"type": "tokens", "input_tokens": 9, "output_tokens": 3, "total_tokens": 12}}
PASSED: list[tuple[str, ApiFormat, Json, Json, tuple[int, int]]] = [
    ("/v1/completions", ApiFormat.OPENAI_COMPLETIONS, {"prompt": "Say"}, COMPLETED, (9, 3)),
    ("/v1/embeddings", ApiFormat.OPENAI_EMBEDDINGS, {"input": ["a", "b"], "dimensions": 2}, EMBEDDED, (9, 0)),
    ("/v1/moderations", ApiFormat.OPENAI_MODERATIONS, {"input": "abc"}, MODERATED, (1, 0)),
    ("/v1/images/generations", ApiFormat.OPENAI_IMAGES, {"prompt": "A weir", "size": "1x1"}, PICTURE, (9, 3)),
    ("/v1/images/edits", ApiFormat.OPENAI_IMAGES, {"prompt": "A weir", "images": []}, PICTURE, (9, 3)),
    ("/v1/rerank", ApiFormat.RERANK, {"query": "q", "documents": ["a", "b"], "top_n": 1}, RERANKED, (9, 0)),
]


async def served(gateway: RunningGateway, made: Provider, api_format: ApiFormat, **fields: Any) -> None:
    await gateway.backend(made, models={"m": "theirs-1"}, api_format=api_format.value, **fields)


def sdk(gateway: RunningGateway) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0)


@pytest.mark.parametrize(("path", "api_format", "asked", "said", "used"), PASSED, ids=[case[0] for case in PASSED])
async def test_it_passes_and_is_metered(
    gateway: RunningGateway,
    provider: MakeProvider,
    path: str,
    api_format: ApiFormat,
    asked: Json,
    said: Json,
    used: tuple[int, int],
) -> None:
    body = json.dumps(said, indent=1).encode()
    made = await provider(answer(body, headers={"openai-version": "v", "set-cookie": "x=1", "server": "s"}))
    await served(gateway, made, api_format)
    sent = {**asked, "model": "m", "odd": 123456789012345678901234567890, "float": 1.50}
    got = await gateway.client.post(path, headers=gateway.auth, json=sent)
    assert (got.status_code, got.content) == (200, body)
    assert (got.headers["openai-version"], got.headers["x-gateway-model"]) == ("v", "m")
    assert not {"set-cookie", "server"} & got.headers.keys()
    (heard,) = made.heard
    assert (heard.path, heard.json()) == (path, {**sent, "model": "theirs-1"})
    row = await gateway.row()
    assert (row.api_format, row.upstream_format, row.path) == (api_format.value, api_format.value, path)
    assert (row.usage.input, row.usage.output) == used


@pytest.mark.parametrize(("path", "api_format", "asked", "said", "used"), PASSED, ids=[case[0] for case in PASSED])
async def test_another_backend_takes_over_and_the_last_refusal_is_in_openais_words(
    gateway: RunningGateway,
    provider: MakeProvider,
    path: str,
    api_format: ApiFormat,
    asked: Json,
    said: Json,
    used: tuple[int, int],
) -> None:
    failing, spare = await provider(refused(500, "down")), await provider(answer(said), refused(500, "down"))
    await served(gateway, failing, api_format)
    await served(gateway, spare, api_format, pool="fallback")
    sent = {**asked, "model": "m"}
    assert (await gateway.client.post(path, headers=gateway.auth, json=sent)).json() == said
    got = await gateway.client.post(path, headers=gateway.auth, json=sent)
    assert (got.status_code, got.json()["error"]["type"]) == (502, "upstream_error")
    assert [[attempt.status for attempt in row.attempts] for row in await gateway.rows()] == [[500, 200], [500, 500]]


async def test_openais_sdk_understands_what_passes(gateway: RunningGateway, provider: MakeProvider) -> None:
    scenes = [(ApiFormat.OPENAI_COMPLETIONS, COMPLETED), (ApiFormat.OPENAI_EMBEDDINGS, EMBEDDED)]
    scenes += [(ApiFormat.OPENAI_MODERATIONS, MODERATED), (ApiFormat.OPENAI_IMAGES, PICTURE)]
    scenes += [(ApiFormat.OPENAI_AUDIO, HEARD)]
    for api_format, said in scenes:
        await served(gateway, await provider(answer(said)), api_format)
    async with sdk(gateway) as ours:
        assert (await ours.completions.create(model="m", prompt="Say")).choices[0].text == "Hello"
        embedded = await ours.embeddings.create(model="m", input="a", encoding_format="float")
        assert embedded.data[0].embedding == [0.1, 1e-09]
        assert (await ours.moderations.create(model="m", input="abc")).results[0].flagged
        drawn = await ours.images.generate(model="m", prompt="A weir")
        edited = await ours.images.edit(model="m", prompt="A bridge", image=("a.png", b"\x89PNG", "image/png"))
        assert drawn.data == edited.data
        assert drawn.data is not None
        assert drawn.data[0].b64_json == "iVBORw0KGgo="
        clip = ("a.wav", b"RIFF\x00\xff", "audio/wav")
        assert (await ours.audio.transcriptions.create(model="m", file=clip)).text == "Hello"
        with pytest.warns(DeprecationWarning):
            assert (await ours.audio.translations.create(model="m", file=clip)).text == "Hello"


async def test_a_stream_of_completions_hides_the_usage_that_only_the_gateway_asked_for(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    chunks = [
        completion("Hel", None),
        completion("lo", "stop"),
        {**completion("", None), "choices": [], "usage": usage},
    ]
    made = await provider(stream(sse(*chunks, "[DONE]")))
    await served(gateway, made, ApiFormat.OPENAI_COMPLETIONS)
    async with sdk(gateway) as ours:
        got = [chunk async for chunk in await ours.completions.create(model="m", prompt="Say", stream=True)]
    assert [chunk.choices[0].text for chunk in got] == ["Hel", "lo"]
    assert made.heard[0].json()["stream_options"] == {"include_usage": True}
    row = await gateway.row()
    assert (row.usage.input, row.usage.output, row.usage.source.value) == (9, 2, "reported")


SOUND = bytes(range(256)) * 40


async def test_speech_comes_as_it_is_made(gateway: RunningGateway, provider: MakeProvider) -> None:
    heard_first = asyncio.Event()

    async def speak(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "audio/mpeg", "transfer-encoding": "chunked"})
        await exchange.chunk(SOUND[:5000])
        async with asyncio.timeout(5):
            await heard_first.wait()
        await exchange.chunk(SOUND[5000:])
        await exchange.write(b"0\r\n\r\n")

    made = await provider(speak)
    await served(gateway, made, ApiFormat.OPENAI_AUDIO)
    came = b""
    async with (
        sdk(gateway) as ours,
        ours.audio.speech.with_streaming_response.create(model="m", voice="alloy", input="Grüße") as got,
    ):
        assert got.headers["content-type"] == "audio/mpeg"
        async for piece in got.iter_bytes(1000):
            came += piece
            heard_first.set()
    assert came == SOUND
    assert made.heard[0].json() == {"model": "theirs-1", "voice": "alloy", "input": "Grüße"}
    assert (await gateway.row()).usage.input > 0


async def test_speech_that_breaks_off_does_not_end_well(gateway: RunningGateway, provider: MakeProvider) -> None:
    async def stop_short(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "audio/mpeg", "transfer-encoding": "chunked"})
        await exchange.chunk(SOUND)
        exchange.writer.close()

    await served(gateway, await provider(stop_short), ApiFormat.OPENAI_AUDIO)
    with pytest.raises(openai.APIError):
        async with sdk(gateway) as ours:
            await (await ours.audio.speech.create(model="m", voice="alloy", input="Hi")).aread()
    assert (await gateway.row()).error_code == "stream_broken"


async def test_a_client_that_leaves_in_the_midst_of_an_upload_is_not_waited_for(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    left = asyncio.Event()
    made = await provider()
    await served(gateway, made, ApiFormat.OPENAI_AUDIO)
    head = b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n'
    head += b'--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 200_000

    async def half() -> AsyncIterator[bytes]:
        yield head
        for _ in range(300):
            if made.arrived:
                left.set()
            await asyncio.sleep(0.01)

    headers = {**gateway.auth, "content-type": "multipart/form-data; boundary=b"}
    asking = asyncio.create_task(gateway.client.post("/v1/audio/transcriptions", headers=headers, content=half()))
    async with asyncio.timeout(5):
        await left.wait()
    asking.cancel()
    await asyncio.wait({asking})
    row = await gateway.row()
    assert (row.code, row.error_code) == (499, "client_left")


async def test_pings_and_comments_of_the_same_format_pass(gateway: RunningGateway, provider: MakeProvider) -> None:
    parts: list[bytes | Pause] = [b": waiting\n\n", *sse(completion("Hi", "stop"), "[DONE]")]
    await served(gateway, await provider(stream(parts)), ApiFormat.OPENAI_COMPLETIONS)
    got = await gateway.client.post(
        "/v1/completions", headers=gateway.auth, json={"model": "m", "prompt": "a", "stream": True}
    )
    assert got.content == b"".join(part for part in parts if isinstance(part, bytes))


def test_paths_are_what_the_table_says() -> None:
    for path, surface in SURFACES.items():
        assert surface_of(path) is surface
    asked = surface_of("/v1beta/models/gemini-2.5%2Fx:streamGenerateContent")
    assert asked is not None
    assert (asked.api_format, asked.model, asked.is_stream) == (ApiFormat.GEMINI_GENERATE, "gemini-2.5/x", True)
    assert [surface_of(path) for path in ("/v1/models", "/v1/responses/resp_1", "/v1/nope")] == [None] * 3
    assert (listed_model("/v1/models"), listed_model("/v1beta/models/a%2Fb"), listed_model("/v1/m")) == (
        "",
        "a/b",
        None,
    )
    assert stored_response("/v1/responses/resp_1/cancel") == ("resp_1", "cancel")
    assert stored_response("/v1/responses/../x") is None
