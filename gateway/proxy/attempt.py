"""One try at one backend: send, wait for the first real output, and say how it went."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import msgspec

from gateway.clock import Clock
from gateway.errors import UpstreamFailed, UpstreamRefused
from gateway.formats.body import decode_any
from gateway.formats.cost_shown import CostOf
from gateway.formats.intermediate import Destination, Told
from gateway.formats.metering import Tap, estimated, message_of
from gateway.formats.passage import MOST_NAMES, Passage, not_asking_usage, same, translated
from gateway.formats.raw import NoSplitter, RawSide
from gateway.formats.side import StreamSide
from gateway.formats.sse import EventSplitter, Splitter
from gateway.formats.table import FORMATS
from gateway.hiding import hiding
from gateway.model.calls import Usage
from gateway.model.registry import DEMO_PRESET, ApiFormat, Endpoint
from gateway.proxy import headers as passing
from gateway.proxy.call import Call
from gateway.proxy.upstream import Broken, ConnectFailed, Content, Header, KeyUnusable, Upstream, UpstreamAnswer
from gateway.routing.cost import cost_of, price_for
from gateway.routing.health import Ending, Verdict
from gateway.routing.snapshot import Lane
from gateway.routing.verdicts import judge, names_context

PING_SECONDS = 15.0
"""A client of Anthropic's cuts a stream that is silent for 300 s; proxies on the way often do so after 60."""
_MOST_HELD_EVENTS = 64
_MOST_HELD_BYTES = 256 * 1024


