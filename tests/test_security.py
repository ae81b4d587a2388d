"""What must never happen, tried on the whole running gateway."""

from __future__ import annotations

import logging
import random
import resource
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import pytest

from gateway.control import backends, setup
from gateway.control.sessions import Client
from gateway.store.database import Database
from tests.conftest import MakeProvider
from tests.harness import HELLO, OPERATOR, RunningGateway, running_gateway
from tests.provider import Exchange, Scene, answer, refused, scripted_provider

pytestmark = pytest.mark.anyio

PASSWORD = "CANARY-password-7c1f93"
PROVIDER_KEY = "sk-CANARY-provider-5b0c2d8e"
PAGES = (
    "/admin",
    "/admin/providers",
    "/admin/keys",
    "/admin/requests",
    "/admin/setup/provider",
    "/admin/setup/first-call",
)
LISTS = ("providers", "endpoints", "provider-keys", "pools", "models", "mappings", "api-keys", "requests", "backends")


async def sign_in(gateway: RunningGateway) -> None:
    """Give the client the cookie of an administrator."""
    client = Client("127.0.0.1", "tests")
    token, _ = await setup.finish(gateway.desk, gateway.setup_token, "admin", PASSWORD, client)
    gateway.client.cookies.set("gw_session", token)


async def test_no_secret_shows_in_any_answer_log_or_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, provider: MakeProvider
) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    quoting = await provider(
        refused(401, f"Incorrect API key provided: {PROVIDER_KEY}"),
        refused(400, f"Bad request made with {PROVIDER_KEY}"),
        answer(),
        refused(500, f"at {PROVIDER_KEY}"),
    )
    async with running_gateway(tmp_path) as gateway:
        made = await gateway.backend(quoting, api_key=PROVIDER_KEY)
        await sign_in(gateway)
        for _ in range(4):
            shown.append((await gateway.call()).text)
            await backends.clear_cooldown(gateway.desk, OPERATOR, made.backend_id)
        await gateway.rows()
        for path in PAGES:
            shown.append((await gateway.client.get(path)).text)
        token = {"authorization": f"Bearer {gateway.management_token}"}
        for name in LISTS:
            shown.append((await gateway.client.get(f"/api/admin/{name}", headers=token)).text)
        canaries = [PASSWORD, PROVIDER_KEY, gateway.api_key, gateway.management_token]
        canaries += [(tmp_path / "master.key").read_text().strip(), gateway.client.cookies["gw_session"]]
        stored = [value.hex() for value in gateway.desk.snapshot().api_keys]
        files = b"".join(path.read_bytes() for path in tmp_path.glob("gateway.db*"))

    files += (tmp_path / "gateway.db").read_bytes()
    for canary in canaries:
        assert [text for text in shown if canary in text] == []
        assert canary not in caplog.text
        assert canary.encode() not in files
    for digest in stored:
        assert [text for text in shown if digest in text] == []


