"""Turns as Anthropic wants them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import NotTranslatable
from gateway.formats.intermediate import (
    Audio,
    Image,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
)
from gateway.formats.messages.conversation import BEGINNING, arranged
from gateway.model.registry import ApiFormat

A, B = ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}")
RA, RB = ToolResult("a", (Text("1"),)), ToolResult("b", (Text("2"),))


def user(*parts: Part | str) -> Turn:
    return Turn(Role.USER, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Part | str) -> Turn:
    return Turn(Role.ASSISTANT, tuple(Text(part) if isinstance(part, str) else part for part in parts))


def system(words: str, role: Role = Role.SYSTEM) -> Turn:
    return Turn(role, (Text(words),))


def turns(*given: Turn) -> tuple[Turn, ...]:
    return arranged(given, set()).turns


def test_instructions_at_the_start_are_the_system_prompt() -> None:
    found = arranged([system("1"), system("2", Role.DEVELOPER), user("Hi")], set())

    assert found.system == (Text("1"), Text("2"))
    assert found.turns == (user("Hi"),)


def test_later_instructions_stay_where_they_stand_as_the_users() -> None:
    assert turns(user("Hi"), assistant("Yes?"), system("Be brief."), user("Go on.")) == (
        *(user("Hi"), assistant("Yes?")),
        user("Be brief.", "Go on."),
    )


def test_where_there_are_only_instructions_the_last_is_what_is_asked() -> None:
    found = arranged([system("1"), system("2")], set())

    assert (found.system, found.turns) == ((Text("1"),), (user("2"),))


def test_turns_of_one_role_are_joined() -> None:
    assert turns(user("1"), user("2"), assistant("3"), assistant("4", A), user(RA)) == (
        *(user("1", "2"), assistant("3", "4", A)),
        user(RA),
    )


def test_results_of_parallel_calls_come_together_and_first() -> None:
    assert turns(user("x"), assistant(A, B), user("also"), user(RB), user(RA), user("and")) == (
        *(user("x"), assistant(A, B)),
        user(RB, RA, "also", "and"),
    )


def test_calls_one_after_the_other_stay_apart() -> None:
    assert turns(user("x"), assistant(A), user(RA), assistant(B), user(RB)) == (
        *(user("x"), assistant(A), user(RA)),
        *(assistant(B), user(RB)),
    )


def test_a_result_that_comes_late_is_put_behind_its_call() -> None:
    assert turns(user("x"), assistant(A, B), user(RA), assistant("Hm"), user(RB)) == (
        *(user("x"), assistant(A, B), user(RA, RB)),
        assistant("Hm"),
    )
    assert turns(user("x"), assistant(A), assistant("Hm"), user(RA)) == (user("x"), assistant(A, "Hm"), user(RA))


def test_a_conversation_that_the_assistant_begins_is_given_a_beginning() -> None:
    assert turns(assistant("Hello!"), user("Hi")) == (user(BEGINNING), assistant("Hello!"), user("Hi"))


def test_empty_text_is_left_out() -> None:
    assert turns(user(""), user("a", " \n"), assistant("", A), user(RA), assistant(""), user("b")) == (
        *(user("a"), assistant(A)),
        user(RA, "b"),
    )


@pytest.mark.parametrize("given", [(), (user(""),), (system(" "),)])
def test_a_conversation_without_a_word_is_refused(given: tuple[Turn, ...]) -> None:
    with pytest.raises(NotTranslatable):
        turns(*given)


@pytest.mark.parametrize(
    "given",
    [
        (user(RA),),
        (user("x"), assistant(A), user(RA), user(RA)),
        (user("x"), assistant(A)),
        (user("x"), assistant(A, B), user(RA), user("y")),
        (user(A),),
        (user("x"), assistant(RA)),
        (user(Audio("AA==", "audio/wav")),),
        (Turn(Role.SYSTEM, (Image(url="https://x"),)), user("x")),
    ],
)
def test_what_cannot_be_put_in_order_is_refused(given: tuple[Turn, ...]) -> None:
    with pytest.raises(NotTranslatable) as refused:
        turns(*given)
    assert refused.value.param == "messages"


def test_what_has_no_place_in_a_turn_is_named() -> None:
    own = Thinking("Hm", "EqQ", ApiFormat.ANTHROPIC_MESSAGES)
    foreign = Thinking("Hm", "EqQ", ApiFormat.GEMINI_GENERATE)
    unsigned = Thinking("Hm")
    dropped: set[str] = set()

    found = arranged(
        [
            Turn(Role.USER, (Text("x"),), name="Ann"),
            assistant(own, foreign, unsigned, Image(url="https://x"), Refusal("No."), "y"),
        ],
        dropped,
    )

    assert found.turns == (user("x"), assistant(own, Refusal("No."), "y"))
    assert dropped == {"messages.name", "messages.image", "thinking"}


def test_ids_that_anthropic_does_not_take_are_replaced_alike_in_call_and_result() -> None:
    odd = "functions.f:0|é"
    given = [user("x"), assistant(ToolCall(odd, "f", "{}")), user(ToolResult(odd, ()))]

    _, call, result = turns(*given)

    (called,), (answered,) = call.parts, result.parts
    assert isinstance(called, ToolCall)
    assert isinstance(answered, ToolResult)
    assert called.id == answered.call_id != odd
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", called.id)
    assert turns(*given) == turns(*given)


def test_ids_that_occur_again_are_told_apart() -> None:
    found = turns(
        *(user("x"), assistant(A, A), user(RA), user(ToolResult("a", (Text("2"),)))),
        *(assistant(A), user(RA)),
    )

    ids = [part.id for turn in found for part in turn.parts if isinstance(part, ToolCall)]
    results = [part.call_id for turn in found for part in turn.parts if isinstance(part, ToolResult)]
    assert ids == results == ["a", "a_2", "a_3"]


ROUNDS = st.lists(
    st.one_of(
        st.builds(lambda words: [user(words)], st.sampled_from(["u", "v", ""])),
        st.builds(lambda words: [assistant(words)], st.sampled_from(["a", " "])),
        st.builds(lambda words: [system(words)], st.just("s")),
        st.builds(
            lambda names, late: [
                assistant(*(ToolCall(name, "f", "{}") for name in names)),
                *([user(late)] if late else []),
                *(user(ToolResult(name, (Text(name),))) for name in reversed(names)),
            ],
            st.lists(st.sampled_from(["a", "b", "c.d", ""]), min_size=1, max_size=3),
            st.sampled_from(["", "wait"]),
        ),
    ),
    max_size=6,
)


@settings(max_examples=100)
@given(ROUNDS)
def test_whatever_the_order_was_it_is_one_that_anthropic_takes(rounds: list[list[Turn]]) -> None:
    given = [turn for batch in rounds for turn in batch]
    if not any(part.text.strip() if isinstance(part, Text) else True for turn in given for part in turn.parts):
        return

    found = turns(*given)

    assert [turn.role for turn in found] == [Role.USER, Role.ASSISTANT] * (len(found) // 2) + [Role.USER] * (
        len(found) % 2
    )
    ids: list[str] = []
    for index, turn in enumerate(found):
        called = [part.id for part in turn.parts if isinstance(part, ToolCall)]
        ids += called
        if called:
            answered = [part.call_id for part in found[index + 1].parts[: len(called)] if isinstance(part, ToolResult)]
            assert sorted(answered) == sorted(called)
    assert len(ids) == len(set(ids))
