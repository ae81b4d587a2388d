"""One try at one backend: send, wait for the first real output, and say how it went."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from gateway.clock import Clock
from gateway.errors import UpstreamFailed
from gateway.formats import openai_chat
from gateway.formats.body import decode_any
from gateway.formats.openai_chat import StreamTap
from gateway.formats.sse import EventSplitter
from gateway.model.calls import Usage
from gateway.model.registry import DEMO_PRESET, Endpoint
from gateway.proxy import headers as passing
from gateway.proxy.call import Call
from gateway.proxy.upstream import Broken, ConnectFailed, KeyUnusable, Upstream, UpstreamAnswer
from gateway.routing.health import Ending, Verdict
from gateway.routing.snapshot import Lane
from gateway.routing.verdicts import judge, names_context

PATH = "/chat/completions"
_MOST_HELD_EVENTS = 64
_MOST_HELD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """An answer that is complete: its bytes as they came."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)
    usage: Usage | None
    characters: int


@dataclass(slots=True)
class OpenStream:
    """A stream under way: what was held back of it, and where the rest comes from.

    It may be silent for `idle_seconds`, and last until `ends_at` (the event loop's time).
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    answer: UpstreamAnswer
    idle_seconds: float
    ends_at: float
    hides_usage: bool
    source: AsyncIterator[bytes]
    tap: StreamTap = field(default_factory=StreamTap)
    held: list[bytes] = field(default_factory=list)
    held_bytes: int = 0
    splitter: EventSplitter = field(default_factory=EventSplitter)

    @property
    def may_hold_more(self) -> bool:
        return len(self.held) <= _MOST_HELD_EVENTS and self.held_bytes <= _MOST_HELD_BYTES

    async def hold_next(self) -> bool:
        """Read once more and keep it; False at the end of the stream."""
        events = await self._next_events()
        if events is None:
            return False
        self.held += events
        self.held_bytes += sum(map(len, events))
        return True

    async def events(self) -> AsyncIterator[bytes]:
        """Whole events, joined as they arrive together. Raises Broken, TimeoutError or UpstreamFailed.

        The usage chunk that only we asked for is left out, and not one byte else.
        """
        if self.held:
            yield b"".join(self.held)
            self.held = []
        while (events := await self._next_events()) is not None:
            if events:
                yield b"".join(events)
        rest = self.splitter.rest()
        if openai_chat.is_whole_event(rest):  # the last one, only without its empty line; a torn one is not passed on
            for event in self._passed([rest]):
                yield event

    async def _next_events(self) -> list[bytes] | None:
        """What one read brought, maybe nothing whole; None at the end."""
        async with asyncio.timeout_at(min(self.ends_at, asyncio.get_running_loop().time() + self.idle_seconds)):
            chunk = await anext(self.source, None)
        if chunk is None:
            return None
        return self._passed(self.splitter.feed(chunk))

    def _passed(self, events: list[bytes]) -> list[bytes]:
        """What the client gets of them, all of which the tap has read: our key and our usage chunk are left out."""
        shown = [self.answer.without_key(event) if b'"error"' in event else event for event in events]
        return [event for event in shown if not (self.tap.read(event) and self.hides_usage)]


@dataclass(frozen=True, slots=True)
class Left:
    """Why a backend was left. `answer` is its refusal of the request, to be passed on unmodified; `status` HTTP.

    `is_too_long`: it takes no context of this length, so that only one with a longer context may.
    """

    ending: Ending
    status: int | None = None
    answer: WholeAnswer | None = None
    is_timeout: bool = False
    is_sent: bool = True
    is_too_long: bool = False


@dataclass(slots=True)
class Timing:
    """Milliseconds from the attempt's start, filled as it goes; `ends_at` bounds it (the event loop's time)."""

    started: float
    ends_at: float = 0.0
    headers_ms: int | None = None
    first_output_ms: int | None = None


class Attempter:
    """Makes attempts. `usage_refusers` are endpoints that do not understand a stream's usage being asked for."""

    def __init__(self, upstream: Upstream, clock: Clock, usage_refusers: set[str]) -> None:
        self._upstream = upstream
        self._clock = clock
        self._usage_refusers = usage_refusers

    async def attempt(
        self, call: Call, lane: Lane, timing: Timing, seconds: float, call_seconds: float
    ) -> WholeAnswer | OpenStream | Left:
        """Wait `seconds` for the answer; a stream may go on until the call's own `call_seconds` are over.

        Never raises but for cancellation: an attempt that came to nothing is a Left.
        """
        bound = min(lane.backend.endpoint.timeout_seconds, call_seconds)
        timing.ends_at = asyncio.get_running_loop().time() + bound
        try:
            async with asyncio.timeout(seconds):
                return await self._try(call, lane, timing)
        except TimeoutError:
            return Left(Ending(Verdict.FAILED, f"no answer within {seconds:.3g} s"), is_timeout=True)
        except ConnectFailed as error:
            return Left(Ending(Verdict.FAILED, f"could not connect: {error}"), is_sent=False)
        except KeyUnusable as error:
            return Left(Ending(Verdict.REFUSED, str(error)), is_sent=False)
        except Broken as error:
            return Left(Ending(Verdict.FAILED, str(error)))
        except UpstreamFailed as error:
            return Left(Ending(Verdict.FAILED, error.message))

    async def _try(self, call: Call, lane: Lane, timing: Timing) -> WholeAnswer | OpenStream | Left:
        endpoint = lane.backend.endpoint
        injects = (
            endpoint.injects_usage
            and endpoint.id not in self._usage_refusers
            and openai_chat.may_inject_usage(call.request)
        )
        outcome = await self._send(call, lane, timing, injects_usage=injects)
        if injects and isinstance(outcome, Left) and outcome.answer and b"stream_options" in outcome.answer.body:
            self._usage_refusers.add(endpoint.id)
            outcome = await self._send(call, lane, timing, injects_usage=False)
        return outcome

    async def _send(
        self, call: Call, lane: Lane, timing: Timing, *, injects_usage: bool
    ) -> WholeAnswer | OpenStream | Left:
        backend = lane.backend
        answer = await self._upstream.post(
            backend,
            PATH,
            openai_chat.upstream_body(call.request, lane.upstream_name, injects_usage=injects_usage),
            passing.to_upstream(call.arrival.headers, is_demo=backend.provider.preset == DEMO_PRESET),
        )
        timing.headers_ms = self._since(timing)
        opened: WholeAnswer | OpenStream | Left | None = None
        try:
            if not 200 <= answer.status < 300:
                opened = await self._refusal(answer)
            elif answer.is_event_stream:
                opened = await _first_output(answer, backend.endpoint, timing.ends_at, injects_usage)
            else:
                opened = await _whole(answer)
            if not isinstance(opened, Left):
                timing.first_output_ms = self._since(timing)
            return opened
        finally:
            if not isinstance(opened, OpenStream):
                await answer.close()

    async def _refusal(self, answer: UpstreamAnswer) -> Left:
        body = await answer.read_error()
        said = decode_any(body)
        ending = judge(answer.status, answer.headers, said, self._clock.wall_ms() / 1000)
        refusal = None
        if ending.verdict in (Verdict.CLIENT_FAULT, Verdict.NOT_SERVED):
            refusal = WholeAnswer(answer.status, tuple(passing.from_upstream(answer.headers)), body, None, 0)
        return Left(ending, answer.status, refusal, is_too_long=refusal is not None and names_context(said))

    def _since(self, timing: Timing) -> int:
        return round((self._clock.mono() - timing.started) * 1000)


