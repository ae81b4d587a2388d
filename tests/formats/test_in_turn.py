"""Calls that a provider tells at the same time reach the client one after the other."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats import intermediate as form
from gateway.formats.in_turn import InTurn
from gateway.formats.intermediate import Delta, Event, Kind, PartBegan, PartEnded, Stop
from gateway.formats.passage import TranslatedStream
from gateway.formats.table import FORMATS
from gateway.model.registry import ApiFormat
from tests.formats.answers import TOLD
from tests.provider import delta, sse


def began(index: int, *, is_custom: bool = False) -> PartBegan:
    return PartBegan(index, Kind.TOOL_CALL, f"c{index}", "f", is_custom)


def test_calls_that_follow_each_other_do_not_wait() -> None:
    turn = InTurn()

    assert turn.arranged([began(0), Delta(0, '{"a":')]) == [began(0), Delta(0, '{"a":')]
    assert turn.arranged([Delta(0, "1}")]) == [Delta(0, "1}")]
    assert turn.arranged([began(1)]) == [PartEnded(0), began(1)], "the first one's arguments are closed"
    assert turn.arranged([Delta(1, "{")]) == [Delta(1, "{")]
    assert turn.arranged([Delta(1, "}"), PartEnded(0), PartEnded(1)]) == [Delta(1, "}"), PartEnded(1)]


def test_a_call_waits_for_one_that_is_not_over() -> None:
    turn = InTurn()
    turn.arranged([began(0), Delta(0, '{"a":')])

    assert turn.arranged([began(1), Delta(1, "{}")]) == []
    assert turn.arranged([Delta(0, "1}")]) == [Delta(0, "1}"), PartEnded(0), began(1), Delta(1, "{}")]
    assert turn.arranged([PartEnded(0), PartEnded(1)]) == [PartEnded(1)]


def test_free_text_is_over_when_its_provider_says_so() -> None:
    turn = InTurn()
    turn.arranged([began(0, is_custom=True), Delta(0, "{}")])

    assert turn.arranged([began(1), Delta(1, "{}")]) == []
    assert turn.arranged([PartEnded(0)]) == [PartEnded(0), began(1), Delta(1, "{}")]


def test_a_thought_between_two_calls_stays_between_them() -> None:
    turn = InTurn()
    turn.arranged([began(0), Delta(0, "{")])
    thought: list[Event] = [PartBegan(1, Kind.THINKING), PartEnded(1)]

    assert turn.arranged([*thought, began(2)]) == []
    assert turn.arranged([Delta(0, "}")]) == [Delta(0, "}"), PartEnded(0), *thought, began(2)]


def test_arguments_cut_short_are_told_as_far_as_they_came() -> None:
    turn = InTurn()
    events = [began(0), Delta(0, '{"a'), began(1), Delta(1, '{"b'), PartEnded(0), PartEnded(1)]

    told = turn.arranged([*events, form.Stopped(Stop.LENGTH), form.Ended()])

    in_order = [began(0), Delta(0, '{"a'), PartEnded(0), began(1), Delta(1, '{"b'), PartEnded(1)]
    assert told == [*in_order, form.Stopped(Stop.LENGTH), form.Ended()]


def test_text_is_left_as_it_comes() -> None:
    events: list[Event] = [PartBegan(0, Kind.TEXT), Delta(0, "a"), PartEnded(0), form.Stopped(Stop.END), form.Ended()]

    assert [InTurn().arranged([event]) for event in events] == [[event] for event in events]


arguments = st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.integers(), max_size=3).map(json.dumps)


@given(st.lists(arguments, min_size=1, max_size=4), st.data())
def test_whatever_the_order_each_call_is_whole_and_by_itself(calls: list[str], data: st.DataObject) -> None:
    pieces = [[Delta(index, letter) for letter in text] for index, text in enumerate(calls)]
    events: list[Event] = [began(index) for index in range(len(calls))]
    while any(pieces):
        index = data.draw(st.sampled_from([index for index, left in enumerate(pieces) if left]))
        events.append(pieces[index].pop(0))
    events += [PartEnded(index) for index in range(len(calls))]

    turn = InTurn()
    told: list[Any] = [one for event in events for one in turn.arranged([event])]

    assert [index for index, _ in groupby(event.index for event in told)] == list(range(len(calls)))
    for index, text in enumerate(calls):
        of_call = [event for event in told if event.index == index]
        assert (of_call[0], of_call[-1]) == (began(index), PartEnded(index))
        assert "".join(event.text for event in of_call if isinstance(event, Delta)) == text


@pytest.mark.parametrize(
    ("theirs", "member"), [(ApiFormat.ANTHROPIC_MESSAGES, "index"), (ApiFormat.OPENAI_RESPONSES, "output_index")]
)
def test_a_client_of_another_format_sees_one_item_after_the_other(theirs: ApiFormat, member: str) -> None:
    def call(index: int, text: str, **more: Any) -> dict[str, Any]:
        chunk = delta()
        chunk["choices"][0]["delta"] = {"tool_calls": [{"index": index, "function": {"arguments": text}, **more}]}
        return chunk

    opening = [
        call(index, "", id=f"c{index}", type="function", function={"name": "f", "arguments": ""}) for index in (0, 1)
    ]
    by_turns = [call(0, '{"a":'), call(1, '{"b":'), call(0, "1}"), call(1, "2}")]
    chat, client = FORMATS[ApiFormat.OPENAI_CHAT].translation, FORMATS[theirs].translation
    assert chat is not None and client is not None
    side = TranslatedStream(chat.reader(), client.writer(TOLD))

    said = b"".join(map(side.pass_on, sse(delta(role=True), *opening, *by_turns, delta(finish="tool_calls"), "[DONE]")))

    payloads = [json.loads(line[6:]) for line in said.decode().splitlines() if line.startswith("data: ")]
    assert [place for place, _ in groupby(one[member] for one in payloads if member in one)] == [0, 1]
