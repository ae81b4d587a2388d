"""What is read of a whole answer at a glance is what a close look reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.chat.surface import read_answer, read_usage
from gateway.model.calls import Usage, UsageSource

CHOICES = [{"message": {"role": "assistant", "content": "Hello!"}}]
numbers = st.sampled_from([0, 1, 7, 10**12, 10**13, -1, 1.5, None, True, "7"]) | st.integers(0, 10**6)
inputs = st.none() | st.fixed_dictionaries(
    {}, optional={"cached_tokens": numbers, "cache_creation_tokens": numbers, "cache_write_tokens": numbers}
)
outputs = st.none() | st.fixed_dictionaries({}, optional={"reasoning_tokens": numbers, "audio_tokens": numbers})
usages = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": numbers,
        "completion_tokens": numbers,
        "total_tokens": numbers,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": outputs,
    },
)


@given(usages, st.sampled_from([{}, {"error": None}, {"id": "x", "created": 1}]))
def test_any_usage_is_read_as_it_is_where_it_is_looked_at_closely(usage: dict[str, Any], more: dict[str, Any]) -> None:
    found = read_answer(json.dumps({"choices": CHOICES, "usage": usage, **more}).encode())
    assert found.fault == ""
    assert found.usage == read_usage(usage)
    assert found.usage is not None or found.characters == len("Hello!")


def test_a_common_answer_tells_each_token_once() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 5},
    }
    found = read_answer(json.dumps({"id": "a", "choices": CHOICES, "usage": usage}).encode())
    assert found.usage == Usage(
        input=30, output=20, cache_read=60, cache_creation=10, reasoning=5, source=UsageSource.REPORTED
    )


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"[]", "not a JSON object"),
        (b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}', "not a JSON object"),
        (b'{"choices": {}, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}', "no choices"),
        (
            b'{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}, "error": {"message": "no"}}',
            "no",
        ),
    ],
)
def test_what_is_no_answer_is_none_whatever_usage_it_tells(body: bytes, fault: str) -> None:
    assert fault in read_answer(body).fault
