"""Connections are opened to checked addresses only, to the first that answers, and to whom the certificate names."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.proxy.connections import OwnTransport
from gateway.proxy.dialling import Dialler, first_to_connect
from gateway.proxy.names import Names
from tests.proxy.asking import ask, asked, black_hole, open_count, own, served
from tests.proxy.certificates import Authority

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\n"


async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n{}"):
        writer.write(OK + b"content-length: 2\r\n\r\nok")


def port_of(url: str) -> int:
    return httpx.URL(url).port or 0


# Which address.


async def test_an_address_is_checked_whenever_it_is_dialled_also_where_it_was_known() -> None:
    permitted = [True, True, False]
    resolved: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        resolved.append(host)
        return ["127.0.0.1"]

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"connection: close\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    names = Names(look_up)
    dialler = Dialler(names, lambda host, port: permitted.pop(0), ssl.create_default_context)
    async with served(closing) as url, OwnTransport(dialler) as transport:
        named = f"http://provider.test:{port_of(url)}/v1"
        for _ in range(2):
            await asked(transport, named)
        with pytest.raises(httpx.ConnectError, match="may be dialled"):
            await ask(transport, named)
    names.close()
    assert resolved == ["provider.test"]


@pytest.mark.parametrize("found", [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["169.254.169.254"], ["::1"], []])
async def test_no_socket_is_opened_where_one_address_of_a_name_may_not_be_dialled(found: list[str]) -> None:
    seen: list[str] = []

    async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append("connected")

    names = Names(lambda host, port: found)
    dialler = Dialler(names, lambda host, port: False, ssl.create_default_context)
    async with served(noting) as url, OwnTransport(dialler) as transport:
        with pytest.raises(httpx.ConnectError, match="may be dialled"):
            await ask(transport, f"http://provider.test:{port_of(url)}/")
        assert open_count(transport) == 0
    names.close()
    assert seen == []


async def test_an_address_that_refuses_is_followed_by_the_next_at_once() -> None:
    async with served(steady) as url:
        port = port_of(url)
        async with own(names=Names(lambda host, _: ["127.0.0.3", "127.0.0.4", "127.0.0.1"])) as transport:
            assert await asked(transport, f"http://provider.test:{port}/") == b"ok"
        with pytest.raises(OSError, match="127.0.0.4"):
            await first_to_connect(["127.0.0.3", "127.0.0.4"], port)


async def test_an_address_that_hesitates_is_followed_by_the_next_and_forgotten() -> None:
    """Both have the same port, of which one is a black hole."""
    async with black_hole() as (_, port):
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
        before = len(os.listdir("/proc/self/fd"))
        found = await first_to_connect(["127.0.0.2", "127.0.0.1"], port)
        assert found.getpeername() == ("127.0.0.1", port)
        found.close()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(os.listdir("/proc/self/fd")) <= before + 1
        server.close()


async def test_a_connection_has_no_delay_of_small_writes() -> None:
    async with served(steady) as url, own() as transport:
        await asked(transport, url)
        (connection,) = transport._pool.stalls[0].connections
        assert connection.transport is not None
        made = connection.transport.get_extra_info("socket")
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# TLS.


@pytest.fixture
async def authority(tmp_path: Path) -> AsyncIterator[Authority]:
    yield Authority(tmp_path)


async def test_a_server_is_spoken_to_whose_name_its_certificate_says(authority: Authority) -> None:
    async with served(steady, authority.server("localhost")) as url, own(tls=authority.trusting()) as transport:
        assert [await asked(transport, url) for _ in range(3)] == [b"ok"] * 3
        assert open_count(transport) == 1


async def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    async with served(steady, authority.server("other.test")) as url, own(tls=authority.trusting()) as transport:
        for address in (url, url.replace("localhost", "127.0.0.1")):
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await ask(transport, address)
        assert open_count(transport) == 0


async def test_an_authority_that_nobody_knows_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    async with served(steady, Authority(stranger).server("localhost")) as url:
        for trusted in (authority.trusting(), None):
            async with own(tls=trusted) as transport:
                with pytest.raises(httpx.ConnectError, match="certificate"):
                    await ask(transport, url)


async def test_a_server_that_speaks_no_tls_and_one_that_hangs_up_are_no_connection(authority: Authority) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(OK + b"content-length: 0\r\n\r\n")
        await writer.drain()

    async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)

    for handler in (plain, gone):
        async with served(handler) as url, own(tls=authority.trusting()) as transport:
            with pytest.raises(httpx.ConnectError):
                await ask(transport, url.replace("http:", "https:"))
            assert open_count(transport) == 0


async def test_a_handshake_without_end_ends_with_the_patience_to_connect(authority: Authority) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(silent) as url, own(tls=authority.trusting()) as transport:
        with pytest.raises(httpx.ConnectTimeout):
            await ask(transport, url.replace("http:", "https:"), timeout={"connect": 0.1})
        assert open_count(transport) == 0


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_second_handshake_with_a_server_resumes_the_first(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    resumed: list[bool] = []

    async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        resumed.append(bool(writer.get_extra_info("ssl_object").session_reused))
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"content-length: 2\r\n\r\nok")
        await reader.read()

    context = authority.server("localhost")
    context.maximum_version = version
    async with served(noting, context) as url, own(tls=authority.trusting()) as transport:
        assert await asyncio.gather(asked(transport, url), asked(transport, url)) == [b"ok", b"ok"]
        for stall in transport._pool.stalls:
            for connection in list(stall.connections):
                connection.abort()
        assert await asked(transport, url) == b"ok"
    assert resumed == [False, False, True]


async def test_http_1_is_what_is_spoken_where_a_server_offers_more(authority: Authority) -> None:
    chosen: list[str | None] = []

    async def noting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        chosen.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await steady(reader, writer)

    trusting = authority.trusting()
    trusting.set_alpn_protocols(["http/1.1"])
    async with served(noting, authority.server("localhost")) as url, own(tls=trusting) as transport:
        await asked(transport, url)
    assert chosen == ["http/1.1"]


@pytest.mark.parametrize("size", [1000, 3_000_000])
async def test_large_bodies_go_both_ways_over_tls_and_a_slow_reader_holds_them_up(
    authority: Authority, size: int
) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            body = await reader.readexactly(size)
            writer.write(OK + b"content-length: %d\r\n\r\n" % size + body)
            await writer.drain()

    async with served(echo, authority.server("localhost")) as url, own(tls=authority.trusting()) as transport:
        body = bytes(range(250)) * (size // 250)
        for _ in range(2):
            response = await ask(transport, url, body)
            got = b""
            async for part in response.stream:  # type: ignore[union-attr]
                got += part
                await asyncio.sleep(0)
            assert got == body
        assert open_count(transport) == 1


@pytest.mark.parametrize("is_polite", [True, False])
async def test_the_end_of_a_tls_connection_is_noticed_however_it_comes(authority: Authority, is_polite: bool) -> None:
    async def ending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(OK + b"content-length: 9\r\n\r\nok")
        await writer.drain()
        await asyncio.sleep(0.02)
        if is_polite:
            writer.close()
            await writer.wait_closed()

    async with served(ending, authority.server("localhost")) as url, own(tls=authority.trusting()) as transport:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await asked(transport, url)
        assert open_count(transport) == 0
