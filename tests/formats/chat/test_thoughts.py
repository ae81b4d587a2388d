from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.chat.thoughts import (
    CHAT,
    call_extra,
    call_signature_of,
    is_of_next_call,
    thought_fields,
    thoughts_of,
)
from gateway.formats.intermediate import Thinking
from gateway.model.registry import ApiFormat

words = st.text(min_size=1, max_size=8)
origins = st.sampled_from([ApiFormat.OPENAI_CHAT, ApiFormat.ANTHROPIC_MESSAGES, ApiFormat.OPENAI_RESPONSES])
signed = st.builds(Thinking, words, words, origins, st.just("") | words)
sealed = st.builds(Thinking, st.just(""), words, origins, st.just("") | words)


@settings(max_examples=60)
@given(st.lists(signed | sealed, max_size=3))
def test_signed_thoughts_come_back_as_they_were(thoughts: list[Thinking]) -> None:
    assert thoughts_of(thought_fields(thoughts)) == thoughts


def test_plain_thoughts_need_no_details() -> None:
    assert thought_fields([Thinking("a"), Thinking("b")]) == {"reasoning_content": "ab"}
    assert thoughts_of({"reasoning_content": "ab"}) == [Thinking("ab", origin=CHAT)]
    assert thoughts_of({"reasoning": "ab", "reasoning_details": []}) == [Thinking("ab", origin=CHAT)]
    assert thought_fields([]) == {}


@pytest.mark.parametrize(
    "message",
    [None, 5, [], {"reasoning_content": 5}, {"reasoning_details": {}}, {"reasoning_details": [5, {}, {"text": 1}]}],
)
def test_what_is_of_another_type_is_as_good_as_missing(message: Any) -> None:
    assert thoughts_of(message) == []


def test_googles_signature_of_a_call_stands_where_google_has_it() -> None:
    assert call_signature_of(call_extra("S")["extra_content"]) == "S"
    assert call_extra("") == {}
    assert call_signature_of(None) == call_signature_of({"google": []}) == ""
    assert is_of_next_call(Thinking("", "S", ApiFormat.GEMINI_GENERATE))
    assert not is_of_next_call(Thinking("x", "S", ApiFormat.GEMINI_GENERATE))
