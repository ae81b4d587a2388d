from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import BadInput, NotTranslatable
from gateway.formats import body as bodies
from gateway.formats.chat.read_prompt import read_prompt
from gateway.formats.intermediate import Prompt, Reasoning, Shape, ShapeKind
from gateway.formats.request import Request
from tests.formats.chat.asking import CHAT, HELLO, asked
from tests.formats.chat.test_read_messages import values


def test_the_limit_comes_under_either_name_and_the_newer_one_counts() -> None:
    assert asked(max_tokens=5).max_tokens == 5
    assert asked(max_completion_tokens=6).max_tokens == 6
    assert asked(max_tokens=5, max_completion_tokens=6).max_tokens == 6


def test_sampling_is_read() -> None:
    prompt = asked(temperature=1, top_p=0.5, top_k=4, seed=-(2**63), presence_penalty=-1.5, frequency_penalty=None)

    assert (prompt.temperature, prompt.top_p, prompt.top_k, prompt.seed) == (1.0, 0.5, 4, -(2**63))
    assert (prompt.presence_penalty, prompt.frequency_penalty) == (-1.5, None)


def test_stop_is_one_sequence_or_several() -> None:
    assert asked(stop="a").stop == ("a",)
    assert asked(stop=["a", "b"]).stop == ("a", "b")
    assert asked(stop=None).stop == ()


def test_probabilities_are_wanted_with_or_without_others() -> None:
    assert asked(logprobs=True).top_logprobs == 0
    assert asked(logprobs=True, top_logprobs=5).top_logprobs == 5
    assert asked(logprobs=False, top_logprobs=5).top_logprobs is None


def test_how_much_to_think_is_a_word_or_openrouters_object() -> None:
    assert asked(reasoning_effort="high").reasoning == Reasoning(effort="high")
    assert asked(reasoning={"max_tokens": 2000, "exclude": True}).reasoning == Reasoning(budget=2000, is_shown=False)
    assert asked(reasoning={"enabled": True}).reasoning is None


def test_the_shape_of_the_answer_is_read_with_its_schema_untouched() -> None:
    body = (
        b'{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":'
        b'{"name":"n","strict":true,"schema":{ "x": 1180591620717411303424 }}}}'
    )
    prompt = read_prompt(Request(CHAT, "m", is_stream=False, fields=bodies.parse_object(body)))

    schema = msgspec.Raw(b'{ "x": 1180591620717411303424 }')
    assert prompt.shape == Shape(ShapeKind.JSON_SCHEMA, "n", schema, is_strict=True)
    assert asked(response_format={"type": "json_object"}).shape == Shape(ShapeKind.JSON_OBJECT)
    assert asked(response_format={"type": "text"}).shape == Shape(ShapeKind.TEXT)


def test_who_asks_and_what_belongs_together() -> None:
    prompt = asked(user="u", prompt_cache_key="k", service_tier="flex", metadata={"a": "b"}, store=False)

    assert (prompt.user, prompt.cache_key, prompt.service_tier) == ("u", "k", "flex")
    assert prompt.metadata == msgspec.Raw(b'{"a":"b"}')
    assert prompt.extras == {"store": msgspec.Raw(b"false")}
    assert asked(safety_identifier="s", user="u").user == "s"
    assert asked(safety_identifier="s", user="u").lost == ("user",)


def test_what_has_no_place_is_named_unless_it_is_null() -> None:
    prompt = asked(
        logit_bias={"1": 2}, prediction={}, web_search_options={}, audio={}, moderation=None, stream_options={}, new=1
    )

    assert prompt.lost == ("audio", "logit_bias", "new", "prediction", "web_search_options")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
    ],
)
def test_what_no_other_format_can_honour_is_refused_by_its_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(NotTranslatable) as caught:
        asked(**fields)

    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"seed": 2**70}, "seed"),
        ({"stop": [1]}, "stop[0]"),
        ({"messages": "hello"}, "messages"),
        ({"metadata": []}, "metadata"),
        ({"response_format": {}, "tools": [{"type": "function"}]}, "tools[0].function.name"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_a_fault_is_named_by_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadInput) as caught:
        asked(**fields)

    assert caught.value.param == param


names = ["messages", "tools", "tool_choice", "stop", "response_format", "reasoning", "functions", "metadata"]


@settings(max_examples=100)
@given(st.dictionaries(st.sampled_from(names), values))
def test_whatever_comes_is_read_or_refused(fields: dict[str, Any]) -> None:
    raws = {name: bodies.raw(value) for name, value in ({"messages": HELLO} | fields).items()}
    try:
        prompt = read_prompt(Request(CHAT, "m", is_stream=False, fields=raws))
    except BadInput as error:
        assert error.param
    else:
        assert isinstance(prompt, Prompt)