async def test_swapped_ciphertexts_open_nothing_and_the_others_still_serve(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    first, second = await provider(), await provider()
    one = await gateway.backend(first)
    two = await gateway.backend(second, pool="fallback", models=("m", "n"))
    async with gateway.desk.change(OPERATOR) as change:
        await change.tx.execute(
            "UPDATE provider_keys SET sealed = (SELECT sealed FROM provider_keys WHERE id = :two) WHERE id = :one",
            {"one": one.key.id, "two": two.key.id},
        )

    got = await gateway.call()

    assert got.status_code == 200
    assert not first.heard
    assert "cannot be opened" in (await gateway.row()).attempts[0].error
    assert "enter it again" in gateway.desk.state.of(one.backend_id).fault


CORPUS = [
    "' OR '1'='1",
    "'; DROP TABLE api_keys; --",
    '" UNION SELECT key_hash FROM api_keys --',
    "admin'/*",
    "\\' OR 1=1#",
    "%27%20OR%201=1",
    "1; ATTACH DATABASE 'x' AS y",
    "sk-gw-' || (SELECT 1) || '",
]


def hostile(rng: random.Random) -> str:
    text = rng.choice(CORPUS) + "".join(rng.choice(string.printable[:95]) for _ in range(rng.randrange(40)))
    return ("".join(rng.sample(text, len(text))) if rng.random() < 0.2 else text).strip()


async def test_no_bearer_ever_gets_in_or_reaches_sql(gateway: RunningGateway, caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(7)
    for _ in range(300):
        headers = {"authorization": f"Bearer {hostile(rng)}"}
        got = await gateway.client.get("/v1/models", headers=headers)
        assert (got.status_code, got.json()["error"]["code"]) == (401, "invalid_api_key")
    for _ in range(60):
        got = await gateway.client.get("/api/admin/providers", headers={"authorization": f"Bearer {hostile(rng)}"})
        assert got.status_code == 401
    assert "sqlite" not in caplog.text.lower()


BREAKAGES: list[str] = [
    "ALTER TABLE management_tokens RENAME TO gone",
    "ALTER TABLE sessions RENAME TO gone",
    "ALTER TABLE users RENAME TO gone",
]


@pytest.mark.parametrize("statement", BREAKAGES)
async def test_a_check_that_fails_lets_nobody_in_and_tells_nothing(tmp_path: Path, statement: str) -> None:
    async with running_gateway(tmp_path) as gateway:
        await sign_in(gateway)
        await broken(gateway.desk.db, statement)
        for path in ("/admin", "/admin/providers", "/api/admin/providers"):
            got = await gateway.client.get(path, headers={"authorization": f"Bearer {gateway.management_token}"})
            if path.startswith("/api") and "management_tokens" not in statement:
                continue
            if path.startswith("/admin") and "management_tokens" in statement:
                continue
            assert got.status_code in (401, 303, 500, 503), path
            for leak in ("Traceback", "sqlite", "OperationalError", "SELECT", "gateway/", ".py"):
                assert leak not in got.text


async def broken(db: Database, statement: str) -> None:
    connection = db._writer
    await connection.execute("PRAGMA foreign_keys = OFF")
    await connection.execute(statement)


async def test_a_fault_inside_a_handler_is_a_constant_500_with_a_request_id(gateway: RunningGateway) -> None:
    await sign_in(gateway)
    await broken(gateway.desk.db, "ALTER TABLE calls RENAME TO gone")
    token = {"authorization": f"Bearer {gateway.management_token}"}

    for media, got in (
        ("text/html", await gateway.client.get("/admin/requests")),
        ("text/html", await gateway.client.get("/admin")),
        ("application/json", await gateway.client.get("/api/admin/requests", headers=token)),
    ):
        assert got.status_code in (500, 503)
        assert got.headers["content-type"].startswith(media)
        for leak in ("Traceback", "sqlite", "OperationalError", "SELECT", "no such table", ".py"):
            assert leak not in got.text
    assert got.json()["error"]["request_id"].startswith("req_")


async def endless(exchange: Exchange, part: bytes, content_type: str) -> None:
    await exchange.head(200, {"content-type": content_type, "transfer-encoding": "chunked"})
    for _ in range(2000):
        await exchange.chunk(part)


def bomb(part: bytes, content_type: str = "text/event-stream") -> Scene:
    async def play(exchange: Exchange) -> None:
        await endless(exchange, part, content_type)

    return play


BOMBS: list[tuple[str, Scene]] = [
    ("an endless line", bomb(b"x" * 100_000)),
    ("an endless body", bomb(b" " * 100_000, "application/json")),
    ("an endless head", answer(headers={f"x-{number}": "y" * 900 for number in range(1000)})),
    ("a gzip bomb", answer(b"\x1f\x8b" + b"\0" * 100_000, headers={"content-encoding": "gzip"})),
]


@pytest.mark.parametrize(("name", "scene"), BOMBS, ids=[case[0] for case in BOMBS])
async def test_a_bomb_of_a_provider_is_a_502_and_bounded_in_memory(
    gateway: RunningGateway, provider: MakeProvider, name: str, scene: Scene
) -> None:
    await gateway.backend(await provider(scene))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    got = await gateway.call(stream=True)

    assert got.status_code == 502
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 150


async def test_endless_comments_end_with_the_attempt(gateway: RunningGateway, provider: MakeProvider) -> None:
    async def pings(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        while True:
            await exchange.chunk(b": ping\n\n" * 100)

    await gateway.backend(await provider(pings), timeout_seconds=0.5)

    got = await gateway.call(stream=True)

    assert b'"error":{' in got.content or got.status_code == 502


NAMES = (
    "api_base",
    "base_url",
    "api_key",
    "custom_llm_provider",
    "extra_headers",
    "organization",
    "endpoint",
    "url",
    "host",
)
HEADERS = ("x-portkey-custom-host", "x-forwarded-host", "x-gateway-base-url", "api-base", "x-original-url", "x-host")


async def test_no_field_header_or_query_sends_a_key_elsewhere(tmp_path: Path) -> None:
    rng = random.Random(3)
    async with scripted_provider() as own, scripted_provider() as thief, running_gateway(tmp_path) as gateway:
        await gateway.backend(own, api_key=PROVIDER_KEY)
        for _ in range(150):
            targets = [
                thief.base_url,
                thief.origin,
                thief.origin.removeprefix("http://"),
                f"{own.base_url}@{thief.origin}",
            ]
            body = {name: rng.choice(targets) for name in rng.sample(NAMES, 4)}
            headers = {name: rng.choice(targets) for name in rng.sample(HEADERS, 3)}
            model = rng.choice(["m", "m", f"{thief.base_url}/m", f"m@{thief.origin}", f"../{thief.origin}/m"])
            await gateway.client.post(
                "/v1/chat/completions",
                params={name: rng.choice(targets) for name in rng.sample(NAMES, 2)},
                headers={**gateway.auth, **headers},
                json={**body, "model": model, "messages": HELLO},
            )
        assert thief.heard == []
        assert own.heard
        assert {heard.path for heard in own.heard} == {"/v1/chat/completions"}


async def test_the_database_alone_confirms_no_guess_of_a_key(tmp_path: Path) -> None:
    """The hashes are keyed: the same key in two gateways has two hashes."""
    async with running_gateway(tmp_path / "a") as one, running_gateway(tmp_path / "b") as two:
        key = one.api_key
        assert one.desk.vault.hash_token(key) in one.desk.snapshot().api_keys
        assert two.desk.vault.hash_token(key) != one.desk.vault.hash_token(key)
    with closing(sqlite3.connect(tmp_path / "a" / "gateway.db")) as connection:
        dump = "\n".join(connection.iterdump())
    assert key not in dump
    assert key[6:] not in dump
