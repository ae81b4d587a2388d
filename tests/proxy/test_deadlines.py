"""Providers that hang or talk nonsense: the call ends in its time, in words that clients know, with a row."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from gateway.model.calls import CallStatus, UsageSource
from tests.conftest import MakeProvider
from tests.harness import RunningGateway, running_gateway
from tests.provider import (
    Exchange,
    Pause,
    Provider,
    Scene,
    answer,
    delta,
    hang,
    hello_stream,
    limited,
    raw,
    sse,
    stream,
)

pytestmark = pytest.mark.anyio
DEADLINE, GRACE, LEAST_MS = 1.0, 0.25, 300


@pytest.fixture
async def brisk(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway whose calls may take a second."""
    async with running_gateway(tmp_path, call_deadline_seconds=DEADLINE) as running:
        yield running


async def half_a_head(exchange: Exchange) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\ncontent-ty")
    await hang()(exchange)


async def endless_head(exchange: Exchange) -> None:
    await exchange.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await exchange.write(b"x: y\r\n")
        await asyncio.sleep(0.05)


async def half_a_body(exchange: Exchange) -> None:
    await exchange.head(200, {"content-type": "application/json", "content-length": "1000"})
    await exchange.write(b'{"choices": [')
    await hang()(exchange)


async def early_hints(exchange: Exchange) -> None:
    while True:
        await exchange.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.05)


HANGS: dict[str, Scene | None] = {
    "connect": None,
    "headers": hang(),
    "half a head": half_a_head,
    "an endless head": endless_head,
    "early hints for ever": early_hints,
    "body": half_a_body,
    "stream": stream([*sse(delta(role=True)), Pause(20)]),
    "pings": stream([b": ping\n\n", Pause(0.03)] * 500),
}


