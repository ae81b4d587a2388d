"""Asking over connections that are kept: the same list for our own transport and, where it can, for httpx's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from gateway.proxy.exchange import HIGH_WATER, Exchange
from tests.conftest import MakeProvider
from tests.provider import Exchange as Heard
from tests.provider import Pause, Scene, answer, drop, hang, raw, sse, stream
from tests.proxy.asking import (
    KINDS,
    a_request,
    ask,
    asked,
    idle_count,
    open_count,
    own,
    read,
    served,
    transport_of,
    until,
)

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("kind", KINDS)
OK = b"HTTP/1.1 200 OK\r\n"


def noting(peers: list[int], scene: Scene | None = None) -> Scene:
    """Writes down over which connection it was asked."""

    async def play(exchange: Heard) -> None:
        peers.append(exchange.writer.get_extra_info("peername")[1])
        await (scene or answer(b"ok"))(exchange)

    return play


def keeping(data: bytes) -> Scene:
    """Exactly these bytes; the connection stays open."""

    async def play(exchange: Heard) -> None:
        await exchange.write(data)

    return play


async def endless(first: bytes = b"a", parts: int = 10**9) -> AsyncIterator[bytes]:
    for _ in range(parts):
        yield first * 65536


async def stuck(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    await asyncio.Event().wait()


# Kept connections.


@both
async def test_a_connection_is_used_again_and_again(kind: str, provider: MakeProvider) -> None:
    peers: list[int] = []
    made = await provider(noting(peers))
    async with transport_of(kind) as transport:
        bodies = [await asked(transport, made.base_url) for _ in range(5)]
    assert (bodies, len(set(peers))) == ([b"ok"] * 5, 1)


async def test_the_newest_connection_is_used_first_so_that_the_others_may_end(provider: MakeProvider) -> None:
    peers: list[int] = []
    made = await provider(noting(peers))
    async with own() as transport:
        await asyncio.gather(*(asked(transport, made.base_url) for _ in range(4)))
        assert (open_count(transport), idle_count(transport)) == (4, 4)
        for _ in range(3):
            await asked(transport, made.base_url)
    assert len(set(peers[4:])) == 1


@both
@pytest.mark.parametrize("body", [b"{}", b"x" * 300_000], ids=["small", "large"])
async def test_a_kept_connection_that_closes_unanswered_costs_one_more_sending(
    kind: str, provider: MakeProvider, body: bytes
) -> None:
    peers: list[int] = []
    made = await provider(noting(peers), noting(peers, drop()), noting(peers, answer(b"again")))
    async with transport_of(kind) as transport:
        await asked(transport, made.base_url)
        assert await asked(transport, made.base_url, body) == b"again"
    assert [len(heard.body) for heard in made.heard] == [2, len(body), len(body)]
    assert peers[0] == peers[1] != peers[2]


async def test_it_is_sent_again_on_a_new_connection_even_where_others_are_kept(provider: MakeProvider) -> None:
    peers: list[int] = []
    made = await provider(noting(peers))
    async with own() as transport:
        await asyncio.gather(*(asked(transport, made.base_url) for _ in range(3)))
        made.then(noting(peers, drop()), noting(peers))
        await asked(transport, made.base_url)
    assert peers[-1] not in peers[:-1]


@both
async def test_no_request_is_sent_three_times(kind: str, provider: MakeProvider) -> None:
    made = await provider(answer(), drop())
    async with transport_of(kind) as transport:
        await asked(transport, made.base_url)
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(transport, made.base_url)
    assert len(made.heard) == 3


@both
async def test_a_new_connection_that_closes_unanswered_is_a_failure(kind: str, provider: MakeProvider) -> None:
    made = await provider(drop())
    async with transport_of(kind) as transport:
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(transport, made.base_url)
    assert len(made.heard) == 1


@pytest.mark.parametrize(
    "said", [b"H", OK, OK + b"content-length: 2\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n"]
)
async def test_once_a_byte_of_an_answer_came_nothing_is_sent_again(provider: MakeProvider, said: bytes) -> None:
    made = await provider(answer(), raw(said), answer())
    async with own() as transport:
        await asked(transport, made.base_url)
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(transport, made.base_url)
        assert open_count(transport) == 0
    assert len(made.heard) == 2


@both
async def test_a_body_that_is_only_to_be_had_once_is_sent_once(kind: str, provider: MakeProvider) -> None:
    made = await provider(answer(), drop())
    async with transport_of(kind) as transport:
        await asked(transport, made.base_url)
        with pytest.raises(httpx.RemoteProtocolError):
            await asked(transport, made.base_url, endless(parts=1))
    assert len(made.heard) == 2


async def test_what_the_server_closes_while_nobody_uses_it_is_gone_at_once(provider: MakeProvider) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def kept(exchange: Heard) -> None:
        writers.append(exchange.writer)
        await answer()(exchange)

    made = await provider(kept)
    async with own() as transport:
        await asyncio.gather(*(asked(transport, made.base_url) for _ in range(3)))
        for left, writer in zip((2, 1, 0), writers, strict=True):
            writer.close()
            await until(lambda left=left: open_count(transport) == left)
        assert idle_count(transport) == 0


async def test_what_speaks_while_nobody_uses_it_is_closed(provider: MakeProvider) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def kept(exchange: Heard) -> None:
        writers.append(exchange.writer)
        await answer()(exchange)

    made = await provider(kept)
    async with own() as transport:
        await asked(transport, made.base_url)
        writers[0].write(OK + b"content-length: 4\r\n\r\nevil")
        await until(lambda: open_count(transport) == 0)
        assert b"evil" not in await asked(transport, made.base_url)


ODD: list[tuple[str, bytes]] = [
    ("close", OK + b"connection: close\r\ncontent-length: 2\r\n\r\nok"),
    ("HTTP/1.0", b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    ("more than the answer", OK + b"content-length: 2\r\n\r\nok" + OK),
    ("two answers", (OK + b"content-length: 2\r\n\r\nok") * 2),
]


@pytest.mark.parametrize(("name", "said"), ODD, ids=[case[0] for case in ODD])
async def test_after_an_odd_answer_the_connection_is_not_used_again(
    provider: MakeProvider, name: str, said: bytes
) -> None:
    peers: list[int] = []
    made = await provider(noting(peers, keeping(said)), noting(peers))
    async with own() as transport:
        assert await asked(transport, made.base_url) == b"ok"
        assert await asked(transport, made.base_url) == b"ok"
    assert len(set(peers)) == 2


@both
@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("HEAD", OK + b"content-length: 5\r\n\r\n"),
        ("POST", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("POST", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n"),
        (
            "POST",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nlink: x\r\n\r\n" + OK + b"content-length: 0\r\n\r\n",
        ),
        ("POST", OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx-sum: 1\r\n\r\n"),
    ],
    ids=["HEAD", "204", "304", "early answers", "trailers"],
)
async def test_an_answer_without_a_body_frees_its_connection(
    kind: str, provider: MakeProvider, method: str, said: bytes
) -> None:
    peers: list[int] = []
    made = await provider(noting(peers, keeping(said)), noting(peers))
    async with transport_of(kind) as transport:
        assert await asked(transport, made.base_url, b"", method=method) == b""
        assert await asked(transport, made.base_url) == b"ok"
    assert len(set(peers)) == 1


@both
async def test_a_body_that_only_the_end_of_the_connection_ends_is_whole(kind: str, provider: MakeProvider) -> None:
    made = await provider(raw(OK + b"\r\nall of it"))
    async with transport_of(kind) as transport:
        assert await asked(transport, made.base_url) == b"all of it"


@both
async def test_the_head_is_there_before_the_body_and_says_what_was_said(kind: str, provider: MakeProvider) -> None:
    made = await provider(answer(b"no", 429, {"retry-after": "3"}))
    async with transport_of(kind) as transport:
        response = await ask(transport, made.base_url)
        assert (response.status_code, response.headers["retry-after"]) == (429, "3")
        assert await read(response) == b"no"


# Reading.


async def test_one_read_gives_all_that_has_come(provider: MakeProvider) -> None:
    made = await provider(stream([b"%d," % number for number in range(500)]))
    async with own() as transport:
        response = await ask(transport, made.base_url)
        assert isinstance(response.stream, Exchange)
        await until(lambda: response.stream.answer.is_complete)  # type: ignore[attr-defined]
        parts = [part async for part in response.stream]
    assert parts == [b"".join(b"%d," % number for number in range(500))]


async def test_a_small_answer_is_read_without_waiting_and_a_large_one_is_not_there_yet(provider: MakeProvider) -> None:
    made = await provider(keeping(OK + b"content-length: 2\r\n\r\nok"), stream([b"a", Pause(20)]))
    async with own() as transport:
        small = await ask(transport, made.base_url)
        assert isinstance(small.stream, Exchange)
        assert (small.stream.rest(), small.stream.rest()) == (b"ok", b"")
        large = await ask(transport, made.base_url)
        assert isinstance(large.stream, Exchange)
        assert large.stream.rest() is None
        await large.aclose()


async def test_a_connection_is_free_once_its_answer_is_whole_though_nobody_has_read_it(provider: MakeProvider) -> None:
    peers: list[int] = []
    made = await provider(noting(peers))
    async with own() as transport:
        unread = await ask(transport, made.base_url)
        assert idle_count(transport) == 1
        assert await asked(transport, made.base_url) == b"ok"
        assert await read(unread) == b"ok"
        await unread.aclose()
        assert idle_count(transport) == 1
    assert len(set(peers)) == 1


@both
async def test_what_came_before_a_break_is_given_and_then_the_break(kind: str, provider: MakeProvider) -> None:
    made = await provider(stream([b"first"], cut=True))
    async with transport_of(kind) as transport:
        response = await ask(transport, made.base_url)
        parts = []
        with pytest.raises(httpx.RemoteProtocolError):
            async for part in response.stream:  # type: ignore[union-attr]
                parts.append(part)
        await response.aclose()
    assert b"".join(parts) == b"first"


def reset(exchange: Heard) -> None:
    """Not closed in order, but torn down."""
    linger = b"\1\0\0\0\0\0\0\0"
    exchange.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    exchange.writer.transport.abort()


@both
@pytest.mark.parametrize("framing", [b"", b"content-length: 9\r\n"])
async def test_a_connection_that_is_torn_down_ends_no_body(kind: str, provider: MakeProvider, framing: bytes) -> None:
    async def torn(exchange: Heard) -> None:
        await exchange.write(OK + framing + b"\r\nabc")
        await asyncio.sleep(0.02)
        reset(exchange)

    made = await provider(torn)
    async with transport_of(kind) as transport:
        with pytest.raises(httpx.ReadError):
            await asked(transport, made.base_url)


async def test_a_provider_that_nobody_reads_has_to_wait(provider: MakeProvider) -> None:
    size, written = 40 * 1024 * 1024, 0

    async def much(exchange: Heard) -> None:
        nonlocal written
        await exchange.head(200, {"content-length": str(size)})
        while written < size:
            await exchange.write(b"x" * 65536)
            written += 65536

    made = await provider(much)
    async with own() as transport:
        response = await ask(transport, made.base_url)
        assert isinstance(response.stream, Exchange)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.1)
        assert response.stream.answer.held <= HIGH_WATER + 65536
        assert written < size
        assert len(await read(response)) == size
        assert idle_count(transport) == 1


# Sending.


async def test_a_small_request_is_one_write(provider: MakeProvider) -> None:
    seen: list[bytes] = []

    class Server(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            seen.append(data)
            self.transport.write(OK + b"content-length: 0\r\n\r\n")  # type: ignore[attr-defined]

    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
    async with own() as transport:
        await asked(transport, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", b"x" * 2000)
    server.close()
    assert len(seen) == 1 and seen[0].endswith(b"x" * 2000)


@both
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 3_000_000])
async def test_a_body_of_any_size_arrives_whole_and_its_connection_is_kept(
    kind: str, provider: MakeProvider, size: int
) -> None:
    made = await provider()
    body = bytes(range(256)) * (size // 256 + 1)
    async with transport_of(kind) as transport:
        for _ in range(2):
            await asked(transport, made.base_url, body[:size])
        if kind == "own":
            assert idle_count(transport) == 1  # type: ignore[arg-type]
    assert [heard.body for heard in made.heard] == [body[:size]] * 2


@both
@pytest.mark.parametrize("length", [None, 300_000])
async def test_a_body_in_parts_arrives_whole_and_its_connection_is_kept(
    kind: str, provider: MakeProvider, length: int | None
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(100):
            yield bytes([number]) * 3000
            yield b""
            if number % 30 == 0:
                await asyncio.sleep(0.001)

    peers: list[int] = []
    made = await provider(noting(peers))
    async with transport_of(kind) as transport:
        for _ in range(2):
            request = a_request(made.base_url, parts())
            if length is not None:
                request.headers["content-length"] = str(length)
                del request.headers["transfer-encoding"]
            assert await read(await transport.handle_async_request(request)) == b"ok"
    assert [heard.body for heard in made.heard] == [b"".join(bytes([number]) * 3000 for number in range(100))] * 2
    assert len(set(peers)) == 1


@pytest.mark.parametrize("length", [10, 100_000])
async def test_a_body_of_another_length_than_it_said_breaks_the_connection(provider: MakeProvider, length: int) -> None:
    made = await provider()
    async with own() as transport:
        request = a_request(made.base_url, endless(parts=1))
        request.headers["content-length"] = str(length)
        del request.headers["transfer-encoding"]
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(request)
        assert open_count(transport) == 0
    assert made.heard == []


@both
async def test_what_goes_wrong_in_a_body_is_told_as_it_is_and_breaks_the_connection(
    kind: str, provider: MakeProvider
) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"a" * 10
        raise KeyError("the client sent nonsense")

    made = await provider()
    async with transport_of(kind) as transport:
        with pytest.raises(KeyError, match="nonsense"):
            await ask(transport, made.base_url, failing())
        if kind == "own":
            assert open_count(transport) == 0  # type: ignore[arg-type]


async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers as soon as it has the head, and takes nothing more for a while."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")
    await writer.drain()
    await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    "body", [lambda: b"x" * 30_000_000, endless, lambda: stuck(b"x")], ids=["large", "parts", "slow"]
)
async def test_an_answer_that_comes_before_the_request_was_sent_is_the_answer(
    body: Callable[[], Any],
) -> None:
    async with served(early) as url, own() as transport:
        tasks = asyncio.all_tasks()
        async with asyncio.timeout(5):
            response = await ask(transport, url, body())
            assert (response.status_code, await read(response)) == (413, b"too large")
        assert open_count(transport) == 0
        assert not any("_send_each" in repr(task) for task in asyncio.all_tasks() - tasks)


@pytest.mark.parametrize("body", [lambda: b"x" * 30_000_000, endless], ids=["large", "parts"])
async def test_an_early_answer_is_heard_even_where_the_connection_is_torn_down_behind_it(
    body: Callable[[], Any],
) -> None:
    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 9\r\n\r\ntoo large")

    async with served(refusing) as url, own() as transport:
        for _ in range(20):
            response = await ask(transport, url, body())
            assert (response.status_code, await read(response)) == (413, b"too large")
        assert open_count(transport) == 0


async def test_nothing_more_is_written_to_a_connection_that_broke(caplog: pytest.LogCaptureFixture) -> None:
    async def breaking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    async with served(breaking) as url, own() as transport:
        for _ in range(10):
            with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                await ask(transport, url, b"x" * 30_000_000)
    assert caplog.records == []


async def test_who_sends_in_parts_has_to_wait_for_a_provider_that_takes_nothing() -> None:
    taken = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 65536

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(20)

    async with served(deaf) as url, own() as transport:
        asking = asyncio.create_task(ask(transport, url, counted()))
        before = -1
        while before != taken:
            before = taken
            await asyncio.sleep(0.1)
        assert taken < 400
        asking.cancel()
        await asyncio.wait({asking})
        assert open_count(transport) == 0


# Nothing is there.


@both
async def test_a_port_that_is_closed_and_a_name_that_is_unknown_are_no_connection(kind: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    async with transport_of(kind) as transport:
        for url in (f"http://127.0.0.1:{port}/", "http://nothing.invalid/"):
            with pytest.raises(httpx.ConnectError):
                await ask(transport, url)


async def test_only_http_is_spoken() -> None:
    async with own() as transport:
        with pytest.raises(httpx.UnsupportedProtocol):
            await ask(transport, "ftp://a.test/")


async def test_after_the_end_nothing_is_dialled(provider: MakeProvider) -> None:
    made = await provider(hang())
    async with own() as transport:
        asking = asyncio.create_task(ask(transport, made.base_url))
        await until(lambda: made.heard)
        await transport.aclose()
        with pytest.raises(httpx.ReadError):
            await asking
        with pytest.raises(httpx.ConnectError, match="closed"):
            await ask(transport, made.base_url)


@both
async def test_a_hundred_at_once_each_get_their_own_answer(kind: str, provider: MakeProvider) -> None:
    async def echo(exchange: Heard) -> None:
        await asyncio.sleep(0.01 * (int(exchange.heard.body) % 3))
        await answer(exchange.heard.body)(exchange)

    made = await provider(echo)
    async with transport_of(kind) as transport:
        bodies = [b"%d" % number for number in range(100)]
        assert await asyncio.gather(*(asked(transport, made.base_url, body) for body in bodies)) == bodies


async def test_streams_that_are_read_to_their_end_give_their_connection_back(provider: MakeProvider) -> None:
    async def streamed(exchange: Heard) -> None:
        await exchange.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        for part in sse("a", "b", "[DONE]"):
            await exchange.chunk(part)
            await asyncio.sleep(0)
        await exchange.write(b"0\r\n\r\n")

    made = await provider(streamed)
    async with own() as transport:
        for _ in range(3):
            assert await asked(transport, made.base_url) == b"data: a\n\ndata: b\n\ndata: [DONE]\n\n"
        assert (open_count(transport), idle_count(transport)) == (1, 1)
