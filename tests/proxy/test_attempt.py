"""One attempt: what is held back, how long it waits, when usage is asked for, and what counts as an answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.formats.chat.surface import asking_usage
from gateway.proxy.attempt import Attempter, Left, OpenStream, Timing, WholeAnswer
from gateway.proxy.upstream_answer import Broken
from gateway.routing.health import Verdict
from gateway.routing.snapshot import Lane
from tests.conftest import MakeProvider
from tests.provider import (
    CHAT_ANSWER,
    USAGE_CHUNK,
    Exchange,
    Pause,
    Provider,
    Scene,
    answer,
    delta,
    drop,
    hang,
    hello_stream,
    limited,
    raw,
    refused,
    sse,
    stream,
)
from tests.proxy.wire import SECRET, a_call, backend_of, in_use, lane

pytestmark = pytest.mark.anyio
PING = b": ping\n\n"
ROLE = sse(delta(role=True))
REFUSES_USAGE = refused(400, "Unknown field: stream_options")


@dataclass
class Tried:
    """How an attempt ended: a stream read to its end, with what broke it."""

    got: WholeAnswer | OpenStream | Left
    seconds: float
    body: bytes = b""
    broken: str = ""
    held: list[bytes] = field(default_factory=list)


async def half_an_answer(exchange: Exchange) -> None:
    await exchange.head(200, {"content-type": "application/json", "content-length": "500"})
    await exchange.write(b"{")
    await hang()(exchange)


async def attempt(
    to: Provider,
    *,
    refusers: set[str] | None = None,
    seconds: float = 5.0,
    of_endpoint: dict[str, Any] | None = None,
    **body: Any,
) -> Tried:
    clock = SystemClock()
    async with lane() as upstream:
        attempter = Attempter(upstream, clock, set() if refusers is None else refusers)
        where = Lane(backend_of(to, **(of_endpoint or {})), "upstream-name")
        call = a_call(**body)
        began = time.monotonic()
        got = await attempter.attempt(call, attempter.road(call, where), Timing(clock.mono()), seconds, 5.0)
        tried = Tried(got, time.monotonic() - began)
        if isinstance(got, OpenStream):
            tried.held = list(got.held)
            try:
                while (events := await got.next()) is not None:
                    tried.body += events
                tried.body += got.last()
            except (Broken, TimeoutError) as error:
                tried.broken = type(error).__name__
            await got.answer.close()
        assert not in_use(upstream)
        return tried


async def streamed(to: Provider, **options: Any) -> Tried:
    return await attempt(to, stream=True, **options)


def left(tried: Tried) -> Left:
    assert isinstance(tried.got, Left)
    return tried.got


async def test_up_to_64_events_without_output_are_held_back(provider: MakeProvider) -> None:
    tried = await streamed(await provider(stream([PING] * 64)))
    assert (left(tried).ending.verdict, left(tried).ending.reason) == (
        Verdict.FAILED,
        "the stream ended before any output",
    )


async def test_a_stream_with_more_start_frames_opens_and_stays_open(provider: MakeProvider) -> None:
    tried = await streamed(await provider(stream([*[PING] * 65, Pause(20)])), of_endpoint={"idle_seconds": 0.2})
    assert (tried.body, tried.broken) == (PING * 65, "TimeoutError")


async def test_a_stream_with_more_than_256_kib_of_start_frames_opens(provider: MakeProvider) -> None:
    large = b": " + b"x" * 100_000 + b"\n\n"
    tried = await streamed(await provider(stream([*[large] * 3, Pause(20)])), of_endpoint={"idle_seconds": 0.2})
    assert (tried.body, tried.broken) == (large * 3, "TimeoutError")
    assert left(await streamed(await provider(stream([large] * 2)))).ending.verdict is Verdict.FAILED


OUTPUTS: list[tuple[str, Any]] = [
    ("text", delta("x")),
    ("a refusal", {"choices": [{"delta": {"refusal": "no"}}]}),
    ("reasoning", {"choices": [{"delta": {"reasoning_content": "hm"}}]}),
    ("a tool call", {"choices": [{"delta": {"tool_calls": [{"index": 0}]}}]}),
    ("an end", delta(finish="stop")),
    ("something unknown", "plain words"),
    ("no choices", {"object": "other"}),
]


@pytest.mark.parametrize(("name", "payload"), OUTPUTS, ids=[case[0] for case in OUTPUTS])
async def test_the_first_real_output_opens_the_stream_with_all_that_was_held(
    provider: MakeProvider, name: str, payload: Any
) -> None:
    parts = [PING, *ROLE, *sse(payload)]
    tried = await streamed(await provider(stream([*parts, Pause(20)])), of_endpoint={"idle_seconds": 0.2})
    assert tried.seconds < 0.2
    assert b"".join(tried.held) == b"".join(parts)
    assert tried.body == b"".join(parts)


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n\n\n"])
async def test_of_many_events_that_come_at_once_only_those_up_to_the_first_output_are_held(
    provider: MakeProvider, end: bytes
) -> None:
    events = [event.removesuffix(b"\n\n") + end for event in [*ROLE, *sse(*[delta(word) for word in "abcdef"])]]
    tried = await streamed(await provider(stream([b"".join(events), Pause(20)])), of_endpoint={"idle_seconds": 0.2})
    assert tried.body.rstrip() == b"".join(events).rstrip()
    is_plain = end == b"\n\n"
    assert b"".join(tried.held).rstrip() == b"".join(events[: 2 if is_plain else None]).rstrip()


NO_OUTPUTS: list[tuple[str, Any]] = [
    ("a role", delta(role=True)),
    ("empty text", delta("")),
    ("no choice", {"choices": []}),
    ("only usage", USAGE_CHUNK),
]


@pytest.mark.parametrize(("name", "payload"), NO_OUTPUTS, ids=[case[0] for case in NO_OUTPUTS])
async def test_start_frames_are_no_output(provider: MakeProvider, name: str, payload: Any) -> None:
    tried = await streamed(await provider(stream(sse(payload))))
    assert left(tried).ending.reason == "the stream ended before any output"


SILENCES: list[tuple[str, Scene]] = [
    ("no head", hang()),
    ("no body", stream([Pause(20)])),
    ("pings for ever", stream([PING, Pause(0.1)] * 100)),
    ("only a role", stream([*ROLE, Pause(20)])),
]


@pytest.mark.parametrize(("name", "scene"), SILENCES, ids=[case[0] for case in SILENCES])
async def test_without_output_in_its_time_a_backend_is_left(provider: MakeProvider, name: str, scene: Scene) -> None:
    tried = await streamed(await provider(scene), seconds=0.3)
    assert 0.28 < tried.seconds < 0.6
    assert (left(tried).is_timeout, left(tried).ending.verdict) == (True, Verdict.FAILED)


async def test_a_silence_longer_than_the_endpoints_own_ends_the_wait_for_output(provider: MakeProvider) -> None:
    tried = await streamed(await provider(stream([*ROLE, Pause(20)])), of_endpoint={"idle_seconds": 0.2})
    assert tried.seconds < 0.5
    assert left(tried).is_timeout


async def test_a_slow_whole_answer_is_left_in_its_time(provider: MakeProvider) -> None:
    tried = await attempt(await provider(half_an_answer), seconds=0.2)
    assert (left(tried).is_timeout, left(tried).is_sent) == (True, True)


async def test_a_stream_may_be_longer_than_the_wait_for_its_output(provider: MakeProvider) -> None:
    parts = [*sse(delta("a")), Pause(0.3), *sse(delta("b"), delta(finish="stop"), "[DONE]")]
    tried = await streamed(await provider(stream(parts)), seconds=0.2)
    assert tried.body == b"".join(part for part in parts if isinstance(part, bytes))


async def test_a_stream_ends_with_the_time_of_its_endpoint_even_while_it_talks(provider: MakeProvider) -> None:
    parts = [part for _ in range(100) for part in (*sse(delta("x")), Pause(0.05))]
    began = time.monotonic()
    tried = await streamed(await provider(stream(parts)), of_endpoint={"timeout_seconds": 0.4})
    assert tried.broken == "TimeoutError"
    assert time.monotonic() - began < 0.8


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\r\r"])
async def test_events_come_whole_however_they_were_cut(provider: MakeProvider, size: int, end: bytes) -> None:
    sent = b"".join(hello_stream(usage=False)).replace(b"\n\n", end)
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    tried = await streamed(await provider(stream(pieces)))
    assert tried.body == sent
    assert isinstance(tried.got, OpenStream)
    assert (tried.got.tap.is_finished, tried.got.tap.characters) == (True, 5)


async def test_a_last_event_without_its_empty_line_passes_after_the_end_and_is_dropped_before(
    provider: MakeProvider,
) -> None:
    finished = [*sse(delta("a"), delta(finish="stop")), b"data: [DONE]"]
    torn = [*sse(delta("a")), b'data: {"choices"']
    assert (await streamed(await provider(stream(finished)))).body == b"".join(finished)
    assert (await streamed(await provider(stream(torn)))).body == torn[0]


async def test_the_usage_chunk_that_we_asked_for_is_noted_and_left_out_even_cut_in_two(provider: MakeProvider) -> None:
    sent = b"".join(hello_stream())
    at = sent.index(b'"usage"')
    tried = await streamed(await provider(stream([sent[:at], Pause(0.02), sent[at:]])))
    assert tried.body == b"".join(hello_stream(usage=False))
    assert isinstance(tried.got, OpenStream)
    assert tried.got.tap.usage is not None
    assert tried.got.tap.usage.input == 9


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        ({"stream": True}, True),
        ({"stream": True, "stream_options": None}, True),
        ({"stream": True, "stream_options": {}}, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, True),
        ({"stream": True, "stream_options": {"include_usage": True}}, False),
        ({"stream": True, "stream_options": "odd"}, False),
        ({"stream": True, "stream_options": [1]}, False),
        ({"stream": False}, False),
        ({}, False),
    ],
)
def test_usage_is_asked_for_where_a_stream_leaves_it_to_us(body: dict[str, Any], asks: bool) -> None:
    assert (asking_usage(a_call(**body).request) is not None) is asks


async def test_other_stream_options_of_the_client_are_kept(provider: MakeProvider) -> None:
    made = await provider(stream())
    await streamed(made, stream_options={"include_obfuscation": False})
    assert made.heard[0].json()["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_an_endpoint_set_not_to_be_asked_is_not_asked_and_its_usage_chunk_passes(provider: MakeProvider) -> None:
    made = await provider(stream())
    tried = await streamed(made, of_endpoint={"injects_usage": False})
    assert "stream_options" not in made.heard[0].json()
    assert tried.body == b"".join(hello_stream())


async def test_an_endpoint_that_refuses_the_question_is_asked_once_and_remembered(provider: MakeProvider) -> None:
    made, refusers = await provider(REFUSES_USAGE, stream()), set[str]()
    for _ in range(2):
        assert isinstance((await streamed(made, refusers=refusers)).got, OpenStream)
    assert ["stream_options" in heard.json() for heard in made.heard] == [True, False, False]
    assert refusers == {"e-a"}


async def test_what_one_endpoint_refuses_another_is_still_asked(provider: MakeProvider) -> None:
    made = await provider(stream())
    await streamed(made, refusers={"e-other"})
    assert "stream_options" in made.heard[0].json()


async def test_a_refusal_of_options_that_the_client_sent_is_the_clients(provider: MakeProvider) -> None:
    made, refusers = await provider(REFUSES_USAGE), set[str]()
    tried = await streamed(made, refusers=refusers, stream_options={"include_usage": True})
    assert left(tried).ending.verdict is Verdict.CLIENT_FAULT
    assert (len(made.heard), refusers) == (1, set())


FAULTS: list[tuple[str, Scene, str]] = [
    ("empty", answer(b""), "not a JSON object"),
    ("HTML", answer(b"<html>", headers={"content-type": "text/html"}), "not a JSON object"),
    ("a list", answer([]), "not a JSON object"),
    ("not UTF-8", answer(b'{"choices":[{"message":{"content":"\xff"}}]}'), "not a JSON object"),
    ("deep", answer(b'{"choices":' + b"[" * 100_000), "not a JSON object"),
    ("no choices", answer({"id": "x"}), "no choices"),
    ("choices is an object", answer({"choices": {}}), "no choices"),
    ("an error", answer({"error": {"message": "boom"}}), "boom"),
    ("a wordless error", answer({"error": {"x": 1}, "choices": []}), "reported an error"),
    ("an error with our key", answer({"error": {"message": f"bad {SECRET}"}}), "bad ***"),
    ("a stream's error with our key", stream(sse({"error": {"message": f"bad {SECRET}"}})), "bad ***"),
    ("torn", raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), "the connection broke"),
]


@pytest.mark.parametrize(("name", "scene", "words"), FAULTS, ids=[case[0] for case in FAULTS])
async def test_a_whole_answer_that_is_none_is_the_backends_fault(
    provider: MakeProvider, name: str, scene: Scene, words: str
) -> None:
    found = left(await attempt(await provider(scene)))
    assert found.ending.verdict is Verdict.FAILED
    assert words in found.ending.reason
    assert SECRET not in found.ending.reason
    assert (found.answer, found.is_timeout, found.is_sent) == (None, False, True)


async def test_an_error_event_never_shows_our_key(provider: MakeProvider) -> None:
    events = sse(delta("x"), {"error": {"message": f"bad {SECRET}"}})
    tried = await streamed(await provider(stream(events)))
    assert tried.body == b"".join(events).replace(SECRET.encode(), b"***")


async def test_a_whole_answer_comes_byte_for_byte_with_what_was_read_of_it(provider: MakeProvider) -> None:
    sent = b'{"choices": [ {"message":{"content":"Hello!"}} ],\n "usage":{"prompt_tokens":9}, "x": 1e400}'
    tried = await attempt(await provider(answer(sent)))
    assert isinstance(tried.got, WholeAnswer)
    assert (tried.got.status, tried.got.body) == (200, sent)
    assert tried.got.usage is not None
    assert tried.got.usage.input == 9


async def test_a_whole_answer_to_a_stream_is_an_answer(provider: MakeProvider) -> None:
    tried = await streamed(await provider(answer(CHAT_ANSWER)))
    assert isinstance(tried.got, WholeAnswer)


async def test_only_a_refusal_of_the_request_is_kept_to_be_passed_on(provider: MakeProvider) -> None:
    kept = {}
    for status in (400, 401, 404, 408, 422, 429, 500):
        scene = limited(5) if status == 429 else refused(status, "why")
        found = left(await attempt(await provider(scene)))
        assert found.status == status
        kept[status] = found.answer is not None
    assert [status for status, passed in kept.items() if passed] == [400, 404, 422]


async def test_what_was_never_sent_is_told_apart_from_what_was(provider: MakeProvider) -> None:
    gone = await provider()
    gone.origin = "http://nothing.invalid"
    assert not left(await attempt(gone)).is_sent
    assert left(await attempt(await provider(drop()))).is_sent
