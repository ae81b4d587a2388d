from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from pydantic import TypeAdapter

from gateway.errors import NotTranslatable
from gateway.formats.chat.write_prompt import write_prompt
from gateway.formats.intermediate import (
    ChoiceMode,
    Destination,
    Prompt,
    Reasoning,
    Role,
    Shape,
    ShapeKind,
    Text,
    Tool,
    ToolChoice,
    Turn,
)
from tests.formats.chat.asking import prompts

HELLO = Prompt((Turn(Role.USER, (Text("hello"),)),))
F, FREE = Tool("f", schema=msgspec.Raw(b'{"type":"object"}')), Tool("g", is_custom=True)
STREAMED: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsStreaming)
WHOLE: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)


def body_of(prompt: Prompt, model: str = "m", limit: int | None = None) -> Any:
    return msgspec.json.decode(write_prompt(prompt, Destination(model, limit)).body)


def dropped(model: str = "m", **fields: Any) -> tuple[str, ...]:
    return write_prompt(replace(HELLO, **fields), Destination(model)).dropped


def test_a_greeting_is_nothing_but_its_model_and_messages() -> None:
    assert body_of(HELLO) == {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def test_a_stream_is_asked_for_with_its_usage() -> None:
    told = body_of(replace(HELLO, is_stream=True))

    assert (told["stream"], told["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize(
    ("model", "field"),
    [
        ("gpt-4o", "max_tokens"),
        ("llama3", "max_tokens"),
        ("o3-mini", "max_completion_tokens"),
        ("openai/GPT-5", "max_completion_tokens"),
    ],
)
def test_the_limit_has_the_name_that_the_model_takes(model: str, field: str) -> None:
    assert body_of(replace(HELLO, max_tokens=5), model)[field] == 5


def test_a_limit_beyond_the_models_becomes_the_models_and_is_named() -> None:
    sent = write_prompt(replace(HELLO, max_tokens=500), Destination("m", 100))

    assert msgspec.json.decode(sent.body)["max_tokens"] == 100
    assert sent.dropped == ("max_tokens",)


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        (ToolChoice(ChoiceMode.AUTO), "auto"),
        (ToolChoice(ChoiceMode.NONE), "none"),
        (ToolChoice(ChoiceMode.REQUIRED), "required"),
        (ToolChoice(ChoiceMode.NAMED, "f"), {"type": "function", "function": {"name": "f"}}),
        (ToolChoice(ChoiceMode.NAMED, "g"), {"type": "custom", "custom": {"name": "g"}}),
        (
            ToolChoice(ChoiceMode.AUTO, allowed=("f",)),
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]},
            },
        ),
    ],
)
def test_the_choice_among_tools_is_written(choice: ToolChoice, written: Any) -> None:
    assert body_of(replace(HELLO, tools=(F, FREE), tool_choice=choice))["tool_choice"] == written


def test_a_choice_without_tools_says_nothing_or_is_refused() -> None:
    told = body_of(replace(HELLO, tool_choice=ToolChoice(ChoiceMode.NONE), parallel_tool_calls=False))

    assert not told.keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    with pytest.raises(NotTranslatable) as caught:
        body_of(replace(HELLO, tool_choice=ToolChoice(ChoiceMode.NAMED, "f")))
    assert caught.value.param == "tool_choice"


def test_schemas_stay_the_text_that_they_came_as() -> None:
    schema = msgspec.Raw(b'{"b": 1.50, "a": 1180591620717411303424}')
    prompt = replace(HELLO, tools=(Tool("f", schema=schema),), shape=Shape(ShapeKind.JSON_SCHEMA, schema=schema))

    body = write_prompt(prompt, Destination("m")).body

    assert body.count(bytes(schema)) == 2
    assert b'"name":"answer"' in body


def test_more_stop_sequences_than_chat_takes_are_refused() -> None:
    with pytest.raises(NotTranslatable) as caught:
        body_of(replace(HELLO, stop=tuple("abcde")))

    assert caught.value.param == "stop"


def test_a_budget_of_thoughts_becomes_a_word() -> None:
    assert body_of(replace(HELLO, reasoning=Reasoning(budget=30000)))["reasoning_effort"] == "high"
    assert body_of(replace(HELLO, reasoning=Reasoning(budget=0)))["reasoning_effort"] == "none"
    assert "reasoning_effort" not in body_of(replace(HELLO, reasoning=Reasoning(is_shown=True)))


def test_what_chat_has_no_place_for_is_named() -> None:
    assert dropped(
        top_k=5,
        reasoning=Reasoning(effort="low", summary="auto"),
        metadata=msgspec.Raw(b"{}"),
        service_tier="turbo",
        user="u" * 65,
        cache_key="k" * 65,
        extras={"truncation": msgspec.Raw(b"1")},
        tools=(replace(F, cache="1h"),),
    ) == (
        *("metadata", "prompt_cache_key", "reasoning.summary", "service_tier", "tools.cache_control"),
        *("top_k", "truncation", "user"),
    )


def test_metadata_goes_with_what_is_stored_and_a_tier_by_openais_word() -> None:
    stored = replace(HELLO, metadata=msgspec.Raw(b'{"a":"b"}'), extras={"store": msgspec.Raw(b"true")})

    assert body_of(stored)["metadata"] == {"a": "b"}
    assert body_of(replace(HELLO, service_tier="standard_only"))["service_tier"] == "default"
    assert body_of(replace(HELLO, tools=(replace(F, cache="1h"),)), "claude-x")["tools"][0]["cache_control"] == {
        "type": "ephemeral",
        "ttl": "1h",
    }


@settings(max_examples=60)
@given(prompts())
def test_openais_types_read_every_request(prompt: Prompt) -> None:
    (STREAMED if prompt.is_stream else WHOLE).validate_python(body_of(prompt))