class WholeAnswer(msgspec.Struct, frozen=True):
    """An answer that is complete: its bytes as the client gets them. `is_pending`: it only promises one."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    usage: Usage | None
    characters: int
    dropped: tuple[str, ...] = ()
    answer_id: str = ""
    is_pending: bool = False

    __repr__ = hiding("body")


class OpenStream(msgspec.Struct):
    """A stream under way: what was held back of it, and where the rest comes from.

    It may be silent for `idle_seconds`, and last until `ends_at` (the event loop's time). After `ping_seconds` of
    silence the client gets a ping, where its stream has one. `not_sent` names what of the request was not carried.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    answer: UpstreamAnswer
    idle_seconds: float
    ends_at: float
    side: StreamSide
    source: AsyncIterator[bytes]
    not_sent: tuple[str, ...] = ()
    held: list[bytes] = msgspec.field(default_factory=list)
    held_bytes: int = 0
    splitter: Splitter = msgspec.field(default_factory=EventSplitter)
    ping_seconds: float = PING_SECONDS

    @property
    def tap(self) -> Tap:
        return self.side.tap

    @property
    def answer_id(self) -> str:
        return self.side.tap.answer_id

    @property
    def dropped(self) -> tuple[str, ...]:
        """Names of what was not carried: of the request, and of as much of the answer as has passed."""
        return _named(self.not_sent, self.side.lost)

    @property
    def is_events(self) -> bool:
        """False for sound and the like, which come as bytes."""
        return not isinstance(self.side, RawSide)

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
        """What the client gets, joined as it arrives together. Raises Broken, TimeoutError or UpstreamFailed."""
        if self.held:
            yield b"".join(self.held)
            self.held = []
        async for events in self._arriving():
            if events:
                yield b"".join(events)
        last = self.side.rest(self.answer.without_key(self.splitter.rest()))
        if last:
            yield last

    async def _arriving(self) -> AsyncIterator[list[bytes]]:
        """What each read brings until the end; in a long silence a ping, where the client's format has one."""
        if not self.side.ping:
            while (events := await self._next_events()) is not None:
                yield events
            return
        while True:
            reading = asyncio.ensure_future(self._next_events())
            try:
                while not (await asyncio.wait({reading}, timeout=self.ping_seconds))[0]:
                    yield [self.side.ping]
            finally:
                if not reading.done():
                    reading.cancel()
                    await asyncio.wait({reading})
            if (events := reading.result()) is None:
                return
            yield events

    async def _next_events(self) -> list[bytes] | None:
        """What one read brought, maybe nothing whole; None at the end."""
        async with asyncio.timeout_at(min(self.ends_at, asyncio.get_running_loop().time() + self.idle_seconds)):
            chunk = await anext(self.source, None)
        if chunk is None:
            return None
        return self._passed(self.splitter.feed(chunk))

    def _passed(self, events: list[bytes]) -> list[bytes]:
        """What the client gets of them, all of which the tap has read; our key is cut out."""
        shown = [self.answer.without_key(event) if b'"error"' in event else event for event in events]
        return [passed for event in shown if (passed := self.side.pass_on(event))]


class Left(msgspec.Struct, frozen=True):
    """Why a backend was left. `answer` is its refusal of the request, to be passed on unmodified; `status` HTTP.

    `is_too_long`: it takes no context of this length, so that only one with a longer context may.
    """

    ending: Ending
    status: int | None = None
    answer: WholeAnswer | None = None
    is_timeout: bool = False
    is_sent: bool = True
    is_too_long: bool = False

    def names(self, word: bytes) -> bool:
        """Whether the provider's refusal names it."""
        return self.answer is not None and word in self.answer.body


class Road(msgspec.Struct, frozen=True):
    """A lane, and how this call goes there."""

    lane: Lane
    passage: Passage


class Timing(msgspec.Struct):
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

    def road(self, call: Call, lane: Lane) -> Road:
        """How the call goes there. Raises NotTranslatable or BadInput where the lane's format cannot say it."""
        request, endpoint = call.request, lane.backend.endpoint
        shown = _cost_shown(call, lane)
        asks_usage = endpoint.injects_usage and endpoint.id not in self._usage_refusers
        if endpoint.api_format is request.api_format:
            return Road(lane, same(request, asks_usage=asks_usage, model=lane.upstream_name, cost_of=shown))
        told = Told(
            call_id=call.id,
            model=request.model,
            estimate=estimated(FORMATS[request.api_format].asked_characters(request), 0),
            wants_usage=request.wants_usage or shown is not None,
            now=call.arrival.started_at // 1000,
        )
        there = Destination(lane.upstream_name, lane.output_limit)
        passage = translated(request, endpoint.api_format, there, told, shown)
        return Road(lane, passage if asks_usage else not_asking_usage(passage))

    async def attempt(
        self, call: Call, road: Road, timing: Timing, seconds: float, call_seconds: float
    ) -> WholeAnswer | OpenStream | Left:
        """Wait `seconds` for the answer; a stream may go on until the call's own `call_seconds` are over.

        Never raises but for cancellation: an attempt that came to nothing is a Left.
        """
        bound = min(road.lane.backend.endpoint.timeout_seconds, call_seconds)
        timing.ends_at = asyncio.get_running_loop().time() + bound
        try:
            async with asyncio.timeout(seconds):
                return await self._try(call, road, timing)
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

    async def _try(self, call: Call, road: Road, timing: Timing) -> WholeAnswer | OpenStream | Left:
        outcome = await self._send(call, road, timing)
        if road.passage.asks_usage and isinstance(outcome, Left) and outcome.names(b"stream_options"):
            self._usage_refusers.add(road.lane.backend.endpoint.id)
            outcome = await self._send(call, self.road(call, road.lane), timing)
        return outcome

    async def _send(self, call: Call, road: Road, timing: Timing) -> WholeAnswer | OpenStream | Left:
        backend, passage = road.lane.backend, road.passage
        path = passage.path_at(backend.endpoint.custom_path, road.lane.upstream_name) + _query(call, passage)
        headers = passing.to_upstream(call.arrival.headers, passage, is_demo=backend.provider.preset == DEMO_PRESET)
        body, of_body = _body_of(call, road)
        answer = await self._upstream.send("POST", backend, path, body, [*headers, *of_body])
        timing.headers_ms = self._since(timing)
        opened: WholeAnswer | OpenStream | Left | None = None
        try:
            if not 200 <= answer.status < 300:
                opened = await self._refusal(call, answer, passage)
            elif answer.is_event_stream or (answer.is_sound and not passage.is_translated):
                opened = await _first_output(answer, backend.endpoint, timing.ends_at, passage)
            else:
                opened = await _whole(answer, passage)
            if not isinstance(opened, Left):
                timing.first_output_ms = self._since(timing)
            return opened
        finally:
            if not isinstance(opened, OpenStream):
                await answer.close()

    async def _refusal(self, call: Call, answer: UpstreamAnswer, passage: Passage) -> Left:
        body = await answer.read_error()
        said = decode_any(body)
        ending = judge(answer.status, answer.readable_headers(), said, self._clock.wall_ms() / 1000)
        refusal = None
        if ending.verdict in (Verdict.CLIENT_FAULT, Verdict.NOT_SERVED):
            headers = tuple(passing.from_upstream(answer.headers))
            if passage.is_translated:
                refused = UpstreamRefused(answer.status, message_of(body) or f"The provider said HTTP {answer.status}.")
                body = call.arrival.family.body(refused, call.id)
                headers = passing.as_json(headers)
            refusal = WholeAnswer(answer.status, headers, body, None, 0)
        return Left(ending, answer.status, refusal, is_too_long=refusal is not None and names_context(said))

    def _since(self, timing: Timing) -> int:
        return round((self._clock.mono() - timing.started) * 1000)


def _cost_shown(call: Call, lane: Lane) -> CostOf | None:
    """How to tell the cost, where a client of chat asks for it."""
    if call.request.api_format is not ApiFormat.OPENAI_CHAT or call.arrival.header(b"x-gateway-include-cost") != "1":
        return None
    return lambda usage: cost_of(usage, price_for(lane.price, usage))


def _query(call: Call, passage: Passage) -> str:
    """What the client put behind the path, where that is for the provider: `?beta=true` of Anthropic's clients."""
    query = call.arrival.query
    is_passed = passage.upstream.passes_query and not passage.is_translated and _SAFE_QUERY.fullmatch(query)
    return f"?{query.decode()}" if query and is_passed else ""


_SAFE_QUERY = re.compile(rb"[A-Za-z0-9_.~%&=+-]{1,500}")


def _named(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))[:MOST_NAMES]


