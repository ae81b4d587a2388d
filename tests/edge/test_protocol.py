"""The protocol at the socket: slow, large and crowded clients."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
from typing import Any

import pytest
import uvicorn

from gateway.edge.protocol import EdgeProtocol, edge_protocol
from tests.edge.server import served

pytestmark = pytest.mark.anyio


class Hasty(EdgeProtocol):
    HEAD_SECONDS = 0.3
    LINGER_SECONDS = 0.1


async def answer_ok(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole body and say how much it was."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    text = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


async def exchange(port: int, request: bytes) -> bytes:
    """Everything the server says until it closes; fails after five seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(5):
            writer.write(request)
            await writer.drain()
            return await reader.read()
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


async def test_an_honest_request_is_answered_and_its_connection_kept() -> None:
    async with served(answer_ok, EdgeProtocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            head = await reader.readuntil(b"\r\n\r\n")
            assert status(head) == 200
            assert await reader.readexactly(1) == b"5"
        writer.close()


async def test_forty_kilobytes_of_headers_are_431() -> None:
    many = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 100) for number in range(400))
    one = b"x: " + b"y" * 40_000 + b"\r\n"
    async with served(answer_ok, Hasty) as port:
        for headers in (many, one):
            answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert status(answer) == 431
            error = json.loads(body)["error"]
            assert error["code"] == "request_header_fields_too_large"
            assert f"x-request-id: {error['request_id']}".encode() in head


async def test_a_header_that_never_ends_is_cut_off_at_once() -> None:
    async with served(answer_ok, Hasty) as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nx: " + b"y" * 300_000)

    assert status(answer) == 431


async def test_many_small_headers_count_as_what_they_cost() -> None:
    async with served(answer_ok, Hasty) as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 8000 + b"\r\n")

    assert status(answer) == 431


async def test_a_url_of_nine_kilobytes_is_414() -> None:
    async with served(answer_ok, Hasty) as port:
        assert status(await exchange(port, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")) == 414
        allowed = await exchange(port, b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert status(allowed) == 200


async def test_thirty_kilobytes_of_headers_pass() -> None:
    headers = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(30))
    async with served(answer_ok, Hasty) as port:
        answer = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n")

    assert status(answer) == 200


async def test_twenty_clients_that_trickle_headers_are_dropped_and_an_honest_one_is_served() -> None:
    async def trickle(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")

        async def drip() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await asyncio.sleep(0.05)
                    writer.write(b"x: y\r\n")
                    await writer.drain()

        dripping = asyncio.create_task(drip())
        try:
            async with asyncio.timeout(3):
                return await reader.readuntil(b"\r\n")
        finally:
            dripping.cancel()
            writer.close()

    async with served(answer_ok, Hasty) as port:
        slow = [asyncio.create_task(trickle(port)) for _ in range(20)]
        await asyncio.sleep(0.1)
        honest = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        dropped = await asyncio.gather(*slow)

    assert status(honest) == 200
    assert {status(line) for line in dropped} == {408}


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with served(answer_ok, Hasty) as port:
        assert await exchange(port, b"") == b""


async def test_the_deadline_is_for_heads_and_not_for_bodies() -> None:
    async with served(answer_ok, Hasty) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        assert status(await reader.readuntil(b"\r\n\r\n")) == 200
        writer.close()


async def test_a_kept_connection_gets_a_new_deadline_with_each_head() -> None:
    async with served(answer_ok, Hasty) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1)
            await asyncio.sleep(0.4)
        writer.write(b"GET / HTTP/1.1\r\n")
        async with asyncio.timeout(2):
            assert status(await reader.read()) == 408
        writer.close()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_one_400_and_is_closed(request_bytes: bytes) -> None:
    async with served(answer_ok, Hasty) as port:
        answer = await exchange(port, request_bytes)

    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1


class Crowded(Hasty):
    """Counts this machine too, so that a test can be a crowd."""

    CONNECTIONS_PER_ADDRESS = 3

    def _crowd(self, ip: str) -> str:
        return ip


async def test_one_address_may_open_so_many_connections_and_no_more() -> None:
    async with served(answer_ok, Crowded) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        refused = await exchange(port, b"")
        for _, writer in held:
            writer.close()
        await asyncio.sleep(0.05)
        served_again = await exchange(port, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert status(refused) == 429
    assert status(served_again) == 200


async def test_neighbours_are_an_address_or_a_slash_64_and_trusted_proxies_count_for_nobody() -> None:
    config = uvicorn.Config(answer_ok, log_config=None)
    protocol = edge_protocol(["10.0.0.0/8"])(config, uvicorn.Server(config).server_state, {})

    found = {ip: protocol._crowd(ip) for ip in ("203.0.113.7", "::ffff:203.0.113.7", "2001:db8::1", "10.1.1.1", "::1")}

    assert found == {
        "203.0.113.7": "203.0.113.7",
        "::ffff:203.0.113.7": "203.0.113.7",
        "2001:db8::1": str(ipaddress.ip_network("2001:db8::/64")),
        "10.1.1.1": "",
        "::1": "",
    }