@contextlib.asynccontextmanager
async def silent_tls() -> AsyncIterator[str]:
    """An address where a TLS handshake never gets an answer."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def timed(gateway: RunningGateway, model: str, **body: Any) -> tuple[httpx.Response, float]:
    began = time.monotonic()
    got = await gateway.call(model, **body)
    return got, time.monotonic() - began


async def test_whatever_hangs_the_call_ends_at_its_deadline_as_a_timeout(
    brisk: RunningGateway, provider: MakeProvider
) -> None:
    rng, names = Random(5), list(HANGS)
    async with silent_tls() as nowhere:
        for number in range(16):
            phases = [names[number % len(names)], *rng.choices(names, k=2)]
            for phase in phases:
                scene = HANGS[phase]
                made = await provider(scene) if scene else Provider(nowhere, answer())
                seconds = round(rng.uniform(0.1, 1.5), 2)
                await brisk.backend(made, models=(f"m{number}",), timeout_seconds=seconds)
        calls = [timed(brisk, f"m{number}", stream=number % 2 == 0) for number in range(16)]
        ended = await asyncio.gather(*calls)
        rows = await brisk.rows()

    for got, seconds in ended:
        assert seconds <= DEADLINE + GRACE
        assert (got.status_code, got.json()["error"]["type"]) == (504, "timeout_error")
        assert got.headers["x-should-retry"] == "true"
    assert {(row.status, row.code, row.error_code) for row in rows} == {(CallStatus.FAILED, 504, "deadline_exceeded")}
    starts = [attempt.started_ms for row in rows for attempt in row.attempts]
    assert max(starts) <= DEADLINE * 1000 - LEAST_MS + 1
    assert len(starts) > len(rows)


async def test_no_attempt_begins_with_less_than_300_ms_left(brisk: RunningGateway, provider: MakeProvider) -> None:
    await brisk.backend(await provider(hang()), timeout_seconds=0.75)
    late = await provider()
    await brisk.backend(late, pool="fallback")

    got, seconds = await timed(brisk, "m")

    assert (got.status_code, late.heard) == (504, [])
    assert seconds < 0.9


async def test_a_stream_that_talks_past_the_deadline_is_ended_with_an_error_event(
    brisk: RunningGateway, provider: MakeProvider
) -> None:
    talking = [part for _ in range(200) for part in (*sse(delta("word")), Pause(0.03))]
    left = asyncio.Event()
    for number, parts in enumerate((talking, [*sse(delta("word")), Pause(20)])):
        await brisk.backend(await provider(stream(parts, left=left)), models=(f"m{number}",))

    for got, seconds in await asyncio.gather(*(timed(brisk, name, stream=True) for name in ("m0", "m1"))):
        assert DEADLINE - 0.05 <= seconds <= DEADLINE + GRACE
        assert b'"type":"timeout_error"' in got.content.split(b"\n\n")[-2]
        assert b"[DONE]" not in got.content
    await asyncio.wait_for(left.wait(), 0.3)
    assert {(row.error_code, row.usage.source) for row in await brisk.rows()} == {
        ("stream_broken", UsageSource.ESTIMATED)
    }


async def test_a_recovery_beyond_the_deadline_is_not_waited_for(brisk: RunningGateway, provider: MakeProvider) -> None:
    for seconds in (90, 0.9, 40):
        await brisk.backend(await provider(limited(seconds)))

    got, seconds = await timed(brisk, "m")

    assert (got.status_code, got.headers["retry-after"]) == (429, "1")
    assert seconds < 0.5


async def test_everything_that_rests_is_told_by_its_soonest_end(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    rests = Random(2).sample(range(20, 600), 4)
    for seconds in rests:
        await gateway.backend(await provider(limited(seconds)))

    told = [int((await gateway.call()).headers["retry-after"]) for _ in range(3)]

    assert all(min(rests) - 2 <= seconds <= min(rests) for seconds in told)


async def test_twenty_waiting_calls_send_one_probe_first_and_are_all_served(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    heard_at_first_answer = 0

    async def probe(exchange: Exchange) -> None:
        nonlocal heard_at_first_answer
        await asyncio.sleep(0.3)
        heard_at_first_answer = len(busy.heard)
        await answer()(exchange)

    busy = await provider(probe, answer())
    made = await gateway.backend(busy)
    gateway.desk.state.of(made.backend_id).rest(gateway.desk.clock.mono() + 0.3, "HTTP 429")

    got = await asyncio.gather(*(gateway.call() for _ in range(20)))

    assert [answered.status_code for answered in got] == [200] * 20
    assert (heard_at_first_answer, len(busy.heard)) == (1, 20)


def torn_after(text: bytes) -> Scene:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return raw(head + f"{len(text):x}\r\n".encode() + text + b"\r\nff\r\ndata: {")


LINE = b'data: {"choices":[{"delta":{"content":"' + b"x" * 10_000_000 + b'"}}]}\n\n'
HTML = answer(b"<html>Sign in</html>", headers={"content-type": "text/html"})
WORD = sse(delta("word"))
REFUSED: list[tuple[str, bool, Scene]] = [
    ("truncated chunks", False, raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{")),
    ("truncated chunks", True, torn_after(b": ping\n\n")),
    ("invalid UTF-8", False, answer(b'{"choices":[{"message":{"content":"\xff\xfe"}}]}')),
    ("HTML with 200", False, HTML),
    ("HTML with 200", True, HTML),
    ("a line of 10 MB", True, stream([LINE])),
    ("an endless line", True, stream([b"data: ", *[b"x" * 65536] * 200])),
    ("only its end", True, stream(sse("[DONE]"))),
    ("a head of 1 MB", False, raw(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000 + b"\r\n\r\n")),
    ("a negative length", False, raw(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}")),
    ("status 0", False, raw(b"HTTP/1.1 000 No\r\ncontent-length: 0\r\n\r\n")),
    ("two status lines", False, raw(b"HTTP/1.1 200 OK\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")),
]


@pytest.mark.parametrize(("name", "is_stream", "scene"), REFUSED, ids=[f"{case[0]}-{case[1]}" for case in REFUSED])
async def test_nonsense_before_any_output_is_a_502_with_a_row(
    brisk: RunningGateway, provider: MakeProvider, name: str, is_stream: bool, scene: Scene
) -> None:
    await brisk.backend(await provider(scene))

    got, seconds = await timed(brisk, "m", stream=is_stream)

    assert seconds <= DEADLINE + GRACE
    assert (got.status_code, got.json()["error"]["type"]) == (502, "upstream_error")
    row = await brisk.row()
    assert (row.status, row.code, row.usage.source) == (CallStatus.FAILED, 502, UsageSource.NONE)
    assert [attempt.outcome for attempt in row.attempts] == ["failed"]


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        ("truncated chunks", torn_after(WORD[0])),
        ("a line of 10 MB", stream([*WORD, LINE])),
        ("no end", stream(WORD)),
        ("half an event", stream([*WORD, b'data: {"choices":'])),
    ],
)
async def test_nonsense_after_output_ends_in_an_error_event_and_is_estimated(
    brisk: RunningGateway, provider: MakeProvider, name: str, scene: Scene
) -> None:
    await brisk.backend(await provider(scene))

    got, seconds = await timed(brisk, "m", stream=True)

    assert seconds <= DEADLINE + GRACE
    assert got.content.startswith(WORD[0])
    assert b'"type":"upstream_error"' in got.content.split(b"\n\n")[1]
    assert b"[DONE]" not in got.content
    row = await brisk.row()
    assert (row.status, row.error_code, row.usage.source) == (
        CallStatus.FAILED,
        "stream_broken",
        UsageSource.ESTIMATED,
    )


ODD: list[tuple[str, list[bytes]]] = [
    ("invalid UTF-8", [b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n', *sse(delta(finish="stop"), "[DONE]")]),
    ("the end before the words", sse(delta(finish="stop"), delta("late"), "[DONE]")),
    ("words after the end", sse(delta("a"), "[DONE]", delta("b"))),
    ("the role last", sse(delta("a"), delta(role=True), delta(finish="stop"))),
    ("other ids", sse({**delta("a"), "id": "x"}, {**delta("b"), "id": 7}, delta(finish="stop"), "[DONE]")),
    ("bytes that are no event", [b"\x00\x01\n\n", *hello_stream(usage=False)]),
]


@pytest.mark.parametrize(("name", "parts"), ODD, ids=[case[0] for case in ODD])
async def test_an_odd_stream_that_says_it_is_whole_passes_byte_for_byte(
    brisk: RunningGateway, provider: MakeProvider, name: str, parts: list[bytes]
) -> None:
    await brisk.backend(await provider(stream(parts)))

    got, seconds = await timed(brisk, "m", stream=True)

    assert got.content == b"".join(parts)
    assert seconds < DEADLINE
    row = await brisk.row()
    assert (row.status, row.usage.source) == (CallStatus.COMPLETED, UsageSource.ESTIMATED)


async def test_a_provider_whose_name_is_unknown_does_not_hold_up_another(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    unknown, healthy = Provider("https://nothing.invalid", answer()), await provider()
    await gateway.backend(unknown, models=("a",), local_upstream=False)
    await gateway.backend(healthy, models=("b",))
    await gateway.call("b")
    lost = [asyncio.create_task(gateway.call("a")) for _ in range(4)]

    served = await asyncio.gather(*(timed(gateway, "b") for _ in range(20)))

    assert {got.status_code for got, _ in served} == {200}
    assert max(seconds for _, seconds in served) < 1
    for got in await asyncio.gather(*lost):
        assert (got.status_code, got.json()["error"]["type"]) == (502, "upstream_error")
        assert "cannot be resolved" in got.json()["error"]["message"]


async def test_connections_that_died_while_the_gateway_slept_cost_no_client_anything(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def kept(exchange: Exchange) -> None:
        writers.append(exchange.writer)
        await asyncio.sleep(0.02)
        await answer()(exchange)

    made = await provider(kept)
    await gateway.backend(made)
    await asyncio.gather(*(gateway.call() for _ in range(10)))
    for writer in writers:
        writer.transport.abort()

    got = await asyncio.gather(*(gateway.call() for _ in range(10)))

    assert [answered.status_code for answered in got] == [200] * 10
    assert {len(row.attempts) for row in await gateway.rows()} == {1}
