"""Endings and usage in the words of OpenAI Responses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseUsage

from gateway.formats.intermediate import Stop
from gateway.formats.responses.endings import incomplete_reason, read_stop, write_usage
from gateway.formats.responses.surface import read_usage
from gateway.model.calls import Usage, UsageSource

COUNTS = st.integers(0, 10**9)


@pytest.mark.parametrize("stop", list(Stop))
def test_every_ending_can_be_told(stop: Stop) -> None:
    assert incomplete_reason(stop, refuses=False) in ("", "max_output_tokens", "content_filter")


@pytest.mark.parametrize("stop", [Stop.LENGTH, Stop.FILTER])
def test_an_ending_that_is_told_is_read_again(stop: Stop) -> None:
    details = {"reason": incomplete_reason(stop, refuses=False)}

    assert read_stop("incomplete", details, has_calls=True, refuses=True) is stop


@pytest.mark.parametrize("details", [None, 3, [], {}, {"reason": None}, {"reason": {}}, {"reason": "max_messages"}])
def test_an_unknown_reason_is_a_cut(details: Any) -> None:
    assert read_stop("incomplete", details, has_calls=False, refuses=False) is Stop.LENGTH


@pytest.mark.parametrize(
    ("has_calls", "refuses", "stop"),
    [(True, True, Stop.TOOL_CALLS), (False, True, Stop.REFUSAL), (False, False, Stop.END)],
)
def test_a_complete_answer_ends_as_its_parts_say(has_calls: bool, refuses: bool, stop: Stop) -> None:
    assert read_stop("completed", None, has_calls=has_calls, refuses=refuses) is stop


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_usage_that_is_told_is_read_again(asked: int, output: int, read: int, created: int, reasoning: int) -> None:
    usage = Usage(asked, output, read, created, min(reasoning, output), UsageSource.REPORTED)

    told = write_usage(usage)

    ResponseUsage.model_validate(told, strict=True)
    assert read_usage(told) == usage
    assert told["total_tokens"] == usage.all_input + output
