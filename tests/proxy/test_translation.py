"""Official SDKs as clients of the gateway, in each of the four formats, before providers of each of the four.

What is asked and what is said are in words of no format (tests/voices/said.py). What the provider heard is read with
that format's own reader, and what the client got is what its SDK made of it, so that each test holds for every pair.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.model.calls import UsageSource
from gateway.model.registry import ApiFormat
from tests.callers.got import Got
from tests.callers.messages import USUAL
from tests.callers.stage import CHAT, GEMINI, IDS, MESSAGES, PAIRS, RESPONSES, Stage, open_stage
from tests.voices.said import (
    Called,
    End,
    Picture,
    Question,
    Result,
    Said,
    Thought,
    Tool,
    Turn,
    Used,
    Words,
    exact,
)

pytestmark = pytest.mark.anyio
each_pair = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=IDS)
each_way = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "stream"])

HELLO = Turn(False, (Words("Grüße, 世界 🚀\u2028 and a\ttab"),))
HARD = '{"city":"Zürich 🚀","n":123456789012345678901234567890,"f":1.5,"e":"","deep":{"z":[],"a":null}}'
RARE = '{"f":1.50,"n":18446744073709551617,"e":"","u":"é"}'
WEATHER = Tool("weather", "The weather of a place.", {"type": "object", "properties": {"city": {"type": "string"}}})
TIME = Tool("time", "What time it is.", {"type": "object", "properties": {}})
ANSWER = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("stage")) as opened:
        yield opened


def asked(*, is_stream: bool, **fields: Any) -> Question:
    return Question(**{"turns": (HELLO,), "is_stream": is_stream, **fields})


def arrives(ours: ApiFormat, theirs: ApiFormat, question: Question) -> Question:
    """What the provider shall hear: the same, but that Anthropic's requests never are without a limit."""
    most = question.most
    if most is None:
        most = USUAL if ours is MESSAGES else 4096 if theirs is MESSAGES else None
    return replace(question, most=most)


def dropped(got: Got) -> set[str]:
    return set(filter(None, got.headers.get("x-gateway-dropped", "").split(", ")))


