"""Usage is right on every ending, whichever format the client speaks and whichever the provider."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.model.calls import CallRecord, CallStatus, UsageSource
from gateway.model.registry import ApiFormat
from tests.callers.stage import CHAT, GEMINI, IDS, MESSAGES, PAIRS, RESPONSES, Stage, of, open_stage
from tests.provider import Pause, stream
from tests.voices.said import Called, End, Question, Said, Thought, Turn, Used, Words
from tests.voices.voice import VOICES

pytestmark = pytest.mark.anyio
each_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=IDS)
each_way = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])

ASKED = "How far is it from the weir to the mill, roughly?"
ANSWER = "It is about two miles, along the river and over the old bridge."
USED = Used(input=70, cached=30, output=20, thought=5)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("usage")) as opened:
        yield opened


def question(*, is_stream: bool) -> Question:
    return Question((Turn(False, (Words(ASKED),)),), is_stream=is_stream)


PLAIN: dict[ApiFormat, tuple[str, dict[str, Any]]] = {
    CHAT: ("/v1/chat/completions", {"messages": [{"role": "user", "content": ASKED}]}),
    RESPONSES: ("/v1/responses", {"input": ASKED}),
    MESSAGES: ("/v1/messages", {"max_tokens": 50, "messages": [{"role": "user", "content": ASKED}]}),
    GEMINI: ("/v1beta/models/MODEL:generateContent", {"contents": [{"parts": [{"text": ASKED}]}]}),
}


def asking(stage: Stage, ours: ApiFormat, theirs: ApiFormat, *, is_stream: bool) -> dict[str, Any]:
    """A request without an SDK, as httpx takes it."""
    path, body = PLAIN[ours]
    path = path.replace("MODEL", of(theirs))
    if is_stream:
        path = path.replace(":generateContent", ":streamGenerateContent?alt=sse")
    sent = body if ours is GEMINI else {**body, "model": of(theirs), "stream": is_stream}
    return {"method": "POST", "url": path, "json": sent, "headers": stage.gateway.auth}


def tokens(text: str) -> int:
    return -(-len(text) // 4)


def told(row: CallRecord) -> tuple[int, int, int, int]:
    return row.usage.input, row.usage.cache_read, row.usage.output, row.usage.reasoning


ENDINGS = {
    "done": Said(ANSWER, used=USED),
    "length": Said(ANSWER, used=USED, end=End.LENGTH),
    "filter": Said(ANSWER, used=USED, end=End.FILTER),
    "refused at once": Said(used=USED, end=End.FILTER),
    "context": Said(ANSWER, used=USED, end=End.CONTEXT),
    "calls": Said(calls=(Called("call_a", "look", "{}"),), used=USED, end=End.CALLS),
    "thoughts": Said(ANSWER, Thought("Hm.", "c2ln"), used=USED),
    "nothing at all": Said(used=USED),
}


@each_way
@each_pair
@pytest.mark.parametrize("ending", ENDINGS)
async def test_what_the_provider_told_is_written_down_at_every_end(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, ending: str, is_stream: bool
) -> None:
    stage.gateway.desk.state.backends.clear()
    got = await stage.ask(ours, theirs, question(is_stream=is_stream), ENDINGS[ending])
    row = await stage.row()
    assert (row.status, told(row)) == (CallStatus.COMPLETED, (40, 30, 20, 5))
    assert row.usage.source is UsageSource.REPORTED
    assert got.used == USED
    # 40 × 1.25 $/M + 30 × 0.125 $/M + 20 × 10 $/M, in nano-dollars.
    assert row.cost_nano == 50_000 + 3_750 + 200_000


@each_way
@each_pair
async def test_where_nothing_is_told_it_is_an_estimate_and_says_so(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    stage.providers[theirs].always = VOICES[theirs].says(Said(ANSWER, used=None))
    # Anthropic's SDK takes no answer without usage, and in its own format nothing is added to one.
    got = await stage.gateway.client.request(**asking(stage, ours, theirs, is_stream=is_stream))
    assert got.status_code == 200, got.text
    row = await stage.row()
    assert told(row) == (tokens(ASKED), 0, tokens(ANSWER), 0)
    assert row.usage.source is UsageSource.ESTIMATED


def begun(theirs: ApiFormat) -> list[bytes]:
    """The stream until all of its text is there, and not its end."""
    events = VOICES[theirs].stream(Said(ANSWER, used=USED, pieces=4))
    last = ANSWER[-10:].encode()
    return events[: next(place for place, event in enumerate(events) if last in event) + 1]


def so_far(theirs: ApiFormat) -> tuple[int, int, int, int]:
    """What is known by then: Anthropic tells the input at the beginning, the others everything at the end."""
    return (40, 30, tokens(ANSWER), 0) if theirs is MESSAGES else (tokens(ASKED), 0, tokens(ANSWER), 0)


@each_pair
@pytest.mark.parametrize("how", ["cut", "error event"])
async def test_a_stream_that_breaks_is_charged_for_what_came(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, how: str
) -> None:
    stage.gateway.desk.state.backends.clear()
    more: Sequence[bytes] = [VOICES[theirs].error_event("boom")] if how == "error event" else []
    stage.providers[theirs].always = stream([*begun(theirs), *more], cut=how == "cut")
    with pytest.raises(Exception):  # noqa: B017, PT011  # which one it is, test_format_faults.py tells
        await stage.callers[ours].ask(of(theirs), question(is_stream=True))
    row = await stage.row()
    assert (row.status, row.error_code) == (CallStatus.FAILED, "stream_broken")
    assert told(row) == so_far(theirs)
    assert row.usage.source is UsageSource.ESTIMATED


@each_pair
async def test_a_client_that_leaves_is_charged_for_what_came_and_the_provider_is_told(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat
) -> None:
    left = asyncio.Event()
    stage.providers[theirs].always = stream([*begun(theirs), Pause(10)], left=left)
    async with contextlib.AsyncExitStack() as opened:
        sent = asking(stage, ours, theirs, is_stream=True)
        got = await opened.enter_async_context(stage.gateway.client.stream(**sent))
        came = b""
        async for piece in got.aiter_bytes():
            came += piece
            if ANSWER[-10:].encode() in came:
                break
    async with asyncio.timeout(2):
        await left.wait()
    row = await stage.row()
    assert (row.status, row.code, row.error_code) == (CallStatus.CANCELLED, 499, "client_left")
    assert told(row) == so_far(theirs)
