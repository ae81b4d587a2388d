"""One request and its answer at the socket: what goes out in which write, and who hears of a client that leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.edge.offers import Offers, of_scope
from gateway.edge.protocol import EdgeProtocol
from tests.edge.server import App, served

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
LENGTH_2 = [(b"content-length", b"2")]


@contextlib.asynccontextmanager
async def serving(app: App, keep_alive: int = 75, writes: list[bytes] | None = None) -> AsyncIterator[int]:
    """The port of a server of this application; `writes` gets what each write to a socket had."""

    class Watched(EdgeProtocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            if writes is not None:
                written = transport.write

                def write(part: Any) -> None:
                    writes.append(bytes(part))
                    written(part)

                transport.write = write  # type: ignore[assignment,method-assign]
            super().connection_made(transport)

    async with served(app, Watched, server_header=False, timeout_keep_alive=keep_alive) as port:
        yield port


async def said(port: int, request: bytes = LAST) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(10):
        writer.write(request)
        found = await reader.read()
    writer.close()
    return found


def answering(status: int = 200, headers: Any = LENGTH_2, *bodies: bytes) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for number, body in enumerate(bodies, 1):
            await send({"type": "http.response.body", "body": body, "more_body": number < len(bodies)})

    return app


async def test_head_and_body_leave_in_one_write() -> None:
    writes: list[bytes] = []
    async with serving(answering(200, LENGTH_2, b"ok"), writes=writes) as port:
        assert (await said(port)).endswith(b"\r\n\r\nok")

    assert len(writes) == 1


async def test_each_later_piece_of_a_stream_is_one_write() -> None:
    writes: list[bytes] = []
    async with serving(answering(200, [], b"one", b"two", b""), writes=writes) as port:
        assert (await said(port)).endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")

    assert [len(writes), writes[1:]] == [3, [b"3\r\ntwo\r\n", b"0\r\n\r\n"]]


async def test_a_head_does_not_wait_for_a_body_that_is_late() -> None:
    goes_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": LENGTH_2})
        await goes_on.wait()
        await send({"type": "http.response.body", "body": b"ok"})

    async with serving(app) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LAST)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        goes_on.set()
        assert await reader.read() == b"ok"
        writer.close()


@pytest.mark.parametrize(("status", "framed"), [(204, False), (304, False), (200, True), (404, True)])
async def test_only_what_may_have_a_body_is_chunked(status: int, framed: bool) -> None:
    async with serving(answering(status, [], b"")) as port:
        got = await said(port)

    assert (b"transfer-encoding: chunked" in got) is framed


async def test_an_answer_to_head_has_its_length_and_no_body() -> None:
    async with serving(answering(200, LENGTH_2, b"ok")) as port:
        got = await said(port, LAST.replace(b"GET", b"HEAD"))

    assert b"content-length: 2" in got
    assert got.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("hostile", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b"])
async def test_a_value_that_begins_another_line_is_not_sent(hostile: bytes) -> None:
    async with serving(answering(200, [(b"x-model", hostile), *LENGTH_2], b"ok")) as port:
        got = await said(port)

    assert got.startswith(b"HTTP/1.1 500 ")
    assert b"set-cookie" not in got


@pytest.mark.parametrize("bodies", [(b"too long",), (b"x",), (b"x", b"")])
async def test_a_body_of_another_length_than_was_said_cuts_the_connection(bodies: tuple[bytes, ...]) -> None:
    async with serving(answering(200, LENGTH_2, *bodies)) as port:
        got = await said(port, GET)

    assert not got.partition(b"\r\n\r\n")[2].startswith(b"too long")


async def test_two_beginnings_and_a_body_before_any_are_faults() -> None:
    faults: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in (
            {"type": "http.response.body", "body": b"x"},
            {"type": "http.response.start", "status": 200, "headers": LENGTH_2},
            {"type": "http.response.start", "status": 200, "headers": LENGTH_2},
            {"type": "http.response.body", "body": b"ok"},
            {"type": "http.response.body", "body": b"ok"},
        ):
            try:
                await send(message)
            except RuntimeError as error:
                faults.append(str(error))

    async with serving(app) as port:
        assert (await said(port)).endswith(b"\r\n\r\nok")

    assert len(faults) == 3


class Watching:
    """Follows its client, and notes how its waiting ended."""

    def __init__(self) -> None:
        self.left: list[str] = []
        self.offers: Offers | None = None
        self.began, self.over, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.offers = of_scope(scope)
        await receive()
        self.offers.follow_client(is_following=True)
        self.began.set()
        try:
            await self.over.wait()
            await answering(200, LENGTH_2, b"ok")(scope, receive, send)
        except asyncio.CancelledError:
            self.left.append("left")
            raise
        finally:
            self.ended.set()


async def test_who_follows_its_client_is_over_once_when_that_leaves(caplog: pytest.LogCaptureFixture) -> None:
    app = Watching()
    async with serving(app) as port, asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await app.began.wait()
        writer.close()
        await app.ended.wait()
        await asyncio.sleep(0.05)
        assert app.offers is not None and app.offers.task.done()

    assert app.left == ["left"]
    assert caplog.records == []


async def test_who_begins_to_follow_a_client_that_has_left_is_over_at_once() -> None:
    left: list[str] = []
    came, ended = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        came.set()
        assert (await receive())["type"] == "http.disconnect"
        of_scope(scope).follow_client(is_following=True)
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            left.append("left")
            raise
        finally:
            ended.set()

    async with serving(app) as port, asyncio.timeout(4):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await came.wait()
        writer.close()
        await ended.wait()
    assert left == ["left"]


async def test_who_is_cancelled_by_somebody_else_too_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    app = Watching()
    async with serving(app) as port, asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await app.began.wait()
        assert app.offers is not None
        writer.close()
        while not app.offers.task.cancelling():  # noqa: ASYNC110  # reason: nothing tells of it
            await asyncio.sleep(0)
        app.offers.task.cancel()
        await app.ended.wait()
        await asyncio.sleep(0.05)
    assert "CancelledError" in caplog.text


async def test_a_client_that_leaves_after_its_answer_ends_nothing() -> None:
    app = Watching()
    async with serving(app) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await app.began.wait()
        app.over.set()
        await reader.readuntil(b"ok")
        writer.close()
        await asyncio.sleep(0.05)

    assert app.left == []


async def test_who_follows_no_more_is_left_alone() -> None:
    app = Watching()
    async with serving(app) as port, asyncio.timeout(10):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await app.began.wait()
        assert app.offers is not None
        app.offers.follow_client(is_following=False)
        writer.close()
        await asyncio.sleep(0.1)
        assert app.left == []
        app.over.set()


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_a_whole_body_is_given_at_once_and_a_part_of_one_is_not(body: bytes) -> None:
    taken: list[bytes | None] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        taken.append(of_scope(scope).whole_body())
        if taken[0] is None:
            taken.append((await receive())["body"])
        await answering(200, LENGTH_2, b"ok")(scope, receive, send)

    head = b"POST / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
    async with serving(app) as port, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        await asyncio.sleep(0.1)
        writer.write(body)
        assert (await reader.read()).endswith(b"\r\n\r\nok")
        writer.close()

    assert taken == ([None, body] if body else [b""])


async def test_an_idle_connection_is_closed_in_time_and_one_in_use_is_not() -> None:
    async with serving(answering(200, LENGTH_2, b"ok"), keep_alive=1) as port, asyncio.timeout(20):
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(4):  # two seconds of use: the timer of the first answer is long over
            writer.write(GET)
            await reader.readuntil(b"ok")
            await asyncio.sleep(0.5)
        used = loop.time()
        assert await reader.read() == b""
        assert loop.time() - used < 5
        writer.close()


async def test_a_whole_answer_and_the_beginning_of_one_go_out_in_one_write_each() -> None:
    said_of: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        offers = of_scope(scope)
        if scope["path"] == "/whole":
            said_of.append(offers.respond(200, LENGTH_2, b"ok"))
            return
        said_of.append(offers.begin(200, [(b"x-own", b"1")], b"first"))
        assert offers.has_begun
        await send({"type": "http.response.body", "body": b"second", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async with serving(app) as port, asyncio.timeout(10):
        for path, body in (("/whole", b"\r\n\r\nok"), ("/parts", b"\r\n\r\n5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode())
            got = await reader.read()
            assert got.startswith(b"HTTP/1.1 200 OK\r\n") and got.endswith(body)
            writer.close()
    assert said_of == [True, True]


async def test_nothing_is_written_at_once_to_a_client_that_takes_nothing() -> None:
    taken: list[bool] = []
    full, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        offers = of_scope(scope)
        if scope["path"] == "/first":
            offers.respond(200, [(b"content-length", b"%d" % 20_000_000)], bytes(20_000_000))
            full.set()
            return
        taken.append(offers.respond(200, LENGTH_2, b"ok"))
        taken.append(offers.begin(200, LENGTH_2, b"ok"))
        await answering(200, LENGTH_2, b"ok")(scope, receive, send)
        done.set()

    async with serving(app) as port, asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /first HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await full.wait()
        writer.write(b"GET /second HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        await asyncio.sleep(0.1)
        got = await reader.read(-1)
        await done.wait()
        assert got.endswith(b"\r\n\r\nok")
        writer.close()
    assert taken == [False, False]
