"""Thoughts in OpenAI Responses: text for people, and a proof that goes back to whoever made it."""

from __future__ import annotations

import pytest

from gateway.formats.intermediate import Thinking
from gateway.formats.responses.thoughts import can_return, reasoning_item, thinking_of
from gateway.model.registry import ApiFormat

HERE, CLAUDE = ApiFormat.OPENAI_RESPONSES, ApiFormat.ANTHROPIC_MESSAGES


@pytest.mark.parametrize(
    "thought",
    [
        Thinking("hm", "proof", HERE, "rs_1"),
        Thinking("", "proof", HERE, "rs_1"),
        Thinking("hm", "sig", CLAUDE, "rs_1"),
        Thinking("hm", "", None, "rs_1"),
    ],
)
def test_a_thought_that_is_written_is_read_again(thought: Thinking) -> None:
    item = reasoning_item(thought, thought.id)
    summary = [part["text"] for part in item["summary"]]

    assert thinking_of([], summary, item.get("encrypted_content", ""), item["id"]) == thought


def test_the_thoughts_themselves_go_before_their_summary() -> None:
    assert thinking_of(["all", "of it"], ["short"], "", "r").text == "all\n\nof it"
    assert thinking_of([], ["one", "two"], "", "r").text == "one\n\ntwo"


def test_a_thought_whose_provider_gave_it_no_id_has_none() -> None:
    assert "id" not in reasoning_item(Thinking("", "proof", HERE), "")


@pytest.mark.parametrize(
    ("thought", "returns"),
    [
        (Thinking("", "proof", HERE), True),
        (Thinking("hm", "", HERE), False),
        (Thinking("hm", "sig", CLAUDE), False),
        (Thinking("hm"), False),
    ],
)
def test_only_what_this_format_signed_goes_back(thought: Thinking, returns: bool) -> None:
    assert can_return(thought) is returns
