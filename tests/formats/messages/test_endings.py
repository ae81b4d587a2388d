"""How an answer ends and what it used, in Anthropic's words."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import Usage as SdkUsage
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.intermediate import Stop
from gateway.formats.messages.endings import explanation_of, read_stop, stop_reason, write_usage
from gateway.formats.messages.surface import read_usage
from gateway.model.calls import Usage, UsageSource

TOKENS = st.integers(min_value=1, max_value=10**9)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("end_turn", Stop.END),
        ("max_tokens", Stop.LENGTH),
        ("stop_sequence", Stop.STOP_SEQUENCE),
        ("pause_turn", Stop.PAUSE),
        ("refusal", Stop.REFUSAL),
        ("model_context_window_exceeded", Stop.CONTEXT),
    ],
)
def test_each_reason_has_its_stop_and_back(reason: str, stop: Stop) -> None:
    assert read_stop(reason, has_calls=False) is stop
    assert stop_reason(stop, has_calls=False, refuses=False) == reason


@pytest.mark.parametrize("reason", ["tool_use", "something_new", None, 7, []])
def test_a_call_of_a_tool_ends_an_answer_whatever_is_said(reason: Any) -> None:
    assert read_stop(reason, has_calls=True) is Stop.TOOL_CALLS


def test_an_unknown_reason_is_the_usual_end() -> None:
    assert read_stop("something_new", has_calls=False) is Stop.END


@pytest.mark.parametrize(
    ("stop", "has_calls", "refuses", "reason"),
    [
        (Stop.END, True, False, "tool_use"),
        (Stop.TOOL_CALLS, True, False, "tool_use"),
        (Stop.TOOL_CALLS, False, False, "end_turn"),
        (Stop.LENGTH, True, False, "max_tokens"),
        (Stop.FILTER, False, False, "refusal"),
        (Stop.END, False, True, "refusal"),
        (Stop.LENGTH, False, True, "max_tokens"),
    ],
)
def test_the_reason_says_what_is_in_the_answer(stop: Stop, has_calls: bool, refuses: bool, reason: str) -> None:
    assert stop_reason(stop, has_calls=has_calls, refuses=refuses) == reason


@given(st.builds(Usage, TOKENS, TOKENS, TOKENS, TOKENS, st.just(1), st.just(UsageSource.REPORTED), TOKENS))
def test_usage_is_read_as_it_was_written(usage: Usage) -> None:
    told = write_usage(usage)

    assert read_usage(told) == usage
    SdkUsage.model_validate(told, strict=True)


def test_there_is_always_some_input() -> None:
    assert write_usage(Usage())["input_tokens"] == 1
    assert write_usage(Usage(cache_read=5))["input_tokens"] == 0


@pytest.mark.parametrize(
    ("details", "why"), [({"explanation": "x"}, "x"), ({"explanation": None}, ""), (None, ""), ([], "")]
)
def test_a_refusal_may_be_explained(details: Any, why: str) -> None:
    assert explanation_of(details) == why
