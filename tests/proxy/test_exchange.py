"""One request and its answer: how long is waited for what, and that whoever leaves leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from gateway.proxy.exchange import Exchange
from gateway.proxy.names import Names
from tests.proxy.asking import KINDS, ask, asked, black_hole, idle_count, open_count, own, read, served, transport_of

pytestmark = pytest.mark.anyio
both = pytest.mark.parametrize("kind", KINDS)
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes what the system takes by itself, and says nothing."""
    await asyncio.Event().wait()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(CHUNKED + b"1\r\na\r\n")
    await reader.read()


async def parts(count: int, pause: float = 0.0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b"x" * 65536


# How long is waited.


@both
async def test_an_answer_that_does_not_begin_is_not_waited_for(kind: str) -> None:
    patience = {"first_byte" if kind == "own" else "read": 0.05}
    async with served(silent) as url, transport_of(kind) as transport:
        with pytest.raises(httpx.ReadTimeout):
            await ask(transport, url, timeout=patience)
        with pytest.raises(httpx.ReadTimeout):
            await ask(transport, url, parts(2), timeout=patience)


@both
async def test_a_body_that_falls_silent_is_not_waited_for(kind: str) -> None:
    async with served(halting) as url, transport_of(kind) as transport:
        response = await ask(transport, url, timeout={"read": 0.05})
        steps = response.stream.__aiter__()  # type: ignore[union-attr]
        assert await anext(steps) == b"a"
        with pytest.raises(httpx.ReadTimeout):
            await anext(steps)
        await response.aclose()


@pytest.mark.parametrize("body", [lambda: b"x" * 30_000_000, lambda: parts(500)], ids=["whole", "in parts"])
@both
async def test_a_provider_that_takes_nothing_is_not_waited_for(kind: str, body: Callable[[], Any]) -> None:
    async with served(deaf) as url, transport_of(kind) as transport:
        with pytest.raises(httpx.WriteTimeout):
            await ask(transport, url, body(), timeout={"write": 0.2})


@pytest.mark.slow
@pytest.mark.parametrize("body", [lambda: b"x" * 12_000_000, lambda: parts(180)], ids=["whole", "in parts"])
async def test_a_provider_that_takes_little_but_steadily_is_waited_for(body: Callable[[], Any]) -> None:
    """All of it takes longer than may pass without any progress."""
    slept = 0.0

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal slept
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < 11_000_000:
            got += len(await reader.read(65536))
            slept += 0.012
            await asyncio.sleep(0.012)
        writer.write(OK + b"content-length: 2\r\n\r\nok")
        await reader.read()

    async with served(slow) as url, own() as transport:
        assert await asked(transport, url, body(), timeout={"write": 0.9}) == b"ok"
    assert slept > 1.5


async def test_bytes_that_are_no_body_are_no_sign_of_life() -> None:
    async def chattering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b"1\r\na\r\n1;")
        while True:
            await asyncio.sleep(0.02)
            writer.write(b"x")

    async with served(chattering) as url, own() as transport:
        with pytest.raises(httpx.ReadTimeout):
            async with asyncio.timeout(5):
                await asked(transport, url, timeout={"read": 0.2})


async def test_early_answers_do_not_put_off_the_answer_for_ever() -> None:
    async def putting_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        while True:
            await asyncio.sleep(0.02)
            writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    async with served(putting_off) as url, own() as transport:
        with pytest.raises(httpx.ReadTimeout):
            async with asyncio.timeout(5):
                await ask(transport, url, timeout={"first_byte": 0.2})


async def test_a_client_that_pauses_is_not_the_providers_silence() -> None:
    async def at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(CHUNKED + b"1\r\na\r\n")
        await asyncio.sleep(0.15)
        writer.write(b"1\r\nb\r\n0\r\n\r\n")
        await reader.read()

    async with served(at_once) as url, own() as transport:
        response = await ask(transport, url, timeout={"read": 0.1})
        steps = response.stream.__aiter__()  # type: ignore[union-attr]
        assert await anext(steps) == b"a"
        await asyncio.sleep(0.3)
        assert await anext(steps) == b"b"
        assert await anext(steps, None) is None


ENDED: list[tuple[str, Any, Any, type[Exception]]] = [
    ("waiting for the head", silent, lambda: b"{}", httpx.ReadTimeout),
    ("waiting for the head after parts", silent, lambda: parts(2), httpx.ReadTimeout),
    ("sending", deaf, lambda: b"x" * 30_000_000, httpx.WriteTimeout),
    ("waiting for the next part", silent, lambda: parts(99, 0.05), httpx.ReadTimeout),
    ("reading", halting, lambda: b"{}", httpx.ReadTimeout),
]


@pytest.mark.parametrize(("name", "handler", "body", "error"), ENDED, ids=[case[0] for case in ENDED])
async def test_the_whole_exchange_ends_when_it_must(name: str, handler: Any, body: Any, error: type[Exception]) -> None:
    async with served(handler) as url, own() as transport:
        with pytest.raises(error):
            async with asyncio.timeout(5):
                await asked(transport, url, body(), ends_at=asyncio.get_running_loop().time() + 0.2)
        assert open_count(transport) == 0


async def test_connecting_ends_when_it_must() -> None:
    async with black_hole() as (host, port), own() as transport:
        now = asyncio.get_running_loop().time()
        for options in ({"timeout": {"connect": 0.1}}, {"ends_at": now + 0.3}):
            with pytest.raises(httpx.ConnectTimeout):
                await ask(transport, f"http://{host}:{port}/", **options)
        assert open_count(transport) == 0


