"""The built-in demo backend over its real socket."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from gateway.control.first_start import DEMO_MODELS
from gateway.ops.demo import demo_server
from gateway.ops.demo_answers import MODELS

pytestmark = pytest.mark.anyio
TEXT = "Say  hi\nto them "


def question(text: object = TEXT, **more: Any) -> dict[str, Any]:
    return {"model": "echo", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture
async def demo() -> AsyncIterator[httpx.AsyncClient]:
    async with demo_server() as origin, httpx.AsyncClient(base_url=origin, timeout=5, trust_env=False) as client:
        yield client


async def chunks(demo: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    answer = await demo.post("/v1/chat/completions", json=question(stream=True, **more))
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, end = [event for event in answer.text.split("\n\n") if event]
    assert end == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


async def test_it_repeats_the_last_user_message_and_counts_words(demo: httpx.AsyncClient) -> None:
    answer = (await demo.post("/v1/chat/completions", json=question())).json()

    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["completion_tokens"] == 5
    assert answer["usage"]["total_tokens"] == 10


async def test_parts_of_a_message_count_and_without_one_it_says_what_to_do(demo: httpx.AsyncClient) -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "image_url"}, {"type": "text", "text": "two"}]
    said = (await demo.post("/v1/chat/completions", json=question(parts))).json()
    silent = (await demo.post("/v1/chat/completions", json={"model": "echo", "messages": [{"role": "system"}]})).json()

    assert said["choices"][0]["message"]["content"] == "one two"
    assert "role user" in silent["choices"][0]["message"]["content"]


async def test_a_stream_has_a_word_in_each_chunk(demo: httpx.AsyncClient) -> None:
    found = await chunks(demo)

    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in found) == TEXT
    assert found[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None] * 6 + ["stop"]
    assert len({chunk["id"] for chunk in found}) == 1
    assert not any("usage" in chunk for chunk in found)


async def test_a_stream_reports_usage_in_a_last_chunk_without_choices_when_asked(demo: httpx.AsyncClient) -> None:
    found = await chunks(demo, stream_options={"include_usage": True})

    assert [chunk["usage"] for chunk in found[:-1]] == [None] * 7
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["completion_tokens"] == 5


async def test_it_stops_at_the_most_tokens(demo: httpx.AsyncClient) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        answer = (await demo.post("/v1/chat/completions", json=question(**{name: 2}))).json()

        assert answer["choices"][0]["message"]["content"] == "Say  hi"
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"]["completion_tokens"] == 2


async def test_the_openai_sdk_understands_it(demo: httpx.AsyncClient) -> None:
    async with AsyncOpenAI(base_url=f"{demo.base_url}/v1", api_key="none") as sdk:
        assert {model.id async for model in sdk.models.list()} == set(MODELS)
        whole = await sdk.chat.completions.create(model="echo", messages=[{"role": "user", "content": "Hi"}])
        assert whole.choices[0].message.content == "Hi"


async def test_every_fault_has_a_model_that_the_first_start_adds() -> None:
    assert MODELS == DEMO_MODELS


@pytest.mark.parametrize("fault", ["429", "500", "503"])
async def test_a_fault_is_asked_for_by_header_or_by_model(demo: httpx.AsyncClient, fault: str) -> None:
    by_header = await demo.post("/v1/chat/completions", json=question(), headers={"x-demo-fault": fault})
    by_model = await demo.post("/v1/chat/completions", json=question() | {"model": f"demo/{fault}"})

    assert by_header.status_code == by_model.status_code == int(fault)
    assert by_header.json() == by_model.json()
    assert by_header.json()["error"]["message"]


async def test_429_says_when_to_come_back_as_openai_does(demo: httpx.AsyncClient) -> None:
    answer = await demo.post("/v1/chat/completions", json=question() | {"model": "429"})

    assert answer.headers["retry-after"] == "20"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert answer.headers["x-ratelimit-reset-requests"] == "20s"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"


async def test_cut_ends_the_connection_in_the_middle(demo: httpx.AsyncClient) -> None:
    heard = b""
    with pytest.raises(httpx.RemoteProtocolError):
        async with demo.stream(
            "POST", "/v1/chat/completions", json=question(stream=True), headers={"x-demo-fault": "cut"}
        ) as answer:
            async for data in answer.aiter_raw():
                heard += data
    with pytest.raises(httpx.RemoteProtocolError):
        await demo.post("/v1/chat/completions", json=question() | {"model": "cut"})

    assert b'"content":"Say"' in heard and b"[DONE]" not in heard


async def test_slow_waits_before_each_piece(demo: httpx.AsyncClient) -> None:
    began = time.monotonic()
    await demo.post("/v1/chat/completions", json=question("a b", stream=True) | {"model": "slow"})

    assert time.monotonic() - began == pytest.approx(5 * 0.2, abs=0.3)


async def test_hang_never_answers(demo: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await demo.post("/v1/chat/completions", json=question() | {"model": "hang"}, timeout=0.3)


async def test_the_spare_ignores_faults(demo: httpx.AsyncClient) -> None:
    for fault in ("429", "500", "cut", "hang"):
        answer = await demo.post(
            "/spare/v1/chat/completions", json=question() | {"model": fault}, headers={"x-demo-fault": fault}
        )
        assert answer.json()["choices"][0]["message"]["content"] == TEXT


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b'{"model":"echo"}', 400),
        (b'{"model":"echo","messages":[]}', 400),
        (b'{"model":"echo","messages":["x"]}', 400),
        (b'{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}', 404),
        (b"[" * 200_000, 400),
    ],
)
async def test_what_it_does_not_understand_is_an_error_in_openais_shape(
    demo: httpx.AsyncClient, body: bytes, status: int
) -> None:
    answer = await demo.post("/v1/chat/completions", content=body)

    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


async def test_other_paths_and_methods_are_refused(demo: httpx.AsyncClient) -> None:
    assert (await demo.get("/v1/elsewhere")).status_code == 404
    assert (await demo.get("/v1/chat/completions")).status_code == 405
    assert (await demo.get("/spare/v1/models")).status_code == 200


async def test_it_stops_at_once_whatever_hangs_on_it() -> None:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        async with demo_server() as origin:
            hanging = asyncio.create_task(
                client.post(f"{origin}/v1/chat/completions", json=question() | {"model": "hang"})
            )
            await asyncio.sleep(0.1)
            began = time.monotonic()
        assert time.monotonic() - began < 1
        with pytest.raises(httpx.TransportError):
            await hanging