@each_way
@each_pair
async def test_text_goes_there_and_back(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    question = asked(is_stream=is_stream, system="Be brief — ünd kind.")
    got = await stage.ask(ours, theirs, question, Said("Olá, 🌍! \u2028\\ done."))
    assert stage.heard(theirs) == arrives(ours, theirs, question)
    assert (got.text, got.calls) == ("Olá, 🌍! \u2028\\ done.", ())
    assert dropped(got) == set()
    row = await stage.row()
    assert (row.api_format, row.upstream_format, row.dropped) == (ours.value, theirs.value, ())
    assert [(attempt.outcome, attempt.status) for attempt in row.attempts] == [("ok", 200)]


@each_way
@each_pair
async def test_parallel_calls_and_their_results(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    turns = (
        HELLO,
        Turn(True, (Words("I look."), Called("call_a", "weather", HARD), Called("call_b", "time", "{}"))),
        Turn(False, (Result("call_a", "weather", "☀ 21.50"), Result("call_b", "time", ""), Words("And?"))),
        Turn(True, (Words("It is sunny."),)),
        Turn(False, (Words("Thanks"), Words(" a lot"))),
    )
    question = asked(is_stream=is_stream, turns=turns, tools=(WEATHER, TIME))
    got = await stage.ask(ours, theirs, question, Said("Bye."))
    assert exactly(stage.heard(theirs)) == exactly(arrives(ours, theirs, question))
    assert (got.text, dropped(got)) == ("Bye.", set())


def exactly(question: Question) -> tuple[Any, ...]:
    """What was asked, turn by turn, with arguments to the digit."""
    turns = [(turn.is_model, [_exactly(part) for part in turn.parts]) for turn in question.turns]
    return turns, replace(question, turns=())


def _exactly(part: Any) -> Any:
    if isinstance(part, Called):
        return (part.id, part.name, exact(part.arguments))
    return part


@each_way
@each_pair
async def test_calls_that_the_model_makes(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    calls = (Called("call_a", "weather", RARE), Called("call_b", "time", "{}"), Called("call_c", "weather", HARD))
    question = asked(is_stream=is_stream, tools=(WEATHER, TIME))
    got = await stage.ask(ours, theirs, question, Said("Let me see.", calls=calls, end=End.CALLS, pieces=7))
    assert got.text == "Let me see."
    assert [(call.id, call.name) for call in got.calls] == [(call.id, call.name) for call in calls]
    # Where the SDK shows an object, its numbers are Python's.
    is_text = ours in (CHAT, RESPONSES) or ours is MESSAGES and is_stream
    for told, call in zip(got.calls, calls, strict=True):
        assert told.arguments == call.arguments if is_text else exact(told.arguments) == exact(_plain(call.arguments))
    ends = {CHAT: "tool_calls", MESSAGES: "tool_use", RESPONSES: "completed", GEMINI: "STOP"}
    assert got.end == ends[ours]


def _plain(arguments: str) -> str:
    return arguments.replace("1.50", "1.5")


@each_way
@each_pair
@pytest.mark.parametrize("choice", ["", "auto", "none", "required", "weather"])
async def test_the_choice_of_a_tool(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, choice: str, is_stream: bool
) -> None:
    question = asked(is_stream=is_stream, tools=(WEATHER, TIME), choice=choice)
    await stage.ask(ours, theirs, question, Said("Hi."))
    assert stage.heard(theirs).choice == choice
    assert [tool.name for tool in stage.heard(theirs).tools] == ["weather", "time"]


@pytest.mark.parametrize(("ours", "theirs"), [pair for pair in PAIRS if pair[0] is not GEMINI])
@pytest.mark.parametrize("is_parallel", [False, True])
async def test_whether_calls_may_be_parallel(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_parallel: bool
) -> None:
    question = asked(is_stream=False, tools=(WEATHER,), choice="auto", parallel=is_parallel)
    got = await stage.ask(ours, theirs, question, Said("Hi."))
    if theirs is GEMINI:
        # There it is always so.
        assert dropped(got) == (set() if is_parallel else {"parallel_tool_calls"})
        assert (await stage.row()).dropped == (() if is_parallel else ("parallel_tool_calls",))
    else:
        assert (stage.heard(theirs).parallel, dropped(got)) == (is_parallel, set())


@each_way
@each_pair
async def test_pictures_by_address_and_as_they_are(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    shown = (Words("These:"), Picture("https://example.com/a.png"), Picture(data=DOT), Words("Which is red?"))
    question = asked(is_stream=is_stream, turns=(Turn(False, shown),))
    got = await stage.ask(ours, theirs, question, Said("The first."))
    assert stage.heard(theirs).turns == question.turns
    assert dropped(got) == set()


@each_way
@each_pair
async def test_a_schema_for_the_answer(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    question = asked(is_stream=is_stream, schema=ANSWER)
    got = await stage.ask(ours, theirs, question, Said('{"n": 1.0}'))
    assert stage.heard(theirs).schema == ANSWER
    assert (got.text, dropped(got)) == ('{"n": 1.0}', set())


@each_way
@pytest.mark.parametrize(("ours", "theirs"), [pair for pair in PAIRS if pair[0] is not RESPONSES])
async def test_stop_sequences(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    question = asked(is_stream=is_stream, stop=("END", "\n\nHuman:"))
    if theirs is RESPONSES:
        with pytest.raises(Exception, match="stop sequences") as refused:
            await stage.ask(ours, theirs, question, Said("Hi."))
        assert status_of(refused.value) == 400
        return
    got = await stage.ask(ours, theirs, question, Said("Hi.", end=End.STOP))
    assert stage.heard(theirs).stop == question.stop
    # Who says which of them it was, says so only to those who have a word for it.
    assert (
        got.end == {CHAT: "stop", GEMINI: "STOP", MESSAGES: "stop_sequence" if theirs is MESSAGES else "end_turn"}[ours]
    )


def status_of(error: Any) -> int:
    """Of an SDK's own error."""
    return int(getattr(error, "status_code", 0) or error.code)


@each_way
@each_pair
async def test_the_most_tokens_of_an_answer(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    question = asked(is_stream=is_stream, most=321)
    await stage.ask(ours, theirs, question, Said("Hi."))
    assert stage.heard(theirs).most == 321


@each_way
@each_pair
@pytest.mark.parametrize("effort", ["low", "medium", "high"])
async def test_how_much_to_think(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, effort: str, is_stream: bool
) -> None:
    question = asked(is_stream=is_stream, most=30_000, effort=effort)
    await stage.ask(ours, theirs, question, Said("Hi."))
    assert stage.heard(theirs).effort == effort


@each_way
@each_pair
async def test_thoughts_are_shown_and_return_to_who_had_them(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    thought = Thought("Let me think… 🤔", "c2VjcmV0LXByb29mLzEyMys0NTY=")
    call = Called("call_a", "weather", '{"city":"Zürich"}')
    question = asked(is_stream=is_stream, tools=(WEATHER,), most=4000, effort="low")
    got = await stage.ask(ours, theirs, question, Said("I look.", thought, (call,), End.CALLS))
    assert (got.thought, got.text, len(got.calls)) == (thought.text, "I look.", 1)

    back = (HELLO, Turn(True, native=got.native), Turn(False, (Result(call.id, call.name, "sunny"),)))
    again = await stage.ask(ours, theirs, replace(question, turns=back), Said("Sunny!"))
    said = stage.heard(theirs).turns[1]
    assert said.is_model
    words, called = (part for part in said.parts if not isinstance(part, Thought))
    assert (words, _exactly(called)) == (Words("I look."), _exactly(call))
    thoughts = [part for part in said.parts if isinstance(part, Thought)]
    assert "".join(part.signature for part in thoughts) == thought.signature
    if theirs is GEMINI:
        # It has no use for the text that a client shows.
        assert dropped(again) <= {"thinking"}
    else:
        assert ("".join(part.text for part in thoughts), dropped(again)) == (thought.text, dropped(got))
    assert again.text == "Sunny!"


@each_way
@pytest.mark.parametrize(("ours", "theirs"), [pair for pair in PAIRS if pair[0] is not pair[1]])
async def test_no_provider_gets_the_thoughts_of_another(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    thought = Thought("Let me think.", "c2VjcmV0LXByb29m")
    question = asked(is_stream=is_stream, most=4000)
    got = await stage.ask(ours, ours, question, Said("Well.", thought))
    back = (HELLO, Turn(True, native=got.native), Turn(False, (Words("And?"),)))
    again = await stage.ask(ours, theirs, replace(question, turns=back), Said("So."))
    body = stage.providers[theirs].heard[-1].body
    assert thought.signature.encode() not in body
    assert stage.heard(theirs).turns[1].parts[-1] == Words("Well.")
    assert dropped(again) == {"thinking"}


ENDS: dict[ApiFormat, dict[End, str]] = {
    CHAT: {
        End.DONE: "stop",
        End.LENGTH: "length",
        End.FILTER: "content_filter",
        End.CONTEXT: "length",
    },
    RESPONSES: {
        End.DONE: "completed",
        End.LENGTH: "max_output_tokens",
        End.FILTER: "content_filter",
        End.CONTEXT: "max_output_tokens",
    },
    MESSAGES: {
        End.DONE: "end_turn",
        End.LENGTH: "max_tokens",
        End.FILTER: "refusal",
        End.CONTEXT: "max_tokens",
    },
    GEMINI: {
        End.DONE: "STOP",
        End.LENGTH: "MAX_TOKENS",
        End.FILTER: "SAFETY",
        End.CONTEXT: "MAX_TOKENS",
    },
}


@each_way
@each_pair
@pytest.mark.parametrize("end", [End.DONE, End.LENGTH, End.FILTER, End.CONTEXT])
async def test_why_it_ended_is_told_in_the_clients_words(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, end: End, is_stream: bool
) -> None:
    got = await stage.ask(ours, theirs, asked(is_stream=is_stream), Said("Once upon", end=end))
    expected = ENDS[ours][end]
    if end is End.CONTEXT and ours is theirs is MESSAGES:
        expected = "model_context_window_exceeded"
    assert (got.text, got.end) == ("Once upon", expected)


@each_way
@each_pair
async def test_usage_and_cost(stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool) -> None:
    used = Used(input=1001, cached=400, output=333, thought=300)
    got = await stage.ask(ours, theirs, asked(is_stream=is_stream), Said("Hi.", used=used))
    assert got.used == used
    row = await stage.row()
    usage = row.usage
    assert (usage.input, usage.cache_read, usage.output, usage.reasoning) == (601, 400, 333, 300)
    assert usage.source is UsageSource.REPORTED
    # 601 × 1.25 $/M + 400 × 0.125 $/M + 333 × 10 $/M, in nano-dollars.
    assert row.cost_nano == 751_250 + 50_000 + 3_330_000


@each_way
@pytest.mark.parametrize(("ours", "theirs"), [pair for pair in PAIRS if pair[0] in (CHAT, GEMINI)])
async def test_several_answers_at_once_are_refused_where_they_are_impossible(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    name, field = ("n", "n") if ours is CHAT else ("candidate_count", "candidateCount")
    before = len(stage.providers[theirs].heard)
    if ours is theirs:
        await stage.ask(ours, theirs, asked(is_stream=is_stream), Said("Hi."), **{name: 2})
        assert b"2" in stage.providers[theirs].heard[-1].body
        return
    with pytest.raises(Exception, match=field) as refused:
        await stage.ask(ours, theirs, asked(is_stream=is_stream), Said("Hi."), **{name: 2})
    assert status_of(refused.value) == 400
    assert len(stage.providers[theirs].heard) == before
    assert (await stage.row()).error_code == "not_translatable"


async def test_what_was_dropped_is_named_by_the_answer_and_in_the_ledger(stage: Stage) -> None:
    more = {"seed": 7, "logit_bias": {"50256": -100}}
    got = await stage.ask(CHAT, MESSAGES, asked(is_stream=True), Said("Hi."), **more)
    assert dropped(got) == {"seed", "logit_bias"} == set((await stage.row()).dropped)


@each_way
@pytest.mark.parametrize(("ours", "theirs"), [pair for pair in PAIRS if pair[0] in (CHAT, RESPONSES)])
async def test_a_developers_prompt_is_heard_as_the_systems(
    stage: Stage, ours: ApiFormat, theirs: ApiFormat, is_stream: bool
) -> None:
    turns = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    more: Any = {"messages" if ours is CHAT else "input": turns}
    got = await stage.ask(ours, theirs, asked(is_stream=is_stream), Said("Hi."), **more)
    heard = stage.heard(theirs)
    assert (heard.system, heard.turns) == ("Be brief.", (Turn(False, (Words("Hello"),)),))
    assert (got.text, dropped(got)) == ("Hi.", set())
