"""One try at one backend: send, wait for the first real output, and say how it went."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from gateway.clock import Clock, loop_time
from gateway.errors import UpstreamFailed, UpstreamRefused
from gateway.formats.body import decode_any
from gateway.formats.cost_shown import CostOf
from gateway.formats.intermediate import Destination, Told
from gateway.formats.metering import Tap, estimated, message_of
from gateway.formats.passage import MOST_NAMES, Passage, not_asking_usage, same, translated
from gateway.formats.raw import NoSplitter, RawSide
from gateway.formats.side import StreamSide
from gateway.formats.sse import EventSplitter, Splitter, first_event, split_events
from gateway.formats.table import FORMATS
from gateway.hiding import hiding
from gateway.model.calls import Usage
from gateway.model.registry import DEMO_PRESET, ApiFormat, Endpoint
from gateway.proxy import headers as passing
from gateway.proxy.call import Call
from gateway.proxy.lines import Content, Outbound
from gateway.proxy.upstream import ConnectFailed, KeyUnusable, Upstream
from gateway.proxy.upstream_answer import Broken, Header, UpstreamAnswer
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
    """A stream under way: what was held back of it, and where the rest comes from, which may be silent for
    `idle_seconds`. After `ping_seconds` of silence the client gets a ping, where its stream has one. `not_sent` names
    what of the request was not carried, `unread` are whole events that nobody has looked at yet.
    """

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    answer: UpstreamAnswer
    idle_seconds: float
    side: StreamSide
    not_sent: tuple[str, ...] = ()
    held: list[bytes] = msgspec.field(default_factory=list)
    held_events: int = 0
    held_bytes: int = 0
    unread: bytes = b""
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
        return _named(self.not_sent, self.side.lost) if self.not_sent or self.side.lost else ()

    @property
    def is_events(self) -> bool:
        """False for sound and the like, which come as bytes."""
        return not isinstance(self.side, RawSide)

    @property
    def may_hold_more(self) -> bool:
        return self.held_events <= _MOST_HELD_EVENTS and self.held_bytes <= _MOST_HELD_BYTES

    async def hold_next(self) -> bool:
        """Read once more, if nothing is left of the last time, and keep the first event; False at the end."""
        block = await self._block()
        if block is None:
            return False
        if self.is_events:  # the client gets the first ones before the others are looked at
            block, self.unread = first_event(block)
        passed = self._passed(block)
        self.held.append(passed)
        self.held_events += passed.count(b"\n\n") + passed.count(b"\r\n\r\n")
        self.held_bytes += len(passed)
        return True

    async def next(self) -> bytes | None:
        """What the client gets next, all that came at once in one piece, maybe nothing; None after the end.

        Raises Broken, TimeoutError or UpstreamFailed.
        """
        if self.held:
            passed, self.held = b"".join(self.held), []
            return passed
        return await self._next()

    def last(self) -> bytes:
        """What the client gets after all of it."""
        return self.side.rest(self.answer.without_key(self.splitter.rest()))

    async def _next(self) -> bytes | None:
        block = await self._block()
        return None if block is None else self._passed(block)

    async def _block(self) -> bytes | None:
        """Whole events that nobody has looked at yet, maybe none; None after the end."""
        if self.unread:
            block, self.unread = self.unread, b""
            return block
        chunk = await self.answer.next()
        return None if chunk is None else self.splitter.whole(chunk)

    def _passed(self, block: bytes) -> bytes:
        """What the client gets of them."""
        if not block:
            return b""
        if block.find(b'"error"') < 0 and (passed := self.side.pass_block(block)) is not None:
            return passed
        # Our key is cut out of what a provider says of an error: it may quote it.
        shown = [self.answer.without_key(event) if b'"error"' in event else event for event in split_events(block)]
        return b"".join([self.side.pass_on(event) for event in shown])


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
    """Milliseconds from the attempt's start, filled as it goes. By `first_by` its first output has come, by `ends_at`
    all of it (the event loop's time).
    """

    started: float
    first_by: float = 0.0
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
        shown = _cost_shown(call, lane) if call.arrival.said.asks_cost else None
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
        now = loop_time()
        timing.ends_at = now + min(road.lane.backend.endpoint.timeout_seconds, call_seconds)
        timing.first_by = now + seconds
        try:
            outcome = await self._send(call, road, timing)
            if road.passage.asks_usage and isinstance(outcome, Left) and outcome.names(b"stream_options"):
                self._usage_refusers.add(road.lane.backend.endpoint.id)
                outcome = await self._send(call, self.road(call, road.lane), timing)
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
        return outcome

    async def _send(self, call: Call, road: Road, timing: Timing) -> WholeAnswer | OpenStream | Left:
        backend, passage = road.lane.backend, road.passage
        path = passage.path_at(backend.endpoint.custom_path, road.lane.upstream_name)
        if call.arrival.query:
            path += _query(call, passage)
        headers = call.arrival.said.passed_on(
            passage, backend.endpoint.api_format, is_demo=backend.provider.preset == DEMO_PRESET
        )
        body, of_body = _body_of(call, road)
        answer = await self._upstream.send(backend, Outbound("POST", path, body, [*headers, *of_body], timing.first_by))
        timing.headers_ms = self._since(timing)
        opened: WholeAnswer | OpenStream | Left | None = None
        came: bytes | None = None
        try:
            if not 200 <= answer.status < 300:
                opened = await self._refusal(call, answer, passage)
            elif answer.is_event_stream or (answer.is_sound and not passage.is_translated):
                opened = await _first_output(answer, backend.endpoint, timing, passage)
            else:
                came = answer.at_hand()
                opened = _whole(answer, passage, await answer.read() if came is None else came)
            if not isinstance(opened, Left):
                # Of what came with its head, nothing is later than that.
                timing.first_output_ms = timing.headers_ms if came is not None else self._since(timing)
            return opened
        finally:
            if not (answer.is_over or isinstance(opened, OpenStream)):
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
    """How to tell the cost to a client that asks for it; only chat has a place for it."""
    if call.request.api_format is not ApiFormat.OPENAI_CHAT:
        return None
    return lambda usage: cost_of(usage, price_for(lane.price, usage))


def _query(call: Call, passage: Passage) -> str:
    """What the client put behind the path, where that is for the provider: `?beta=true` of Anthropic's clients."""
    query = call.arrival.query
    is_passed = passage.upstream.passes_query and not passage.is_translated and _SAFE_QUERY.fullmatch(query)
    return f"?{query.decode()}" if is_passed else ""


_SAFE_QUERY = re.compile(rb"[A-Za-z0-9_.~%&=+-]{1,500}")


def _named(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for each in names for name in each))[:MOST_NAMES]


