"""The stream as bytes: its form, its pings, and every way in which it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.control.event_stream import EventStream
from gateway.control.events import MOST_WAITING, Events, Topic
from gateway.errors import Unavailable

pytestmark = pytest.mark.anyio


@dataclass
class Wire:
    """The two ends that a server gives to an ASGI program. `gate` holds writes back while it is closed."""

    sent: list[MutableMapping[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    is_allowed: bool = True
    knows: bool = True

    def __post_init__(self) -> None:
        self.gate.set()

    async def receive(self) -> MutableMapping[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        await self.gate.wait()
        self.sent.append(message)

    async def allows(self) -> bool:
        if not self.knows:
            raise Unavailable("The database cannot be used right now.")
        return self.is_allowed

    @property
    def text(self) -> str:
        return b"".join(message.get("body", b"") for message in self.sent).decode()

    @property
    def is_whole(self) -> bool:
        return self.sent[-1].get("more_body") is False

    async def until(self, words: str) -> None:
        async with asyncio.timeout(2):
            while words not in self.text:
                await asyncio.sleep(0.001)


def change(events: Events, *versions: int) -> None:
    for version in versions:
        events.publish(Topic.REGISTRY, "update", "model", ("m",), version, 5)


@contextlib.asynccontextmanager
async def streaming(
    events: Events, wire: Wire, method: str = "GET", last_event_id: str = "", **options: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """A client that has sent its request."""
    headers = [(b"last-event-id", last_event_id.encode())] if last_event_id else []
    stream = EventStream(events, wire.allows, **options)
    task = asyncio.ensure_future(stream({"method": method, "headers": headers}, wire.receive, wire.send))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        assert not events.has_listener(Topic.REGISTRY)


async def over(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(2):
        await task


async def test_it_begins_with_its_place_and_tells_each_change_in_one_block() -> None:
    events, wire = Events(100), Wire()
    async with streaming(events, wire):
        await wire.until("ready")
        change(events, 7)
        await wire.until("registry:7")

    assert wire.sent[0]["status"] == 200
    assert dict(wire.sent[0]["headers"]) == {
        b"content-type": b"text/event-stream; charset=utf-8",
        b"cache-control": b"no-store",
        b"x-accel-buffering": b"no",
    }
    assert wire.text == (
        "retry: 3000\nid: 100\nevent: ready\ndata: {}\n\n"
        "id: 101\nevent: registry\n"
        'data: {"id":101,"topic":"registry","action":"update","noun":"model","ids":["m"],"config_version":7,"at":5,'
        '"dedupe_key":"registry:7:model:m:update"}\n\n'
    )


async def test_the_headers_of_its_face_are_added() -> None:
    wire = Wire()
    async with streaming(Events(), wire, headers=((b"x-request-id", b"r"), (b"cache-control", b"no-store, private"))):
        await wire.until("ready")

    assert wire.sent[0]["headers"].count((b"x-request-id", b"r")) == 1
    assert [value for name, value in wire.sent[0]["headers"] if name == b"cache-control"] == [b"no-store, private"]


async def test_what_is_not_an_event_is_a_comment_now_and_then() -> None:
    wire = Wire()
    async with streaming(Events(), wire, ping_seconds=0.01):
        await wire.until(": still here\n\n: still here\n\n")

    assert wire.text.count("event:") == 1


@pytest.mark.parametrize(("after", "last_event_id"), [("101", ""), (None, "101"), ("1", "101"), ("x", "101")])
async def test_it_goes_on_after_the_last_event_that_the_client_has(after: str | None, last_event_id: str) -> None:
    """A browser that comes back by itself sends the address of its first try, and a newer Last-Event-ID."""
    events, wire = Events(100), Wire()
    change(events, 1, 2, 3)
    async with streaming(events, wire, after=after, last_event_id=last_event_id):
        await wire.until("registry:3")

    assert "id: 101\nevent: ready" in wire.text
    assert "registry:1:" not in wire.text
    assert "resync" not in wire.text
    assert wire.text.index("registry:2:") < wire.text.index("registry:3:")


@pytest.mark.parametrize("after", ["1", "99", "104", "-1", "x", "１０１", "9" * 400, "101 ", "1e2"])
async def test_an_id_that_means_nothing_here_is_answered_with_resync(after: str) -> None:
    events, wire = Events(100), Wire()
    change(events, 1, 2, 3)
    async with streaming(events, wire, after=after):
        await wire.until("resync")
        change(events, 4)
        await wire.until("registry:4")

    assert "id: 0\nevent: ready" in wire.text, "cut off here, the client has to be told again"
    assert "id: 103\nevent: resync\ndata: {}\n\nid: 104" in wire.text
    assert "registry:3:" not in wire.text


async def test_a_client_that_does_not_read_gets_resync_and_then_what_is_new() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire):
        await wire.until("ready")
        wire.gate.clear()
        change(events, 1)
        await asyncio.sleep(0.01)
        change(events, *range(2, MOST_WAITING + 4))
        wire.gate.set()
        await wire.until(f"registry:{MOST_WAITING + 3}:")

    assert wire.text.count("event: resync") == 1
    assert "registry:2:" not in wire.text
    told = [int(line.removeprefix("id: ")) for line in wire.text.splitlines() if line.startswith("id: ")]
    assert told == sorted(told)


async def test_a_client_that_leaves_ends_it_at_once() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire) as task:
        await wire.until("ready")
        wire.left.set()
        await over(task)
        assert not events.has_listener(Topic.REGISTRY)


async def test_the_end_of_the_gateway_ends_it_as_a_whole_answer() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire) as task:
        await wire.until("ready")
        events.end()
        await over(task)

    assert wire.is_whole
    assert "event: over" not in wire.text, "the client is to come back"


async def test_who_may_no_more_is_told_so_and_nothing_else() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire) as task:
        await wire.until("ready")
        wire.is_allowed = False
        change(events, 1)
        await over(task)

    assert wire.text.endswith("event: over\ndata: {}\n\n")
    assert "registry" not in wire.text
    assert wire.is_whole


async def test_who_may_no_more_is_found_out_without_an_event() -> None:
    wire = Wire()
    async with streaming(Events(), wire, ping_seconds=0.01) as task:
        await wire.until("still here")
        wire.is_allowed = False
        await over(task)

    assert wire.text.endswith("event: over\ndata: {}\n\n")


async def test_while_nobody_knows_who_may_nothing_is_told_and_the_client_comes_back() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire) as task:
        await wire.until("ready")
        wire.knows = False
        change(events, 1)
        await over(task)

    assert wire.is_whole
    assert "registry" not in wire.text
    assert "over" not in wire.text


async def test_asking_for_the_head_alone_opens_nothing() -> None:
    events, wire = Events(), Wire()
    async with streaming(events, wire, method="HEAD") as task:
        await over(task)

    assert [message["type"] for message in wire.sent] == ["http.response.start", "http.response.body"]
    assert wire.text == ""


async def test_nothing_runs_on_after_it_was_cancelled() -> None:
    events, wire = Events(), Wire()
    before = asyncio.all_tasks()
    async with streaming(events, wire):
        await wire.until("ready")
    await asyncio.sleep(0)

    assert asyncio.all_tasks() == before