def _body_of(call: Call, road: Road) -> tuple[Content, list[Header]]:
    """What is sent, and the headers that say what it is."""
    if call.upload is None:
        return road.passage.body, [(b"content-type", b"application/json")]
    name = road.lane.upstream_name
    length = call.upload.length(name)
    headers = [(b"content-type", call.upload.content_type.encode("latin-1", "replace"))]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return call.upload.content(name), headers


async def _whole(answer: UpstreamAnswer, passage: Passage) -> WholeAnswer | Left:
    came = await answer.read()
    body, facts = passage.whole(came)
    if facts.fault:
        fault = passage.whole(answer.without_key(came))[1].fault
        return Left(Ending(Verdict.FAILED, fault), answer.status)
    headers = tuple(passing.from_upstream(answer.headers))
    if passage.is_translated:
        headers = passing.as_stream(headers) if passage.request.is_stream else passing.as_json(headers)
    return WholeAnswer(
        answer.status,
        headers,
        body,
        facts.usage,
        facts.characters,
        dropped=_named(passage.dropped, facts.lost),
        # A translated answer has an id of ours, under which no provider keeps it.
        answer_id="" if passage.is_translated else facts.answer_id,
        is_pending=facts.is_pending,
    )


async def _first_output(
    answer: UpstreamAnswer, endpoint: Endpoint, ends_at: float, passage: Passage
) -> OpenStream | Left:
    """Hold back the start frames (role, ping) until something real comes: until then another may answer."""
    if passage.is_translated and not passage.request.is_stream:
        return Left(Ending(Verdict.FAILED, "the provider sent a stream where none was asked for"), answer.status)
    stream = OpenStream(
        status=answer.status,
        headers=tuple(passing.from_upstream(answer.headers)),
        answer=answer,
        idle_seconds=endpoint.idle_seconds,
        ends_at=ends_at,
        side=passage.stream() if answer.is_event_stream else RawSide(),
        source=answer.chunks(),
        not_sent=passage.dropped,
        splitter=EventSplitter() if answer.is_event_stream else NoSplitter(),
    )
    while not stream.tap.has_output and stream.may_hold_more:
        try:
            is_more = await stream.hold_next()
        except TimeoutError:
            reason = f"silent for {endpoint.idle_seconds:g} s before any output"
            return Left(Ending(Verdict.FAILED, reason), answer.status, is_timeout=True)
        if stream.tap.error and not stream.tap.has_output:
            return Left(Ending(Verdict.FAILED, f"error inside the stream: {stream.tap.error}"), answer.status)
        if not is_more:
            return Left(Ending(Verdict.FAILED, "the stream ended before any output"), answer.status)
    return stream