_OF_JSON: Sequence[Header] = ((b"content-type", b"application/json"),)


def _body_of(call: Call, road: Road) -> tuple[Content, Sequence[Header]]:
    """What is sent, and the headers that say what it is."""
    if call.upload is None:
        return road.passage.body, _OF_JSON
    name = road.lane.upstream_name
    length = call.upload.length(name)
    headers = [(b"content-type", call.upload.content_type.encode("latin-1", "replace"))]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return call.upload.content(name), headers


def _whole(answer: UpstreamAnswer, passage: Passage, came: bytes) -> WholeAnswer | Left:
    body, facts = passage.whole(came)
    if facts.fault:
        fault = passage.whole(answer.without_key(came))[1].fault
        return Left(Ending(Verdict.FAILED, fault), answer.status)
    headers = tuple(passing.from_upstream(answer.headers))
    if passage.told is not None:
        headers = passing.as_stream(headers) if passage.request.is_stream else passing.as_json(headers)
    return WholeAnswer(
        answer.status,
        headers,
        body,
        facts.usage,
        facts.characters,
        dropped=_named(passage.dropped, facts.lost) if passage.dropped or facts.lost else (),
        # A translated answer has an id of ours, under which no provider keeps it.
        answer_id="" if passage.told is not None else facts.answer_id,
        is_pending=facts.is_pending,
    )


async def _first_output(
    answer: UpstreamAnswer, endpoint: Endpoint, timing: Timing, passage: Passage
) -> OpenStream | Left:
    """Hold back the start frames (role, ping) until something real comes: until then another may answer."""
    if passage.is_translated and not passage.request.is_stream:
        return Left(Ending(Verdict.FAILED, "the provider sent a stream where none was asked for"), answer.status)
    stream = OpenStream(
        status=answer.status,
        headers=tuple(passing.from_upstream(answer.headers)),
        answer=answer,
        idle_seconds=endpoint.idle_seconds,
        side=passage.stream() if answer.is_event_stream else RawSide(),
        not_sent=passage.dropped,
        splitter=EventSplitter() if answer.is_event_stream else NoSplitter(),
    )
    answer.bound(timing.first_by, endpoint.idle_seconds)
    while not stream.tap.has_output and stream.may_hold_more:
        try:
            is_more = await stream.hold_next()
        except TimeoutError:
            if loop_time() >= timing.first_by:
                raise
            reason = f"silent for {endpoint.idle_seconds:g} s before any output"
            return Left(Ending(Verdict.FAILED, reason), answer.status, is_timeout=True)
        if stream.tap.error and not stream.tap.has_output:
            return Left(Ending(Verdict.FAILED, f"error inside the stream: {stream.tap.error}"), answer.status)
        if not is_more:
            return Left(Ending(Verdict.FAILED, "the stream ended before any output"), answer.status)
    answer.bound(timing.ends_at, endpoint.idle_seconds)
    return stream
