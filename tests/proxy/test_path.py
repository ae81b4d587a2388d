"""A call through the whole gateway: what reaches the provider, and what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.conftest import MakeProvider
from tests.harness import HELLO, RunningGateway
from tests.provider import CHAT_ANSWER, answer, hello_stream, stream

pytestmark = pytest.mark.anyio


async def test_a_whole_answer_comes_back_byte_for_byte(gateway: RunningGateway, provider: MakeProvider) -> None:
    odd = (
        b'{ "choices" : [ {"message":{"content":"\xc3\xa9\\u00e9 \\ud83d\\ude00"}, "x":1.0e-03} ],\n'
        b'"big":123456789012345678901234567890}'
    )
    await gateway.backend(await provider(answer(odd)))

    got = await gateway.call()

    assert got.status_code == 200
    assert got.content == odd


async def test_a_stream_comes_back_byte_for_byte(gateway: RunningGateway, provider: MakeProvider) -> None:
    parts = [b": ping\n\n", *hello_stream(), b": bye\n\n"]
    await gateway.backend(await provider(stream(parts)))

    got = await gateway.call(stream=True, stream_options={"include_usage": True})

    assert got.content == b"".join(parts)
    assert got.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("is_chunked", [False, True], ids=["of a length", "in chunks"])
async def test_a_large_question_goes_on_byte_for_byte_but_for_the_models_name(
    gateway: RunningGateway, provider: MakeProvider, is_chunked: bool
) -> None:
    made = await provider()
    await gateway.backend(made)
    messages = json.dumps([{"role": "user", "content": "é\\u00e9 " * 400_000}], ensure_ascii=False).encode()
    body = b'{"model":"m","messages":' + messages + b',"big":1.0e-03}'

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_001):
            yield body[start : start + 100_001]

    headers = {**gateway.auth, "content-type": "application/json"}
    content = parts() if is_chunked else body
    got = await gateway.client.post("/v1/chat/completions", headers=headers, content=content)

    assert got.json() == CHAT_ANSWER
    assert made.heard[0].body == body
    row = await gateway.row()
    assert (row.asked_model, row.code, len(row.attempts)) == ("m", 200, 1)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
async def test_a_stream_split_anywhere_comes_back_whole(
    gateway: RunningGateway, provider: MakeProvider, size: int
) -> None:
    whole = b"".join(hello_stream())
    await gateway.backend(await provider(stream([whole[at : at + size] for at in range(0, len(whole), size)])))

    got = await gateway.call(stream=True, stream_options={"include_usage": True})

    assert got.content == whole
    assert (await gateway.row()).usage.output == 2


async def test_the_usage_chunk_that_only_the_gateway_asked_for_is_taken_out_and_nothing_else(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    backend = await provider(stream(hello_stream()))
    await gateway.backend(backend)

    got = await gateway.call(stream=True)

    assert backend.heard[0].json()["stream_options"] == {"include_usage": True}
    assert got.content == b"".join(hello_stream(usage=False))
    assert (await gateway.row()).usage.output == 2


async def test_a_provider_that_refuses_stream_options_is_asked_without(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    refusal = answer({"error": {"message": "Unknown field: stream_options"}}, 400)
    backend = await provider(refusal, stream(hello_stream(usage=False)))
    await gateway.backend(backend)

    first, second = await gateway.call(stream=True), await gateway.call(stream=True)

    assert (first.status_code, second.status_code) == (200, 200)
    assert ["stream_options" in heard.json() for heard in backend.heard] == [True, False, False]


async def test_only_the_model_is_rewritten(gateway: RunningGateway, provider: MakeProvider) -> None:
    backend = await provider()
    await gateway.backend(backend, models={"m": "their/own-Name"})
    sent = (
        b'{"unknown": {"deep": [1, 2.50, 1e-7, -0.0, 123456789012345678901234567890]}, "model": "m", '
        b'"messages": [{"role":"user","content":"h\xc3\xa9 \\u00e9 \\/ \xf0\x9f\x98\x80"}], '
        b'"temperature": 1.0, "empty": ""}'
    )

    got = await gateway.client.post(
        "/v1/chat/completions", content=sent, headers={**gateway.auth, "content-type": "application/json"}
    )

    assert got.status_code == 200
    heard = backend.heard[0].body
    assert json.loads(heard) == {**json.loads(sent), "model": "their/own-Name"}
    for piece in (
        b"[1, 2.50, 1e-7, -0.0, 123456789012345678901234567890]",
        b"\xf0\x9f\x98\x80",
        b"\\u00e9 \\/",
        b"1.0",
    ):
        assert piece in heard
    assert list(json.loads(heard)) == list(json.loads(sent))


async def test_the_answer_says_who_served_it(gateway: RunningGateway, provider: MakeProvider) -> None:
    made = await gateway.backend(await provider())

    got = await gateway.call()

    assert got.headers["x-gateway-model"] == "m"
    assert got.headers["x-gateway-provider"] == made.provider.name
    assert got.headers["x-gateway-backend"] == f"{made.provider.name}/{made.key.name}"
    assert got.headers["x-gateway-attempts"] == "1"
    assert int(got.headers["x-gateway-config-version"]) == gateway.desk.snapshot().version
    assert got.headers["x-request-id"] == (await gateway.row()).id


async def test_a_safe_request_id_of_the_client_is_echoed_and_an_unsafe_one_is_not(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider())

    safe = await gateway.call(headers={"x-request-id": "trace-1"})
    unsafe = await gateway.call(headers={"x-request-id": "a b<script>"})

    assert safe.headers["x-request-id"] == "trace-1"
    assert unsafe.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "carrier",
    [
        lambda key: {"authorization": f"Bearer {key}"},
        lambda key: {"authorization": f"bearer {key}"},
        lambda key: {"x-api-key": key},
        lambda key: {"api-key": key},
        lambda key: {"x-goog-api-key": key},
        lambda key: {"authorization": f"Bearer {key}", "x-api-key": key},
    ],
)
async def test_every_carrier_of_the_key_is_understood(
    gateway: RunningGateway, provider: MakeProvider, carrier: Any
) -> None:
    backend = await provider()
    await gateway.backend(backend)

    got = await gateway.client.post(
        "/v1/chat/completions", headers=carrier(gateway.api_key), json={"model": "m", "messages": HELLO}
    )

    assert got.status_code == 200
    assert gateway.api_key not in str(backend.heard[0].headers)


async def test_two_different_keys_are_refused(gateway: RunningGateway) -> None:
    got = await gateway.call(headers={"x-api-key": "another"})

    assert (got.status_code, got.json()["error"]["code"]) == (400, "ambiguous_credentials")


async def test_only_headers_on_the_list_reach_the_provider(gateway: RunningGateway, provider: MakeProvider) -> None:
    backend = await provider()
    made = await gateway.backend(backend)

    await gateway.call(
        headers={
            "openai-beta": "assistants=v2",
            "idempotency-key": "once",
            "cookie": "secret=1",
            "x-forwarded-for": "1.2.3.4",
            "proxy-authorization": "Basic x",
            "anthropic-beta": "hop",
            "connection": "keep-alive, anthropic-beta",
            "x-demo-fault": "500",
            "x-portkey-custom-host": "evil.test",
            "user-agent": "client/1",
        }
    )

    heard = backend.heard[0].headers
    assert heard["openai-beta"] == "assistants=v2"
    assert heard["idempotency-key"] == "once"
    assert heard["authorization"] == "Bearer sk-provider-secret-0001"
    assert heard["accept-encoding"] == "identity"
    assert heard["user-agent"].startswith("weir-gateway/")
    assert heard["host"] == made.endpoint.base_url.split("/")[2]
    forbidden = {"cookie", "x-forwarded-for", "proxy-authorization", "anthropic-beta", "x-demo-fault"}
    assert not forbidden & heard.keys()
    assert not [name for name in heard if name.startswith(("x-portkey", "x-forwarded"))]


async def test_only_harmless_headers_of_the_provider_reach_the_client(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    hostile = {
        "set-cookie": "a=b",
        "location": "https://evil.test",
        "server": "x",
        "access-control-allow-origin": "*",
        "openai-processing-ms": "12",
        "request-id": "up-1",
        "www-authenticate": "Basic",
        "link": "<x>",
        **{f"x-many-{number}": "v" * 20 for number in range(200)},
    }
    await gateway.backend(await provider(answer(CHAT_ANSWER, headers=hostile)))

    got = await gateway.call()

    assert got.headers["openai-processing-ms"] == "12"
    assert got.headers["x-upstream-request-id"] == "up-1"
    bad = {"set-cookie", "location", "server", "access-control-allow-origin", "www-authenticate", "link"}
    assert not bad & set(got.headers.keys())
    assert not [name for name in got.headers if name.startswith("x-many")]


async def test_fields_that_name_another_host_or_key_are_never_obeyed(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    backend, evil = await provider(), await provider()
    await gateway.backend(backend)

    await gateway.call(
        api_base=evil.base_url,
        base_url=evil.base_url,
        api_key="sk-other",
        custom_llm_provider="openai",
        extra_headers={"authorization": "Bearer x"},
        headers={"x-gateway-base-url": evil.base_url, "x-portkey-custom-host": evil.base_url},
    )

    assert len(backend.heard) == 1
    assert not evil.heard


async def test_models_lists_what_the_key_may_use(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(), models=("m", "n"))

    got = await gateway.client.get("/v1/models", headers=gateway.auth)
    one = await gateway.client.get("/v1/models/n", headers=gateway.auth)
    slashed = await gateway.client.get("/v1/models/demo/echo", headers=gateway.auth)
    none = await gateway.client.get("/v1/models/zzz", headers=gateway.auth)

    assert got.json()["object"] == "list"
    assert {"m", "n", "demo/echo"} <= {model["id"] for model in got.json()["data"]}
    assert one.json()["object"] == "model"
    assert slashed.json()["id"] == "demo/echo"
    assert none.json()["error"]["code"] == "model_not_found"


async def test_the_official_sdk_works_streamed_and_not(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider(answer(), stream()))
    client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.api_key, max_retries=0)
    async with client:
        whole = await client.chat.completions.create(model="m", messages=HELLO)  # type: ignore[call-overload]
        streamed = await client.chat.completions.create(model="m", messages=HELLO, stream=True)  # type: ignore[call-overload]
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in streamed if chunk.choices])
        listed = [model.id async for model in client.models.list()]

    assert whole.choices[0].message.content == "Hello!"
    assert text == "Hello"
    assert "m" in listed


async def test_a_provider_is_reached_by_its_own_name_of_a_model(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    backend = await provider()
    made = await gateway.backend(backend, models={"m": "real"})

    unmapped = await gateway.call(f"{made.provider.name}/brand/new-model")
    mapped = await gateway.call(f"{made.provider.name}/real")

    assert (unmapped.status_code, mapped.status_code) == (200, 200)
    assert [heard.json()["model"] for heard in backend.heard] == ["brand/new-model", "real"]
    assert [row.served_model for row in await gateway.rows()] == [f"{made.provider.name}/brand/new-model", "m"]
