"""The live event stream inside the process: what is published, kept for a while, and told to whoever listens.

Everything happens in the event loop's thread, so nothing here waits but a listener for its next event.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Generator, Iterable
from enum import StrEnum

import msgspec

from gateway.errors import Unavailable

MOST_KEPT = 1000
MOST_WAITING = 256
MOST_LISTENERS = 64


class Topic(StrEnum):
    """REGISTRY: a committed change of configuration. HEALTH: backends began or ended a rest, a fault or a trial."""

    REGISTRY = "registry"
    HEALTH = "health"


EVERY_TOPIC = frozenset(Topic)


class Event(msgspec.Struct, frozen=True):
    """`action` happened to each `noun` named by `ids`, as of `config_version`; `at` in Unix milliseconds.

    `id` grows with every event, over restarts too. Two events with one `dedupe_key` tell of one thing.
    """

    id: int
    topic: Topic
    action: str
    noun: str
    ids: tuple[str, ...]
    config_version: int
    at: int
    dedupe_key: str


class Listener(msgspec.Struct, eq=False):
    """One who listens. `since` is the id after which everything is told.

    `is_behind` where something was missed: because of a slow reader, or because it is too long ago to be kept.
    """

    topics: frozenset[Topic]
    since: int
    is_behind: bool = False
    is_over: bool = False
    _waiting: deque[Event] = msgspec.field(default_factory=deque)
    _bell: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    async def wait(self, seconds: float) -> None:
        """Until there is something to take, or the end, or for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        self._bell.clear()

    def take(self) -> tuple[bool, list[Event]]:
        """Whether something was missed, and what has come since."""
        taken = self.is_behind, list(self._waiting)
        self.is_behind = False
        self._waiting.clear()
        return taken

    def catch_up(self, missed: Iterable[Event]) -> None:
        self._waiting.extend(event for event in missed if event.topic in self.topics)
        self._bell.set()

    def hear(self, event: Event) -> None:
        """Whoever reads too slowly is told so instead of filling the memory."""
        if event.topic not in self.topics:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.clear()
            self.is_behind = True
        else:
            self._waiting.append(event)
        self._bell.set()

    def leave(self) -> None:
        """Wait for nothing more; whoever waits now is woken."""
        self.is_over = True
        self._bell.set()


class Events:
    """`began` is the id before the first event: the time of the start, so that ids grow over restarts.

    Events of the topic REGISTRY are kept for those who come back; how backends are doing can only be looked up.
    """

    def __init__(self, began: int = 0) -> None:
        self.latest = began
        self._forgotten = began
        self._kept: deque[Event] = deque()
        self._listeners: set[Listener] = set()
        self._is_ended = False
        self._arrival = asyncio.Event()

    def publish(self, topic: Topic, action: str, noun: str, ids: tuple[str, ...], config_version: int, at: int) -> None:
        self.latest += 1
        key = f"{topic}:{config_version}:{noun}:{','.join(ids)}:{action}"
        if topic is Topic.HEALTH:
            key = f"{topic}:{self.latest}"
        event = Event(self.latest, topic, action, noun, ids, config_version, at, key)
        if topic is Topic.REGISTRY:
            self._kept.append(event)
            if len(self._kept) > MOST_KEPT:
                self._forgotten = self._kept.popleft().id
        for listener in self._listeners:
            listener.hear(event)

    def has_listener(self, topic: Topic) -> bool:
        return any(topic in listener.topics for listener in self._listeners)

    async def until_listener(self, topic: Topic) -> None:
        while not self.has_listener(topic):
            self._arrival.clear()
            await self._arrival.wait()

    def require_room(self) -> None:
        """Raises Unavailable where too many listen, or where the gateway is stopping."""
        if self._is_ended:
            raise Unavailable("The gateway is stopping; try again.", retry_after=2)
        if len(self._listeners) >= MOST_LISTENERS:
            raise Unavailable(
                f"{MOST_LISTENERS} streams of events are open already.", code="too_many_streams", retry_after=10
            )

    @contextlib.contextmanager
    def listen(self, topics: frozenset[Topic], after: int | None = None) -> Generator[Listener]:
        """From now on, or from after the event with that id. Raises Unavailable like `require_room`."""
        self.require_room()
        listener = Listener(topics, self.latest if after is None else after)
        if after is not None:
            self._resume(listener, after)
        self._listeners.add(listener)
        self._arrival.set()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            listener.leave()

    def end(self) -> None:
        """Let every listener go, and take no new ones."""
        self._is_ended = True
        for listener in self._listeners:
            listener.leave()

    def _resume(self, listener: Listener, after: int) -> None:
        if self._forgotten <= after <= self.latest:
            listener.catch_up(event for event in self._kept if event.id > after)
        else:
            listener.since, listener.is_behind = 0, True
            listener.catch_up(())
