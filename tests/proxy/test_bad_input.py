"""Bad input: the right OpenAI-shaped error with a request id, nothing sent, and a row where a key was known."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.control import api_keys
from tests.conftest import MakeProvider
from tests.harness import HELLO, OPERATOR, RunningGateway, running_gateway
from tests.provider import scripted_provider

pytestmark = pytest.mark.anyio

BODIES: list[tuple[str, bytes, str | None]] = [
    ("empty", b"", None),
    ("not JSON", b"model=m", None),
    ("truncated", b'{"model":"m","messages":[', None),
    ("trailing", b'{"model":"m","messages":[]} x', None),
    ("a list", b"[]", None),
    ("a string", b'"m"', None),
    ("NaN", b'{"model":"m","messages":[],"temperature":NaN}', None),
    ("deep", b'{"model":"m","messages":' + b"[" * 100_000, None),
    ("not UTF-8", b'{"model":"m","messages":["\xff\xfe"]}', None),
    ("a lone surrogate", b'{"model":"m","messages":["\\ud800"]}', None),
    ("no model", b'{"messages":[]}', "model"),
    ("model is a number", b'{"model":1,"messages":[]}', "model"),
    ("model is null", b'{"model":null,"messages":[]}', "model"),
    ("model is empty", b'{"model":"","messages":[]}', "model"),
    ("model with a line break", b'{"model":"a\\nb","messages":[]}', "model"),
    ("model too long", b'{"model":"' + b"m" * 300 + b'","messages":[]}', "model"),
    ("no messages", b'{"model":"m"}', "messages"),
    ("messages is a string", b'{"model":"m","messages":"hi"}', "messages"),
    ("stream is a string", b'{"model":"m","messages":[],"stream":"yes"}', "stream"),
    ("n is huge", b'{"model":"m","messages":[],"n":' + b"9" * 5000 + b"}", "n"),
    ("n is zero", b'{"model":"m","messages":[],"n":0}', "n"),
    ("max_tokens is a float", b'{"model":"m","messages":[],"max_tokens":1.5}', "max_tokens"),
    ("max_tokens is negative", b'{"model":"m","messages":[],"max_tokens":-1}', "max_tokens"),
]


def assert_openai_error(got: Any, status: int) -> dict[str, Any]:
    assert got.status_code == status
    error = got.json()["error"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert isinstance(error["message"], str)
    assert error["request_id"].startswith("req_")
    assert got.headers["x-request-id"] == error["request_id"]
    return dict(error)


@pytest.mark.parametrize(("name", "body", "param"), BODIES, ids=[case[0] for case in BODIES])
async def test_a_bad_body_is_a_400_that_names_the_field(
    gateway: RunningGateway, provider: MakeProvider, name: str, body: bytes, param: str | None
) -> None:
    heard = await provider()
    await gateway.backend(heard)

    got = await gateway.client.post(
        "/v1/chat/completions", content=body, headers={**gateway.auth, "content-type": "application/json"}
    )

    error = assert_openai_error(got, 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert not heard.heard
    row = await gateway.row()
    assert (row.code, row.id, row.api_key_name) == (400, error["request_id"], "first key")


async def test_an_unknown_model_is_a_404_with_the_three_nearest_names(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    await gateway.backend(await provider(), models=("gpt-5", "gpt-5-mini", "gpt-5-nano", "claude-x"))

    error = assert_openai_error(await gateway.call("gpt-5-mimi"), 404)

    assert error["code"] == "model_not_found"
    for name in ("gpt-5-mini", "gpt-5-nano", "gpt-5"):
        assert name in error["message"]
    assert "claude-x" not in error["message"]
    assert (await gateway.row()).asked_model == "gpt-5-mimi"


async def test_a_model_that_the_key_may_not_use_is_the_same_404(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    heard = await provider()
    await gateway.backend(heard, models=("m", "n"))
    narrow, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "narrow", "allowed_models": ["n"]})
    none, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "none", "allowed_models": []})

    forbidden = await gateway.call("m", headers={"authorization": f"Bearer {narrow}"})
    unknown = await gateway.call("m2", headers={"authorization": f"Bearer {narrow}"})
    allowed = await gateway.call("n", headers={"authorization": f"Bearer {narrow}"})
    nothing = await gateway.call("n", headers={"authorization": f"Bearer {none}"})
    listed = await gateway.client.get("/v1/models", headers={"authorization": f"Bearer {narrow}"})

    assert forbidden.json()["error"]["message"].replace("'m'", "?") == unknown.json()["error"]["message"].replace(
        "'m2'", "?"
    )
    assert [forbidden.status_code, allowed.status_code, nothing.status_code] == [404, 200, 404]
    assert [model["id"] for model in listed.json()["data"]] == ["n"]
    assert len(heard.heard) == 1


async def test_unknown_disabled_and_expired_keys_get_the_same_401(gateway: RunningGateway) -> None:
    disabled, row = await api_keys.create(gateway.desk, OPERATOR, {"name": "off", "is_active": False})
    expired, _ = await api_keys.create(gateway.desk, OPERATOR, {"name": "old", "expires_at": 1})
    bodies = []
    for key in ("sk-gw-unknown", disabled, expired, "x" * 5000, "é", "' OR 1=1 --"):
        got = await gateway.client.post(
            "/v1/chat/completions",
            headers={"authorization": f"Bearer {key}".encode()},
            json={"model": "m", "messages": HELLO},
        )
        error = assert_openai_error(got, 401)
        bodies.append({**error, "request_id": ""})

    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["code"] == "invalid_api_key"
    assert {(row.code, row.api_key_id) for row in await gateway.rows()} == {(401, None)}


async def test_a_stored_hash_does_not_work_as_a_key(gateway: RunningGateway) -> None:
    stored = next(iter(gateway.desk.snapshot().api_keys))

    for key in (stored.hex(), stored.hex().upper()):
        assert (await gateway.call(headers={"authorization": f"Bearer {key}"})).status_code == 401


async def test_two_keys_with_the_same_beginning_are_two_callers(gateway: RunningGateway) -> None:
    assert (await gateway.call(headers={"authorization": f"Bearer {gateway.api_key[:-1]}_"})).status_code == 401


async def test_a_disabled_key_is_refused_at_once(gateway: RunningGateway, provider: MakeProvider) -> None:
    await gateway.backend(await provider())
    key = next(iter(gateway.desk.snapshot().api_keys.values()))
    before = await gateway.call()

    await api_keys.update(gateway.desk, OPERATOR, key.id, {"is_active": False})

    assert (before.status_code, (await gateway.call()).status_code) == (200, 401)


async def test_a_body_over_the_limit_is_a_413_and_is_not_read(tmp_path: Path) -> None:
    async with scripted_provider() as heard, running_gateway(tmp_path, max_body_bytes=10_000) as gateway:
        await gateway.backend(heard)
        declared = await gateway.call(padding="x" * 20_000)

        async def chunked() -> Any:
            for _ in range(20):
                yield b"x" * 1000

        streamed = await gateway.client.post(
            "/v1/chat/completions", content=chunked(), headers={**gateway.auth, "content-type": "application/json"}
        )

        for got in (declared, streamed):
            assert assert_openai_error(got, 413)["code"] == "request_too_large"
        assert not heard.heard


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
        ({"content-type": "Application/JSON; charset=utf-8"}, 404),
    ],
)
async def test_only_plain_json_is_read(gateway: RunningGateway, headers: dict[str, str], status: int) -> None:
    body = b'{"model":"none","messages":[]}'
    got = await gateway.client.post("/v1/chat/completions", content=body, headers={**gateway.auth, **headers})

    assert_openai_error(got, status)


async def test_a_wrong_method_is_a_405_that_says_which(gateway: RunningGateway) -> None:
    got = await gateway.client.get("/v1/chat/completions", headers=gateway.auth)
    deleted = await gateway.client.delete("/v1/models", headers=gateway.auth)

    assert_openai_error(got, 405)
    assert (got.headers["allow"], deleted.headers["allow"]) == ("POST", "GET")


async def test_an_unknown_path_is_a_404_that_says_what_there_is(gateway: RunningGateway) -> None:
    error = assert_openai_error(await gateway.client.post("/v1/chats", headers=gateway.auth), 404)

    assert "/v1/chat/completions" in error["message"]


async def raw_request(gateway: RunningGateway, head: bytes) -> bytes:
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(head)
    await writer.drain()
    try:
        return await asyncio.wait_for(reader.read(65536), 5)
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /v1/models HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n\r\n", b"400"),
        (b"GET /v1/models HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET /v1/models HTTP/1.1\r\nhost: localhost@evil.test\r\n\r\n", b"400"),
        (b"GET /v1/models HTTP/1.1\r\nhost: localhost/x\r\n\r\n", b"400"),
        (b"GET /v1/models HTTP/1.1\r\nhost: localhost#x\r\n\r\n", b"400"),
        (b"GET /v1/models HTTP/1.1\r\nhost: local host\r\n\r\n", b"400"),
        (b"GET /admin HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET /api/admin/providers HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET /livez HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET /static/app.css HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET http://evil.test/v1/models HTTP/1.1\r\nhost: evil.test\r\n\r\n", b"421"),
        (b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n\r\n", b"200"),
        (b"GET /livez HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n", b"200"),
        (b"GET /livez HTTP/1.1\r\nhost: LOCALHOST\r\n\r\n", b"200"),
    ],
)
async def test_a_missing_doubled_or_foreign_host_is_refused_on_every_path(
    gateway: RunningGateway, head: bytes, status: bytes
) -> None:
    got = await raw_request(gateway, head)

    assert got.split(b" ")[1] == status


SMUGGLED = b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "framing",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: +5\r\n",
        b"content-length: 0x5\r\n",
        b"transfer-encoding: xchunked\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"content-length: -1\r\n",
        b"content-length: 5 5\r\n",
        b"content-length: \r\n",
        b"content-length: 5;\r\n",
        b"content-length: 18446744073709551617\r\n",
        b"content-length: 1e1\r\n",
        b"content-length:5\r\ncontent-length:5\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        b"transfer-encoding: identity\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"transfer-encoding: \x0bchunked\r\n",
        b"transfer-encoding: chunked\x00\r\n",
        b"transfer-encoding: 'chunked'\r\n",
        b"transfer-encoding: chunke\r\n",
        b"transfer-encoding: gzip\r\n",
        b"transfer-encoding\r\n",
        b"transfer encoding: chunked\r\n",
        b"x: y\r\n transfer-encoding: chunked\r\n",
        b"content-length: 5\ncontent-length: 6\r\n",
        b"\x00: y\r\n",
        b": y\r\n",
        b"content-length: 5, 5\r\n",
    ],
)
async def test_ambiguous_framing_is_refused_and_nothing_behind_it_is_served(
    gateway: RunningGateway, provider: MakeProvider, framing: bytes
) -> None:
    heard = await provider()
    await gateway.backend(heard)
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
        + gateway.api_key.encode()
        + b"\r\ncontent-type: application/json\r\n"
        + framing
        + b"\r\n0\r\n\r\n"
    )

    got = await raw_request(gateway, head + SMUGGLED)

    assert got.split(b" ")[1] in (b"400", b"501")
    assert got.count(b"HTTP/1.1 ") == 1
    assert not heard.heard


async def test_bombs_of_json_do_not_stall_the_loop(gateway: RunningGateway) -> None:
    bombs = [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"model":"m","n":' + b"9" * 1_000_000 + b"}",
        b'"' + b"\\u0061" * 200_000,
    ]
    slowest = 0.0
    for bomb in bombs:
        asked = asyncio.create_task(
            gateway.client.post(
                "/v1/chat/completions", content=bomb, headers={**gateway.auth, "content-type": "application/json"}
            )
        )
        while not asked.done():
            before = time.monotonic()
            await asyncio.sleep(0.001)
            slowest = max(slowest, time.monotonic() - before)
        assert (await asked).status_code == 400

    assert slowest < 0.5
