"""A stream's silences: the provider's are filled, a client's own ends the stream."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from gateway.proxy.silence import Silence

pytestmark = pytest.mark.anyio
PING = b": ping\n\n"


class Client:
    """Takes what is sent, while `takes` is set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.takes = asyncio.Event()
        self.takes.set()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.takes.wait()
        self.bodies.append(message["body"])


async def test_a_client_that_takes_nothing_for_too_long_is_given_up() -> None:
    client = Client()
    silence = Silence(client.send, b"", 15.0, patience=0.05)
    await silence.write(b"first", more=True)

    client.takes.clear()
    with pytest.raises(asyncio.CancelledError):
        await silence.write(b"second", more=True)
    silence.take_back()

    assert silence.is_given_up
    assert client.bodies == [b"first"]
    silence.end()
    await asyncio.sleep(0)  # the cancellation is over: this is not cancelled


async def test_a_slow_client_is_not_given_up_while_it_takes_something() -> None:
    client = Client()
    silence = Silence(client.send, b"", 15.0, patience=0.2)
    for _ in range(4):
        client.takes.clear()
        asyncio.get_running_loop().call_later(0.1, client.takes.set)
        await silence.write(b"x", more=True)
    silence.end()

    assert client.bodies == [b"x"] * 4
    assert not silence.is_given_up


async def test_silence_is_filled_again_and_again_and_talk_is_not() -> None:
    client = Client()
    silence = Silence(client.send, PING, 0.05)
    for _ in range(8):
        await silence.write(b"talk", more=True)
        await asyncio.sleep(0.01)
    assert PING not in client.bodies

    async with asyncio.timeout(5):
        while client.bodies.count(PING) < 3:
            await asyncio.sleep(0.01)
    silence.end()


async def test_what_is_written_waits_for_a_ping_that_is_on_its_way() -> None:
    client = Client()
    silence = Silence(client.send, PING, 0.03)
    client.takes.clear()
    await asyncio.sleep(0.08)
    asyncio.get_running_loop().call_later(0.02, client.takes.set)

    await silence.write(b"talk", more=True)
    silence.end()

    assert client.bodies == [PING, b"talk"]


async def test_a_ping_that_nobody_takes_gives_the_client_up_too() -> None:
    client = Client()
    silence = Silence(client.send, PING, 0.03, patience=0.1)
    client.takes.clear()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(5)
    silence.take_back()

    assert silence.is_given_up
    silence.end()


async def test_after_its_end_nothing_is_sent_and_nobody_cancelled() -> None:
    client = Client()
    silence = Silence(client.send, PING, 0.02, patience=0.05)
    silence.end()

    await asyncio.sleep(0.1)

    assert client.bodies == []
