"""The lane to providers on real sockets: what is sent, what is read back, and how each trouble is named."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from gateway import __version__
from gateway.errors import UpstreamFailed
from gateway.proxy.lines import Outbound
from gateway.proxy.upstream import ConnectFailed, KeyUnusable, Upstream
from gateway.proxy.upstream_answer import LARGEST_ANSWER, Broken, UpstreamAnswer
from gateway.routing.snapshot import Backend
from tests.conftest import MakeProvider
from tests.provider import Exchange, Pause, Scene, answer, drop, hang, raw, sse, stream
from tests.proxy.wire import SECRET, backend_at, backend_of, in_use, lane, pool_of

pytestmark = pytest.mark.anyio
PATH = "/chat/completions"


async def ask(upstream: Upstream, backend: Backend, body: bytes = b"{}") -> UpstreamAnswer:
    return await upstream.send(backend, Outbound("POST", PATH, body))


async def read(upstream: Upstream, backend: Backend, body: bytes = b"{}") -> bytes:
    got = await ask(upstream, backend, body)
    try:
        return await got.read()
    finally:
        await got.close()


async def test_a_request_says_what_it_must_and_shows_the_secret_in_one_header(provider: MakeProvider) -> None:
    made = await provider()
    async with lane() as upstream:
        got = await upstream.send(backend_of(made), Outbound("POST", PATH, b'{"a": 1}', [(b"openai-beta", b"x=1")]))
        await got.close()

    (heard,) = made.heard
    assert (heard.method, heard.path, heard.body) == ("POST", "/v1/chat/completions", b'{"a": 1}')
    assert heard.headers == {
        "host": made.origin.removeprefix("http://"),
        "openai-beta": "x=1",
        "accept-encoding": "identity",
        "user-agent": f"weir-gateway/{__version__}",
        "authorization": f"Bearer {SECRET}",
        "content-length": "8",
    }


async def test_a_keyless_backend_is_asked_without_authorization(provider: MakeProvider) -> None:
    made = await provider()
    async with lane() as upstream:
        await read(upstream, backend_of(made, secret=None))

    assert "authorization" not in made.heard[0].headers


async def test_extra_headers_of_an_endpoint_are_sent(provider: MakeProvider) -> None:
    made = await provider()
    async with lane() as upstream:
        await read(upstream, backend_of(made, headers={"X-Title": "weir", "HTTP-Referer": "https://weir.test"}))

    headers = made.heard[0].headers
    assert (headers["x-title"], headers["http-referer"]) == ("weir", "https://weir.test")


@pytest.mark.parametrize("base", ["", "/", "/v1", "/v1/", "/openai/deployments/a%20b", "/v1///"])
async def test_the_path_is_joined_with_one_slash(provider: MakeProvider, base: str) -> None:
    made = await provider(answer({"data": []}))
    backend = backend_at(made.origin + base)
    async with lane() as upstream:
        await read(upstream, backend)
        await upstream.model_names(backend)

    plain = base.rstrip("/")
    assert [heard.path for heard in made.heard] == [f"{plain}/chat/completions", f"{plain}/models"]


async def test_a_chunked_and_a_length_delimited_body_are_read_whole(provider: MakeProvider) -> None:
    parts = [bytes([number]) * 997 for number in range(50)]
    made = await provider(stream(parts), answer(b"".join(parts)))
    async with lane() as upstream:
        backend = backend_of(made)
        assert [await read(upstream, backend) for _ in range(2)] == [b"".join(parts)] * 2


async def test_chunks_come_as_they_arrive_and_not_at_the_end(provider: MakeProvider) -> None:
    made = await provider(stream([*sse("a"), Pause(20)]))
    async with lane() as upstream:
        got = await ask(upstream, backend_of(made))
        assert await asyncio.wait_for(got.next(), 2) == b"data: a\n\n"
        await got.close()


async def test_an_answer_is_read_up_to_the_largest_size_and_no_further(provider: MakeProvider) -> None:
    made = await provider(answer(b"x" * LARGEST_ANSWER), answer(b"x" * (LARGEST_ANSWER + 1)))
    async with lane() as upstream:
        assert len(await read(upstream, backend_of(made))) == LARGEST_ANSWER
        with pytest.raises(UpstreamFailed, match="too large"):
            await read(upstream, backend_of(made))
        assert not in_use(upstream)


async def test_our_key_is_cut_out_of_an_error_wherever_it_is_quoted(provider: MakeProvider) -> None:
    said = f"{SECRET}{SECRET}: Incorrect key '{SECRET}', Bearer {SECRET}".encode()
    made = await provider(answer(said, 401))
    async with lane() as upstream:
        got = await ask(upstream, backend_of(made))
        assert await got.read_error() == b"******: Incorrect key '***', Bearer ***"
        await got.close()


async def test_our_key_is_cut_out_where_it_spans_two_reads(provider: MakeProvider) -> None:
    async def in_halves(exchange: Exchange) -> None:
        await exchange.head(401, {"content-length": str(len(SECRET))})
        await exchange.write(SECRET[:9].encode())
        await asyncio.sleep(0.05)
        await exchange.write(SECRET[9:].encode())

    made = await provider(in_halves)
    async with lane() as upstream:
        got = await ask(upstream, backend_of(made))
        assert await got.read_error() == b"***"
        await got.close()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BROKEN: list[tuple[str, Scene]] = [
    ("less than its length", raw(HEAD + b"content-length: 99\r\n\r\n{")),
    ("chunks without an end", raw(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n")),
    ("half a chunk", raw(HEAD + b"transfer-encoding: chunked\r\n\r\nff\r\n{")),
    ("no chunk size", raw(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n{\r\n")),
    ("two lengths", raw(HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n{}")),
    ("half a head", raw(HEAD)),
    ("another protocol", raw(b"SSH-2.0-OpenSSH_9\r\n\r\n")),
    ("binary", raw(bytes(range(256)))),
    ("a head without end", raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000)),
    ("nothing", drop()),
    ("gzip", answer(b"\x1f\x8b", headers={"content-encoding": "gzip"})),
]


@pytest.mark.parametrize(("name", "scene"), BROKEN, ids=[case[0] for case in BROKEN])
async def test_an_answer_that_is_none_is_broken_and_holds_no_connection(
    provider: MakeProvider, name: str, scene: Scene
) -> None:
    made = await provider(scene)
    async with lane() as upstream:
        with pytest.raises(Broken) as broken:
            await read(upstream, backend_of(made))
        assert str(broken.value)
        assert len(made.heard) == 1
        assert not in_use(upstream)


def closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_a_refused_port_and_an_unknown_name_are_no_connection() -> None:
    async with lane() as upstream:
        for address in (f"http://127.0.0.1:{closed_port()}/v1", "http://nothing.invalid/v1"):
            with pytest.raises(ConnectFailed):
                await ask(upstream, backend_at(address))
        assert pool_of(upstream).count == 0


async def test_a_cancelled_tls_handshake_closes_its_socket_within_300_ms() -> None:
    left = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with lane() as upstream:
        backend = backend_at(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(upstream, backend)
        await asyncio.wait_for(left.wait(), 0.3)
        assert pool_of(upstream).count == 0
    server.close()


async def test_an_environment_key_that_is_not_set_is_unusable_and_nothing_is_dialled() -> None:
    backend = backend_at("http://nothing.invalid/v1", secret=None)
    unset = replace(backend.key, env_name="NOT_SET", bound_origin="http://nothing.invalid:80")
    async with lane() as upstream:
        with pytest.raises(KeyUnusable, match="NOT_SET is not set"):
            await ask(upstream, replace(backend, key=unset))


async def test_a_kept_connection_is_used_again(provider: MakeProvider) -> None:
    made = await provider()
    async with lane() as upstream:
        for _ in range(5):
            await read(upstream, backend_of(made))
        assert pool_of(upstream).count == 1


async def test_a_kept_connection_that_closes_unanswered_is_tried_once_more(provider: MakeProvider) -> None:
    made = await provider(answer(b"first"), drop(), answer(b"second"))
    async with lane() as upstream:
        bodies = [await read(upstream, backend_of(made), body) for body in (b"1", b"2")]

    assert bodies == [b"first", b"second"]
    assert [heard.body for heard in made.heard] == [b"1", b"2", b"2"]


async def test_it_is_tried_no_more_than_once_more(provider: MakeProvider) -> None:
    made = await provider(answer(), drop())
    async with lane() as upstream:
        await read(upstream, backend_of(made))
        with pytest.raises(Broken):
            await read(upstream, backend_of(made))

    assert len(made.heard) == 3


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH_9\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"],
)
async def test_a_kept_connection_that_answered_anything_is_not_tried_again(provider: MakeProvider, said: bytes) -> None:
    made = await provider(answer(), raw(said), answer())
    async with lane() as upstream:
        await read(upstream, backend_of(made))
        with pytest.raises(Broken):
            await read(upstream, backend_of(made))

    assert len(made.heard) == 2


async def test_connections_that_the_provider_closed_meanwhile_are_not_used(provider: MakeProvider) -> None:
    writers: list[Any] = []

    async def kept(exchange: Exchange) -> None:
        writers.append(exchange.writer)
        await answer()(exchange)

    made = await provider(kept)
    async with lane() as upstream:
        backend = backend_of(made)
        await asyncio.gather(*(read(upstream, backend) for _ in range(8)))
        for writer in writers:
            writer.close()
        await asyncio.sleep(0.05)
        made.always = answer(b"again")
        assert await asyncio.gather(*(read(upstream, backend) for _ in range(8))) == [b"again"] * 8

    assert len(made.heard) == 16


MODEL_LISTS: list[tuple[str, Scene, str]] = [
    ("not JSON", answer(b"<html>"), "something else than a list"),
    ("a list", answer([{"id": "a"}]), "something else than a list"),
    ("no data", answer({"object": "list"}), "something else than a list"),
    ("data is null", answer({"data": None}), "something else than a list"),
    ("ids are numbers", answer({"data": [{"id": 1}]}), "something else than a list"),
    ("deep", answer(b'{"data":' + b"[" * 100_000), "something else than a list"),
    ("not UTF-8", answer(b'{"data":[{"id":"\xff"}]}'), "something else than a list"),
    ("empty", answer(b""), "something else than a list"),
    ("refused", answer({"error": {"message": "bad key"}}, 401), "a/main answered HTTP 401: bad key"),
    ("quotes the key", answer({"error": {"message": f"no {SECRET}"}}, 401), r"HTTP 401: no \*\*\*$"),
    ("wordless", answer(b"", 500), r"HTTP 500\.$"),
    ("a redirect", answer({}, 302, {"location": "http://127.0.0.1:1/"}), r"HTTP 302\.$"),
    ("odd error", answer({"error": {"message": ["x"]}}, 400), "HTTP 400"),
    ("torn", raw(HEAD + b"content-length: 99\r\n\r\n{"), "only in part"),
    ("silent close", drop(), "cannot be reached"),
]


@pytest.mark.parametrize(("name", "scene", "words"), MODEL_LISTS, ids=[case[0] for case in MODEL_LISTS])
async def test_a_list_of_models_that_is_none_says_what_to_mend(
    provider: MakeProvider, name: str, scene: Scene, words: str
) -> None:
    made = await provider(scene)
    async with lane() as upstream:
        with pytest.raises(UpstreamFailed, match=words) as failed:
            await upstream.model_names(backend_of(made))
        assert SECRET not in str(failed.value)
        assert not in_use(upstream)


async def test_names_come_sorted_once_each_and_at_most_5000(provider: MakeProvider) -> None:
    many = [{"id": f"m{number:05}", "object": "model"} for number in range(6000)]
    made = await provider(
        answer({"data": [{"id": "b"}, {"id": "a", "extra": {}}, {"id": "b"}]}), answer({"data": many})
    )
    async with lane() as upstream:
        assert await upstream.model_names(backend_of(made)) == ["a", "b"]
        assert len(await upstream.model_names(backend_of(made))) == 5000


async def test_a_hundred_posts_at_once_each_get_their_own_answer(provider: MakeProvider) -> None:
    async def echo(exchange: Exchange) -> None:
        await asyncio.sleep(0.02 * (exchange.heard.json() % 3))
        await answer(exchange.heard.body)(exchange)

    made = await provider(echo)
    async with lane() as upstream:
        backend = backend_of(made)
        bodies = [json.dumps(number).encode() for number in range(100)]
        assert await asyncio.gather(*(read(upstream, backend, body) for body in bodies)) == bodies
        assert not in_use(upstream)


async def test_closing_in_the_middle_of_a_stream_is_seen_by_the_provider_within_300_ms(provider: MakeProvider) -> None:
    left = asyncio.Event()
    made = await provider(stream([*sse("a"), Pause(20)], left=left))
    async with lane() as upstream:
        got = await ask(upstream, backend_of(made))
        await got.next()
        began = time.monotonic()
        await got.close()
        await asyncio.wait_for(left.wait(), 2)
        assert time.monotonic() - began < 0.3
        assert pool_of(upstream).count == 0


async def test_two_hundred_cancelled_calls_leave_no_connection_behind(provider: MakeProvider) -> None:
    rng = Random(3)
    slow = stream([*sse("a"), Pause(0.02), *sse("b"), Pause(20)])
    made = await provider(hang())

    async def one(upstream: Upstream, backend: Backend) -> None:
        calling = asyncio.create_task(read(upstream, backend))
        await asyncio.sleep(rng.random() * 0.15)
        calling.cancel()
        await asyncio.wait({calling})
        assert calling.cancelled()

    async with lane() as upstream:
        for scene in (hang(), slow):
            made.always = scene
            await asyncio.gather(*(one(upstream, backend_of(made)) for _ in range(100)))
        assert pool_of(upstream).count == 0
        made.always = answer(b"alive")
        assert await read(upstream, backend_of(made)) == b"alive"


async def test_an_answer_that_never_stops_coming_ends_with_its_time(provider: MakeProvider) -> None:
    async def endless(exchange: Exchange) -> None:
        await exchange.head(200, {"transfer-encoding": "chunked"})
        while True:
            await exchange.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")

    made = await provider(endless)
    async with lane() as upstream, asyncio.timeout(20):
        got = await ask(upstream, backend_of(made))
        got.bound(asyncio.get_running_loop().time() + 0.3)
        with pytest.raises(TimeoutError, match="did not end|too long"):
            while await got.next():
                pass
        await got.close()
        assert pool_of(upstream).count == 0
