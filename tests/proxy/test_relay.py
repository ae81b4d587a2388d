"""A reply on its way to the client: whatever ends it, it is finished once, settled once, and closed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.formats.chat.surface import StreamTap
from gateway.formats.passage import SameStream
from gateway.model.calls import CallStatus, Usage, UsageSource
from gateway.proxy.attempt import OpenStream, WholeAnswer
from gateway.proxy.journey import Reply
from gateway.proxy.relay import Relay
from gateway.proxy.settle import Outcome
from gateway.proxy.upstream_answer import StockBody, UpstreamAnswer
from gateway.routing.health import Ending, Verdict
from gateway.routing.resolve import Target
from gateway.routing.snapshot import Lane
from tests.provider import USAGE_CHUNK, Pause, delta, hello_stream, sse
from tests.proxy.wire import a_call
from tests.routing.build import backend

pytestmark = pytest.mark.anyio
OWN = [(b"x-request-id", b"req_1")]
JSON = ((b"content-type", b"application/json"),)
EVENTS = ((b"content-type", b"text/event-stream"),)
REPORTED = Usage(9, 3, source=UsageSource.REPORTED)
HELLO_PARTS = hello_stream(usage=False)


class Parts(httpx.AsyncByteStream):
    """A body from a provider: bytes, pauses, and at the end what breaks it, if anything does."""

    def __init__(self, parts: list[bytes | Pause], broken: Exception | None = None) -> None:
        self.parts, self.broken, self.closed = parts, broken, 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, Pause):
                await asyncio.sleep(part.seconds)
            else:
                yield part
        if self.broken is not None:
            raise self.broken

    async def aclose(self) -> None:
        self.closed += 1


@dataclass
class Client:
    """Takes what is sent. At message number `stops_at` it waits for ever, or raises `fault`."""

    stops_at: int | None = None
    fault: Exception | None = None
    messages: list[MutableMapping[str, Any]] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if len(self.messages) == self.stops_at:
            self.stopped.set()
            if self.fault is not None:
                raise self.fault
            await asyncio.Event().wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def is_whole(self) -> bool:
        return bool(self.messages) and not self.messages[-1].get("more_body", False) and len(self.messages) > 1


@dataclass
class Journal:
    """What the relay told of the end, in order."""

    client: Client
    told: list[str] = field(default_factory=list)
    endings: list[tuple[Ending, int | None]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def finish(self, ending: Ending, status: int | None) -> None:
        self.told.append("finish")
        self.endings.append((ending, status))

    def settle(self, outcome: Outcome) -> None:
        self.told.append("settle")
        self.outcomes.append(outcome)

    def relay(self, answer: WholeAnswer | OpenStream, *, is_refusal: bool = False) -> Relay:
        one = Lane(backend(), "u")
        reply = Reply(Target("m", (one,), 7), one, answer, self.finish, is_refusal)
        return Relay(a_call(stream=True), reply, self.settle)

    @property
    def outcome(self) -> Outcome:
        """The one settlement, after the one finish."""
        assert self.told == ["finish", "settle"]
        return self.outcomes[0]

    @property
    def verdict(self) -> Verdict:
        return self.endings[0][0].verdict


def opened(body: Parts, *, idle: float = 5.0, ends_in: float = 5.0, hides_usage: bool = True) -> OpenStream:
    ends_at = asyncio.get_running_loop().time() + ends_in
    answer = UpstreamAnswer(200, [(b"content-type", b"text/event-stream")], StockBody(body, ends_at, idle), None)
    return OpenStream(200, EVENTS, answer, idle, SameStream(StreamTap, hides_usage=hides_usage))


def whole(body: bytes = b"{}", status: int = 200, usage: Usage | None = REPORTED) -> WholeAnswer:
    return WholeAnswer(status, JSON, body, usage, 6)


async def relayed(answer: WholeAnswer | OpenStream, client: Client | None = None, **options: Any) -> Journal:
    journal = Journal(client or Client())
    await journal.relay(answer, **options).send_to(journal.client.send, OWN, 1.5)
    return journal


async def cancelled_at(message: int, answer: WholeAnswer | OpenStream) -> Journal:
    """The client takes this many messages and leaves while the next one is being sent."""
    journal = Journal(Client(stops_at=message))
    sending = asyncio.create_task(journal.relay(answer).send_to(journal.client.send, OWN, 1.5))
    await asyncio.wait_for(journal.client.stopped.wait(), 2)
    sending.cancel()
    await asyncio.wait({sending})
    assert sending.cancelled()
    return journal


async def test_a_whole_answer_goes_with_the_providers_headers_its_length_and_ours_last() -> None:
    journal = await relayed(whole(b'{"a": 1}', 201))
    assert journal.client.messages == [
        {"type": "http.response.start", "status": 201, "headers": [*JSON, (b"content-length", b"8"), *OWN]},
        {"type": "http.response.body", "body": b'{"a": 1}'},
    ]
    assert journal.outcome == Outcome(CallStatus.COMPLETED, 201, usage=REPORTED, first_byte_at=1.5)


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_whole_answer_is_sent_and_settled_at_once_where_it_is_taken_at_once(is_taken: bool) -> None:
    taken: list[Any] = []

    def respond(*answer: Any) -> bool:
        taken.append(answer)
        return is_taken

    journal = Journal(Client())
    assert journal.relay(whole(b'{"a": 1}', 201)).responds(respond, OWN, 1.5) is is_taken
    assert taken == [(201, [*JSON, (b"content-length", b"8"), *OWN], b'{"a": 1}')]
    if is_taken:
        assert journal.outcome == Outcome(CallStatus.COMPLETED, 201, usage=REPORTED, first_byte_at=1.5)
    else:
        assert journal.told == []


async def test_a_stream_is_not_sent_at_once() -> None:
    journal = Journal(Client())
    assert not journal.relay(opened(Parts([b"".join(HELLO_PARTS)]))).responds(lambda *answer: True, OWN, 1.5)
    assert journal.told == []


async def test_a_stream_goes_without_a_length_and_asks_proxies_not_to_hold_it() -> None:
    journal = await relayed(opened(Parts([b"".join(HELLO_PARTS)])))
    assert journal.client.messages == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [*EVENTS, (b"x-accel-buffering", b"no"), *OWN],
        },
        {"type": "http.response.body", "body": b"".join(HELLO_PARTS), "more_body": True},
        {"type": "http.response.body", "body": b"", "more_body": False},
    ]


async def test_a_stream_that_is_done_is_completed_with_the_usage_that_was_hidden() -> None:
    body = Parts([*sse(delta("Hello"), delta(finish="stop"), USAGE_CHUNK, "[DONE]")])
    journal = await relayed(opened(body))
    assert journal.outcome.status is CallStatus.COMPLETED
    assert journal.outcome.usage == Usage(9, 2, source=UsageSource.REPORTED)
    assert (journal.verdict, body.closed > 0) == (Verdict.OK, True)
    assert b"usage" not in journal.client.body


async def test_what_was_held_back_is_sent_first_and_once() -> None:
    stream = opened(Parts([*HELLO_PARTS]))
    for _ in range(2):
        assert await stream.hold_next()
    assert (await relayed(stream)).client.body == b"".join(HELLO_PARTS)


async def test_a_refusal_passes_as_it_is_and_is_the_calls_failure() -> None:
    body = b'{"error":{"message":"messages: bad"}}'
    journal = await relayed(WholeAnswer(422, JSON, body, None, 0), is_refusal=True)
    assert journal.client.body == body
    assert (journal.outcome.status, journal.outcome.code, journal.outcome.error) == (
        CallStatus.FAILED,
        422,
        "messages: bad",
    )
    assert journal.outcome.usage.source is UsageSource.NONE


async def test_an_answer_without_usage_is_settled_by_estimate() -> None:
    assert (await relayed(whole(usage=None))).outcome.usage.source is UsageSource.ESTIMATED


@dataclass
class Break:
    name: str
    parts: list[bytes | Pause]
    says: str
    """What the client is told, in the error event that the gateway adds."""
    broken: Exception | None = None
    idle: float = 5.0
    ends_in: float = 5.0


BREAKS = [
    Break("cut", sse(delta("Hel")), "broke off", httpx.RemoteProtocolError("peer closed")),  # type: ignore[arg-type]
    Break("reset", sse(delta("Hel")), "broke off", httpx.ReadError("")),  # type: ignore[arg-type]
    Break("ended without its end", sse(delta("Hel")), "broke off"),  # type: ignore[arg-type]
    Break("torn", [*sse(delta("Hel")), b'data: {"cho'], "broke off"),
    Break("silent", [*sse(delta("Hel")), Pause(9)], "fell silent", idle=0.05),
    Break("out of time", [*sse(delta("Hel")), Pause(9)], "ran out of time", ends_in=0.05),
    Break("one endless event", [*sse(delta("Hel")), *[b"x" * (1 << 20)] * 9], "broke off"),
]


@pytest.mark.parametrize("case", BREAKS, ids=lambda case: case.name)
async def test_a_broken_stream_ends_with_one_error_event_and_never_with_done(case: Break) -> None:
    body = Parts(case.parts, case.broken)
    journal = await relayed(opened(body, idle=case.idle, ends_in=case.ends_in))

    first, last, rest = journal.client.body.split(b"\n\n")
    assert (first + b"\n\n", rest) == (sse(delta("Hel"))[0], b"")
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert case.says in error["message"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    assert b"[DONE]" not in journal.client.body
    assert journal.client.is_whole
    assert (journal.outcome.status, journal.outcome.error_code) == (CallStatus.FAILED, "stream_broken")
    assert journal.outcome.usage.source is UsageSource.ESTIMATED
    assert (journal.verdict, body.closed > 0) == (Verdict.FAILED, True)


async def test_a_providers_own_error_event_is_the_last_and_gets_no_second_one() -> None:
    parts = sse(delta("Hel"), {"error": {"message": "overloaded"}})
    journal = await relayed(opened(Parts([*parts])))
    assert journal.client.body == b"".join(parts)
    assert "overloaded" in journal.outcome.error
    assert journal.verdict is Verdict.FAILED


async def test_usage_that_came_before_a_break_is_kept() -> None:
    body = Parts([*sse(delta("Hel", usage=USAGE_CHUNK["usage"]))], httpx.ReadError("reset"))
    assert (await relayed(opened(body))).outcome.usage == Usage(9, 2, source=UsageSource.REPORTED)


@pytest.mark.parametrize("message", [0, 1])
async def test_a_client_that_leaves_a_whole_answer_still_pays_for_it(message: int) -> None:
    journal = await cancelled_at(message, whole())
    assert (journal.outcome.status, journal.outcome.code) == (CallStatus.CANCELLED, 499)
    assert journal.outcome.usage == REPORTED


@pytest.mark.parametrize("message", range(1 + len(HELLO_PARTS)))
async def test_a_client_that_leaves_a_stream_ends_it_wherever_it_was(message: int) -> None:
    body = Parts([*HELLO_PARTS])
    journal = await cancelled_at(message, opened(body))
    assert (journal.outcome.status, journal.outcome.code) == (CallStatus.CANCELLED, 499)
    assert journal.outcome.error_code == "client_left"
    assert (journal.verdict, body.closed > 0) == (Verdict.ABANDONED, True)
    assert len(journal.client.messages) == message


async def test_a_client_that_leaves_at_the_empty_last_message_had_everything() -> None:
    body = Parts([*HELLO_PARTS])
    journal = await cancelled_at(1 + len(HELLO_PARTS), opened(body))
    assert (journal.outcome.status, journal.verdict) == (CallStatus.COMPLETED, Verdict.OK)
    assert body.closed > 0


async def test_a_client_that_leaves_while_the_provider_thinks_is_settled_with_what_came() -> None:
    body = Parts([*sse(delta("12345678")), Pause(20)])
    journal = Journal(Client())
    sending = asyncio.create_task(journal.relay(opened(body)).send_to(journal.client.send, OWN, 1.5))
    while len(journal.client.messages) < 2:
        await asyncio.sleep(0.001)
    sending.cancel()
    await asyncio.wait({sending})
    assert journal.outcome.usage.output == 2
    assert (journal.verdict, body.closed > 0) == (Verdict.ABANDONED, True)


@pytest.mark.parametrize("message", [0, 1, 2])
async def test_a_client_whose_connection_fails_is_settled_as_one_that_left(message: int) -> None:
    body, client = Parts([*HELLO_PARTS]), Client(stops_at=message, fault=OSError("gone"))
    journal = Journal(client)
    with pytest.raises(OSError, match="gone"):
        await journal.relay(opened(body)).send_to(client.send, OWN, 1.5)
    assert journal.outcome.status is CallStatus.CANCELLED
    assert (journal.verdict, body.closed > 0) == (Verdict.ABANDONED, True)


async def test_a_client_that_leaves_as_the_error_is_told_does_not_hide_the_failure() -> None:
    body = Parts([*sse(delta("Hel"))], httpx.ReadError("reset"))
    journal = await cancelled_at(2, opened(body))
    assert (journal.outcome.status, journal.verdict) == (CallStatus.FAILED, Verdict.FAILED)


@pytest.mark.parametrize(("ping", "pings"), [(b": still here\n\n", True), (b"", False)])
async def test_a_long_silence_is_filled_where_the_clients_stream_has_a_ping(ping: bytes, pings: bool) -> None:
    stream = opened(Parts([*hello_stream()[:2], Pause(0.15), *hello_stream()[2:]]))
    stream.side.ping, stream.ping_seconds = ping, 0.04
    journal = await relayed(stream)
    said = journal.client.body
    assert (said.count(b": still here") >= 2) is pings
    assert said.replace(b": still here\n\n", b"").endswith(b"data: [DONE]\n\n")
    assert journal.outcome.status is CallStatus.COMPLETED


async def test_a_silence_that_is_too_long_breaks_the_stream_however_it_is_filled() -> None:
    stream = opened(Parts([*hello_stream()[:2], Pause(5)]), idle=0.15)
    stream.side.ping, stream.ping_seconds = b": still here\n\n", 0.04
    journal = await relayed(stream)
    assert journal.outcome.error_code == "stream_broken"
    assert b"[DONE]" not in journal.client.body


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_streams_beginning_goes_out_with_its_head_where_that_is_taken_at_once(is_taken: bool) -> None:
    begun: list[Any] = []

    def begin(*answer: Any) -> bool:
        begun.append(answer)
        return is_taken

    stream = opened(Parts([*HELLO_PARTS[2:]]))
    stream.held = [*HELLO_PARTS[:2]]
    journal = Journal(Client())
    await journal.relay(stream).send_to(journal.client.send, OWN, 1.5, begin=begin)

    first = b"".join(HELLO_PARTS[:2])
    assert begun == [(200, (*EVENTS, (b"x-accel-buffering", b"no"), *OWN), first)]
    sent = [message["type"] for message in journal.client.messages]
    assert ("http.response.start" in sent) is not is_taken
    assert (first if is_taken else b"") + journal.client.body == b"".join(HELLO_PARTS)
    assert journal.outcome.status is CallStatus.COMPLETED


async def test_a_whole_answer_that_cannot_be_sent_is_written_down_all_the_same() -> None:
    def respond(*answer: Any) -> bool:
        raise RuntimeError("a line's end in a header")

    journal = Journal(Client())
    with pytest.raises(RuntimeError):
        journal.relay(whole()).responds(respond, OWN, 1.5)
    assert journal.outcome.status is CallStatus.CANCELLED