async def test_a_connection_is_kept_no_longer_than_servers_keep_it() -> None:
    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n{}"):
            writer.write(OK + b"content-length: 0\r\n\r\n")

    async with served(steady) as url, own(idle_seconds=0.1) as transport:
        await asked(transport, url)
        assert idle_count(transport) == 1
        async with asyncio.timeout(5):
            while open_count(transport):
                await asyncio.sleep(0.01)
        await asked(transport, url)
        assert idle_count(transport) == 1


async def test_what_is_waited_for_often_sets_few_timers() -> None:
    """A thousand reads, each with its own deadline: the event loop knows one timer, and got few in between."""

    async def streaming(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(CHUNKED)
        for _ in range(1000):
            writer.write(b"1\r\na\r\n")
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    loop = asyncio.get_running_loop()
    made: list[float] = []

    class Counting(type(loop)):  # type: ignore[misc]
        def call_at(self, when: float, *args: Any, **options: Any) -> asyncio.TimerHandle:
            made.append(when)
            found = super().call_at(when, *args, **options)
            assert isinstance(found, asyncio.TimerHandle)
            return found

    async with served(streaming) as url, own() as transport:
        loop.__class__ = Counting
        try:
            reads = 0
            response = await ask(transport, url, timeout={"read": 5.0, "first_byte": 9.0})
            async for _ in response.stream:  # type: ignore[union-attr]
                reads += 1
        finally:
            loop.__class__ = type(loop).__mro__[1]
    assert reads > 100
    assert len(made) < 10


async def test_a_piece_is_with_who_waits_for_it_in_the_very_step_that_heard_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not a turn of the event loop later, which is a system call for each piece of each stream."""

    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        for piece in (CHUNKED, b"1\r\na\r\n", b"1\r\nb\r\n", b"1\r\nc\r\n", b"0\r\n\r\n"):
            writer.write(piece)
            await asyncio.sleep(0.05)
        await reader.read()

    taken: list[bytes] = []
    after_hearing: list[int] = []
    heard = Exchange.heard

    def hear(self: Exchange, data: memoryview) -> None:
        heard(self, data)
        after_hearing.append(len(taken))

    monkeypatch.setattr(Exchange, "heard", hear)
    async with served(in_pieces) as url, own() as transport:
        response = await ask(transport, url, timeout={"read": 5.0, "first_byte": 5.0})
        async for piece in response.stream:  # type: ignore[union-attr]
            taken.append(piece)
    assert after_hearing == [0, 1, 2, 3, 3]


# Leaving.


async def stepping(loop_steps: int = 3) -> None:
    for _ in range(loop_steps):
        await asyncio.sleep(0)


def sockets() -> int:
    found = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


PHASES: list[tuple[str, Any, Any]] = [
    ("sending", deaf, lambda: b"x" * 30_000_000),
    ("sending in parts", deaf, lambda: parts(9999)),
    ("waiting for a part", silent, lambda: parts(99, 30.0)),
    ("waiting for the head", silent, lambda: b"{}"),
    ("waiting for the head after parts", silent, lambda: parts(2)),
    ("reading", halting, lambda: b"{}"),
]


@pytest.mark.parametrize(("name", "handler", "body"), PHASES, ids=[case[0] for case in PHASES])
async def test_whoever_leaves_is_gone_for_the_provider_within_a_step_of_the_loop(
    name: str, handler: Any, body: Any
) -> None:
    left, may_listen = asyncio.Event(), asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if handler is deaf:
                # What nobody reads would hide that the other side is gone.
                await may_listen.wait()
                await silent(reader, writer)
            else:
                await handler(reader, writer)
        left.set()

    async with served(watched) as url, own() as transport:
        before = asyncio.all_tasks()
        asking = asyncio.create_task(asked(transport, url, body()))
        await asyncio.sleep(0.1)
        assert open_count(transport) == 1
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
        assert open_count(transport) == 0
        may_listen.set()
        async with asyncio.timeout(5):
            await left.wait()
        await stepping()
        assert {task for task in asyncio.all_tasks() - before if "_send_each" in repr(task)} == set()


async def test_whoever_leaves_while_a_name_is_looked_up_leaves_nothing() -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(host: str, port: int) -> list[str]:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(5)
        return ["127.0.0.1"]

    async with own(names=Names(slowly)) as transport:
        asking = asyncio.create_task(ask(transport, "http://a.test/"))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.wait({asking})
        assert (asking.cancelled(), open_count(transport)) == (True, 0)
        gate.set()
        await asyncio.sleep(0.05)
        assert open_count(transport) == 0


async def test_whoever_leaves_while_connecting_leaves_no_socket() -> None:
    async with black_hole() as (host, port), own() as transport:
        before = sockets()
        asking = asyncio.create_task(ask(transport, f"http://{host}:{port}/"))
        await asyncio.sleep(0.05)
        assert sockets() == before + 1
        asking.cancel()
        await asyncio.wait({asking})
        await stepping()
        assert (asking.cancelled(), open_count(transport), sockets()) == (True, 0, before)


@both
async def test_closing_before_the_end_ends_the_connection_and_closing_after_it_does_not(kind: str) -> None:
    told = asyncio.Event()

    async def watched(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await halting(reader, writer)
        told.set()

    async with served(watched) as url, transport_of(kind) as transport:
        response = await ask(transport, url)
        await response.aclose()
        async with asyncio.timeout(5):
            await told.wait()
        with pytest.raises(Exception):  # noqa: B017  # httpx and we say it in different ways
            await read(response)


async def test_nothing_is_kept_in_memory_for_what_is_over() -> None:
    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n{}"):
            writer.write(OK + b"content-length: 2\r\n\r\nok")

    async with served(steady) as url, own() as transport:
        await asked(transport, url)
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(200):
                await asked(transport, url)
            # Without the collector: what is over is freed by its last reference, no circle holds it.
            assert len(gc.get_objects()) - before < 100
        finally:
            gc.enable()