async def _whole(answer: UpstreamAnswer) -> WholeAnswer | Left:
    body = await answer.read()
    facts = openai_chat.read_answer(body)
    if facts.fault:
        fault = openai_chat.read_answer(answer.without_key(body)).fault
        return Left(Ending(Verdict.FAILED, fault), answer.status)
    passed = tuple(passing.from_upstream(answer.headers))
    return WholeAnswer(answer.status, passed, body, facts.usage, facts.characters)


async def _first_output(
    answer: UpstreamAnswer, endpoint: Endpoint, ends_at: float, hides_usage: bool
) -> OpenStream | Left:
    """Hold back the start frames (role, ping) until something real comes: until then another may answer."""
    stream = OpenStream(
        status=answer.status,
        headers=tuple(passing.from_upstream(answer.headers)),
        answer=answer,
        idle_seconds=endpoint.idle_seconds,
        ends_at=ends_at,
        hides_usage=hides_usage,
        source=answer.chunks(),
    )
    while not stream.tap.has_output and stream.may_hold_more:
        try:
            is_more = await stream.hold_next()
        except TimeoutError:
            reason = f"silent for {endpoint.idle_seconds:g} s before any output"
            return Left(Ending(Verdict.FAILED, reason), answer.status, is_timeout=True)
        if not is_more:
            return Left(Ending(Verdict.FAILED, "the stream ended before any output"), answer.status)
        if stream.tap.error and not stream.tap.has_output:
            return Left(Ending(Verdict.FAILED, f"error inside the stream: {stream.tap.error}"), answer.status)
    return stream
