"""Providers of each format that fail, before clients of each format: typed errors, the trail, and the second backend.

A client that hears an error in its own format raises its SDK's own error; it never gets an empty answer, and never a
stream that seems to have ended well.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors as google

from gateway.control import endpoints, pools
from gateway.model.calls import CallStatus, UsageSource
from gateway.model.registry import ApiFormat
from gateway.routing.state import Affinities
from tests.callers.stage import CHAT, FOUR, GEMINI, IDS, MESSAGES, PAIRS, RESPONSES, Stage, open_stage
from tests.harness import OPERATOR
from tests.provider import Exchange, Pause, Provider, Scene, answer, drop, raw, scripted_provider, stream
from tests.voices.said import Called, End, Question, Said, Turn, Words
from tests.voices.voice import VOICES, Voice

pytestmark = pytest.mark.anyio
each_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=IDS)
each_way = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])
IMPATIENT = dict.fromkeys(("timeout_seconds", "first_byte_seconds", "idle_seconds"), 0.2)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@dataclass(slots=True)
class Faulty:
    """`alone-…` is served by the failing provider of that format, `both-…` by it and, after it, by a sound one.

    The same names after `hasty-` go to the same provider with little patience.
    """

    stage: Stage
    failing: dict[ApiFormat, Provider] = field(default_factory=dict)
    sound: dict[ApiFormat, Provider] = field(default_factory=dict)

    def forget(self) -> None:
        """Each test begins with backends that nothing is known of."""
        state = self.stage.gateway.desk.state
        state.backends.clear()
        state.endpoint_rests.clear()
        state.retry_budget.retries.clear()
        state.affinities = Affinities()

    async def ask(self, ours: ApiFormat, model: str, theirs: ApiFormat, *, is_stream: bool) -> Any:
        question = Question((Turn(False, (Words("Hello"),)),), is_stream=is_stream)
        return await self.stage.callers[ours].ask(f"{model}-{theirs.value.replace('_', '-')}", question)


@pytest.fixture(scope="module")
async def faulty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faulty]:
    async with open_stage(tmp_path_factory.mktemp("faults")) as stage:
        gateway, made = stage.gateway, Faulty(stage)
        async with AsyncExitStack() as opened:
            for theirs in FOUR:
                failing = made.failing[theirs] = await opened.enter_async_context(scripted_provider())
                sound = made.sound[theirs] = await opened.enter_async_context(scripted_provider())
                sound.always = VOICES[theirs].says(Said("Spare."))
                names = [f"{word}-{theirs.value.replace('_', '-')}" for word in ("alone", "both")]
                for prefix in ("", "hasty-"):
                    alone, both = ({prefix + name: VOICES[theirs].upstream} for name in names)
                    first = await gateway.backend(failing, models={**alone, **both}, api_format=theirs.value)
                    second = await gateway.backend(sound, models=both, api_format=theirs.value, pool="fallback")
                    if prefix:
                        await endpoints.update(gateway.desk, OPERATOR, first.endpoint.id, IMPATIENT)
                for pool in (first.key.pool_id, second.key.pool_id):
                    await pools.update(gateway.desk, OPERATOR, pool, {"wait_seconds": 0})
            yield made


def error_of(api_format: ApiFormat, status: int, **headers: str) -> Scene:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(VOICES[api_format].error("no luck", status), status, found)


async def silent(exchange: Exchange) -> None:
    await exchange.head(200, {"content-type": "application/json", "content-length": "100"})
    await exchange.reader.read()


def torn_gzip(api_format: ApiFormat) -> Scene:
    packed = gzip.compress(VOICES[api_format].whole(Said("Hello, this will be torn. " * 50)))
    return answer(packed[: len(packed) // 2], 200, {"content-encoding": "gzip"})


def half_a_body(api_format: ApiFormat) -> Scene:
    whole = VOICES[api_format].whole(Said("Hello."))
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(whole)}\r\n\r\n"
    return raw(head.encode() + whole[: len(whole) // 2])


def half_a_start(api_format: ApiFormat) -> Scene:
    """A stream that ends after what comes before any output."""
    return stream(VOICES[api_format].stream(Said("Hello."))[: _STARTS[api_format]], cut=True)


_STARTS = {CHAT: 1, RESPONSES: 2, MESSAGES: 2, GEMINI: 0}

FAULTS: dict[str, tuple[Callable[[ApiFormat], Scene], int]] = {
    "429 with retry-after": (lambda theirs: error_of(theirs, 429, retry_after="77"), 429),
    "429 without": (lambda theirs: error_of(theirs, 429), 429),
    "529": (lambda theirs: error_of(theirs, 529), 503),
    "500": (lambda theirs: error_of(theirs, 500), 502),
    "dropped": (lambda _: drop(), 502),
    "half a body": (half_a_body, 502),
    "half a start": (half_a_start, 502),
    "silent": (lambda _: silent, 504),
    "invalid JSON": (lambda _: answer(b'{"id": "x", '), 502),
    "a web page": (lambda _: answer(b"<html>Welcome!</html>", 200, {"content-type": "text/html"}), 502),
    "200 with an error": (lambda theirs: answer(VOICES[theirs].error("boom", 500)), 502),
    "an error as the first event": (lambda theirs: stream([VOICES[theirs].error_event("boom")]), 502),
    "200 with nothing": (lambda _: answer(b""), 502),
    "a stream of nothing": (lambda _: stream([]), 502),
    "an empty object": (lambda _: answer(b"{}"), 502),
    "torn gzip": (torn_gzip, 502),
    "204": (lambda _: raw(b"HTTP/1.1 204 No Content\r\n\r\n"), 502),
}


@each_way
@each_pair
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_an_error_of_the_callers_format_and_another_backend_takes_over(
    faulty: Faulty, ours: ApiFormat, theirs: ApiFormat, fault: str, is_stream: bool
) -> None:
    faulty.forget()
    scene, status = FAULTS[fault]
    faulty.failing[theirs].always = scene(theirs)
    prefix = "hasty-" if fault == "silent" else ""

    with pytest.raises(ERRORS[ours]) as raised:
        await faulty.ask(ours, f"{prefix}alone", theirs, is_stream=is_stream)

    told_in_the_words_of(ours, raised.value, status)
    if fault == "429 with retry-after":
        assert int(_headers(raised.value)["retry-after"]) in (76, 77)
    row = await faulty.stage.row()
    assert (row.status, row.code, row.upstream_format) == (CallStatus.FAILED, status, "")
    assert row.usage.source is UsageSource.NONE
    (attempt,) = row.attempts
    assert (attempt.outcome, attempt.api_format) == ("rate_limited" if status == 429 else "failed", theirs.value)
    assert attempt.error

    faulty.forget()
    got = await faulty.ask(ours, f"{prefix}both", theirs, is_stream=is_stream)
    assert got.text == "Spare."
    row = await faulty.stage.row()
    assert (row.status, [one.outcome for one in row.attempts][-1]) == (CallStatus.COMPLETED, "ok")
    assert len(row.attempts) == 2


ERRORS: dict[ApiFormat, type[Exception]] = {
    CHAT: openai.APIStatusError,
    RESPONSES: openai.APIStatusError,
    MESSAGES: anthropic.APIStatusError,
    GEMINI: google.APIError,
}
_OPENAI_TYPES = {429: openai.RateLimitError, **dict.fromkeys((502, 503, 504), openai.InternalServerError)}
_TYPES: dict[ApiFormat, dict[int, type[Exception]]] = {
    CHAT: _OPENAI_TYPES,
    RESPONSES: _OPENAI_TYPES,
    MESSAGES: {
        429: anthropic.RateLimitError,
        502: anthropic.InternalServerError,
        503: anthropic.ServiceUnavailableError,
        504: anthropic.DeadlineExceededError,
    },
    GEMINI: {429: google.ClientError, **dict.fromkeys((502, 503, 504), google.ServerError)},
}
_OPENAI_WORDS = {429: "rate_limit_error", 502: "upstream_error", 503: "service_unavailable_error", 504: "timeout_error"}
_WORDS = {
    CHAT: _OPENAI_WORDS,
    RESPONSES: _OPENAI_WORDS,
    MESSAGES: {429: "rate_limit_error", 502: "api_error", 503: "overloaded_error", 504: "timeout_error"},
    GEMINI: {429: "RESOURCE_EXHAUSTED", 502: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"},
}


def told_in_the_words_of(ours: ApiFormat, error: Any, status: int) -> None:
    assert type(error) is _TYPES[ours][status]
    word = _WORDS[ours][status]
    if ours is GEMINI:
        assert (error.code, error.status) == (status, word)
        assert error.message
        return
    assert error.status_code == status
    if ours is MESSAGES:
        assert error.body["type"] == "error"
        assert (error.body["error"]["type"], bool(error.body["error"]["message"])) == (word, True)
        assert error.body["request_id"] == error.request_id
    else:
        assert (error.body["type"], bool(error.body["message"]), error.body["param"]) == (word, True, None)


def _headers(error: Any) -> Any:
    return error.response.headers


BROKEN: dict[str, tuple[Callable[[Voice, list[bytes]], Sequence[bytes | Pause]], bool]] = {
    "cut": (lambda _, begun: begun, True),
    "ended without its end": (lambda _, begun: begun, False),
    "an error event": (lambda voice, begun: [*begun, voice.error_event("boom inside")], False),
    "silence": (lambda _, begun: [*begun, Pause(5)], False),
    "half an event": (lambda _, begun: [*begun, b'data: {"id": "'], True),
}
LONG = Said("Once upon a time there was a weir.", calls=(Called("call_a", "look", '{"n":1}'),), end=End.CALLS, pieces=4)
CLEAN_ENDS = {
    CHAT: (b"[DONE]", b'"finish_reason":"'),
    RESPONSES: (b"response.completed", b"response.incomplete"),
    MESSAGES: (b"message_stop", b"message_delta"),
    GEMINI: (b"finishReason",),
}


def begun(theirs: ApiFormat) -> list[bytes]:
    """The stream until the middle of its text."""
    events = VOICES[theirs].stream(LONG)
    last = max(place for place, event in enumerate(events) if b"upon" in event or b" a t" in event)
    return events[: min(last, len(events) - 4) + 1]


@each_pair
@pytest.mark.parametrize("how", BROKEN)
async def test_a_stream_that_breaks_after_output_ends_with_an_error_and_never_well(
    faulty: Faulty, ours: ApiFormat, theirs: ApiFormat, how: str
) -> None:
    faulty.forget()
    make, is_cut = BROKEN[how]
    faulty.failing[theirs].always = stream(make(VOICES[theirs], begun(theirs)), cut=is_cut)
    heard = len(faulty.sound[theirs].heard)
    prefix = "hasty-" if how == "silence" else ""

    with pytest.raises(STREAM_ERRORS[ours]):
        await faulty.ask(ours, f"{prefix}both", theirs, is_stream=True)

    row = await faulty.stage.row()
    assert (row.status, row.error_code) == (CallStatus.FAILED, "stream_broken")
    assert [one.outcome for one in row.attempts] == ["failed"]
    assert row.usage.output > 0
    assert len(faulty.sound[theirs].heard) == heard

    faulty.forget()
    told = await _bytes_of(faulty, ours, f"{prefix}alone-{theirs.value.replace('_', '-')}")
    assert b"Once" in told
    assert told.endswith(b"\n\n")
    assert b"error" in told.rstrip().split(b"\n\n")[-1]
    for end in CLEAN_ENDS[ours]:
        assert end not in told


STREAM_ERRORS: dict[ApiFormat, type[Exception]] = {
    CHAT: openai.APIError,
    RESPONSES: openai.APIError,
    MESSAGES: anthropic.APIStatusError,
    GEMINI: google.APIError,
}


async def _bytes_of(faulty: Faulty, ours: ApiFormat, model: str) -> bytes:
    """What a client of a format gets when it asks for a stream."""
    gateway = faulty.stage.gateway
    path, body = PLAIN[ours]
    sent = body if ours is GEMINI else {**body, "model": model, "stream": True}
    got = await gateway.client.post(path.replace("MODEL", model), headers=gateway.auth, json=sent)
    assert got.status_code == 200, got.text
    return got.content


PLAIN: dict[ApiFormat, tuple[str, dict[str, Any]]] = {
    CHAT: ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
    RESPONSES: ("/v1/responses", {"input": "Hello"}),
    MESSAGES: ("/v1/messages", {"max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}),
    GEMINI: ("/v1beta/models/MODEL:streamGenerateContent?alt=sse", {"contents": [{"parts": [{"text": "Hello"}]}]}),
}
