"""A client that hangs up: the provider is told at once, what came is settled, nobody is blamed."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from gateway.model.calls import CallStatus, UsageSource
from tests.conftest import MakeProvider
from tests.harness import HELLO, RunningGateway
from tests.provider import USAGE_CHUNK, Pause, delta, hang, sse, stream

pytestmark = pytest.mark.anyio


async def ask(gateway: RunningGateway, **body: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call on a bare socket."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent = json.dumps({"model": "m", "messages": HELLO, **body}).encode()
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {gateway.api_key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(sent)}\r\n\r\n".encode()
        + sent
    )
    await writer.drain()
    return reader, writer


@pytest.mark.parametrize("is_stream", [True, False])
async def test_leaving_before_the_first_byte_reaches_the_provider_within_300_ms(
    gateway: RunningGateway, provider: MakeProvider, is_stream: bool
) -> None:
    left = asyncio.Event()
    silent = await provider(hang(left))
    made = await gateway.backend(silent)
    _, writer = await ask(gateway, stream=is_stream)
    while not silent.heard:
        await asyncio.sleep(0.005)

    began = time.monotonic()
    writer.close()
    await asyncio.wait_for(left.wait(), 2)

    assert time.monotonic() - began < 0.3
    row = await gateway.row()
    assert (row.status, row.code, row.error_code) == (CallStatus.CANCELLED, 499, "client_left")
    # The provider had the question, and takes money for it.
    assert (row.usage.source, row.usage.input > 0, row.usage.output) == (UsageSource.ESTIMATED, True, 0)
    assert [attempt.outcome for attempt in row.attempts] == ["abandoned"]
    state = gateway.desk.state.of(made.backend_id)
    assert (state.in_flight, state.failures, state.fault) == (0, 0, "")


@pytest.mark.parametrize("events", [1, 2, 5])
async def test_leaving_in_the_middle_settles_what_came(
    gateway: RunningGateway, provider: MakeProvider, events: int
) -> None:
    left = asyncio.Event()
    parts = [*sse(*[delta("abcd")] * events), Pause(20)]
    made = await gateway.backend(await provider(stream(parts, left=left)))
    reader, writer = await ask(gateway, stream=True)
    seen = b""
    while seen.count(b"abcd") < events:
        seen += await reader.read(65536)

    began = time.monotonic()
    writer.close()
    await asyncio.wait_for(left.wait(), 2)

    assert time.monotonic() - began < 0.3
    row = await gateway.row()
    assert (row.status, row.usage.output, row.usage.source) == (CallStatus.CANCELLED, events, UsageSource.ESTIMATED)
    assert gateway.desk.state.of(made.backend_id).in_flight == 0


async def test_a_client_that_left_a_probe_lets_the_next_call_probe(
    gateway: RunningGateway, provider: MakeProvider
) -> None:
    silent = await provider(hang())
    made = await gateway.backend(silent)
    state = gateway.desk.state.of(made.backend_id)
    state.needs_probe = True
    _, writer = await ask(gateway)
    while not silent.heard:
        await asyncio.sleep(0.005)
    assert state.probing

    writer.close()
    await gateway.row()

    assert (state.probing, state.needs_probe) == (False, True)


async def test_a_body_that_never_comes_whole_is_no_call(gateway: RunningGateway, provider: MakeProvider) -> None:
    heard = await provider()
    await gateway.backend(heard)
    host, port = gateway.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {gateway.api_key}\r\n"
        'content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"model"'.encode()
    )
    await writer.drain()
    writer.close()
    await asyncio.sleep(0.1)

    assert not heard.heard
    assert gateway.app.asgi.in_flight == 0


WHOLE = [delta(role=True), delta("abcd"), delta("efgh"), delta("ijkl"), delta(finish="stop"), USAGE_CHUNK, "[DONE]"]
"""A whole answer, of which a client may see any number of events before it goes."""


@pytest.mark.parametrize("asks", [True, False], ids=["asks for usage", "does not"])
@pytest.mark.parametrize("seen", range(2, len(WHOLE)))
async def test_a_client_gone_after_any_chunk_pays_for_what_came(
    gateway: RunningGateway, provider: MakeProvider, seen: int, asks: bool
) -> None:
    """Estimated from the text until the provider told its own count, and by that from then on."""
    left = asyncio.Event()
    parts = [*sse(*WHOLE[:seen]), Pause(20), *sse(*WHOLE[seen:])]
    made = await gateway.backend(await provider(stream(parts, left=left)))
    options = {"stream_options": {"include_usage": True}} if asks else {}
    reader, writer = await ask(gateway, stream=True, **options)
    # Without having been asked for, the usage chunk stays with us: there is nothing to wait for.
    shown = seen - 1 if seen == 6 and not asks else seen
    heard = b""
    while heard.count(b"data: ") < shown:
        heard += await reader.read(65536)
    if shown != seen:
        await asyncio.sleep(0.1)

    writer.close()
    await asyncio.wait_for(left.wait(), 2)

    row = await gateway.row()
    is_told = seen == len(WHOLE) - 1
    assert row.status is CallStatus.CANCELLED
    assert row.usage.source is (UsageSource.REPORTED if is_told else UsageSource.ESTIMATED)
    texts = min(seen - 1, 3)
    told = USAGE_CHUNK["usage"]
    assert isinstance(told, dict)
    assert row.usage.output == (told["completion_tokens"] if is_told else texts)
    assert gateway.desk.state.of(made.backend_id).in_flight == 0
