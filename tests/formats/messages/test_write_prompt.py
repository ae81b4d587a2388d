"""Requests of any format, written as Anthropic Messages."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.formats.intermediate import (
    ChoiceMode,
    Destination,
    Image,
    Prompt,
    Reasoning,
    Role,
    Shape,
    ShapeKind,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Turn,
)
from gateway.formats.messages.read_prompt import read_prompt
from gateway.formats.messages.surface import read_request
from gateway.formats.messages.write_prompt import write_prompt
from gateway.formats.request import Asked
from gateway.model.registry import ApiFormat
from tests.formats.messages.judges import judged_request
from tests.formats.messages.wires import USER, WEATHER, request

OLD, BUDGETS, EFFORTS = "claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-8"
HELLO = Turn(Role.USER, (Text("Hello"),))
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{},"additionalProperties":false}')


def written(
    *turns: Turn, model: str = BUDGETS, limit: int | None = None, **prompt: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = write_prompt(Prompt(turns or (HELLO,), **prompt), Destination(model, limit))
    return judged_request(found.body), found.dropped


def test_a_whole_request_is_one_that_the_sdk_would_send() -> None:
    call = ToolCall("t", "weather", '{"place":"Ulm"}')
    pictured = Turn(Role.USER, (Text("And this?"), Image(data="AA==", media_type="image/png")))

    found, dropped = written(
        Turn(Role.SYSTEM, (Text("Be brief."),)),
        HELLO,
        Turn(Role.ASSISTANT, (Text("Let me see."), call)),
        Turn(Role.USER, (ToolResult("t", (Text("Sunny"),)),)),
        pictured,
        tools=(Tool("weather", "The weather", SCHEMA, is_strict=True),),
        tool_choice=ToolChoice(ChoiceMode.AUTO),
        parallel_tool_calls=False,
        max_tokens=500,
        temperature=0.5,
        stop=("END",),
        user="u1",
        service_tier="default",
        shape=Shape(ShapeKind.JSON_SCHEMA, "answer", SCHEMA),
        is_stream=True,
    )

    assert dropped == ()
    assert found == {
        "model": BUDGETS,
        "max_tokens": 500,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": "Hello"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "t", "name": "weather", "input": {"place": "Ulm"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t", "content": "Sunny"},
                    {"type": "text", "text": "And this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                ],
            },
        ],
        "tools": [
            {
                "name": "weather",
                "description": "The weather",
                "input_schema": json.loads(bytes(SCHEMA)),
                "strict": True,
            }
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "output_config": {"format": {"type": "json_schema", "schema": json.loads(bytes(SCHEMA))}},
        "temperature": 0.5,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "service_tier": "standard_only",
        "stream": True,
    }


@pytest.mark.parametrize(
    ("asked", "limit", "most"),
    [(500, 8000, 500), (9000, 8000, 8000), (500, None, 500), (None, 8000, 8000), (None, None, 4096)],
)
def test_a_limit_on_the_answer_is_always_there(asked: int | None, limit: int | None, most: int) -> None:
    found, dropped = written(max_tokens=asked, limit=limit)

    assert (found["max_tokens"], dropped) == (most, ())


def test_a_budget_for_thinking_comes_on_top_where_nobody_set_a_limit() -> None:
    found, dropped = written(reasoning=Reasoning(effort="high"))

    assert found["thinking"] == {"type": "enabled", "budget_tokens": 24576}
    assert (found["max_tokens"], dropped) == (24576 + 4096, ())


def test_a_budget_is_shrunk_to_the_limit_and_named() -> None:
    found, dropped = written(reasoning=Reasoning(effort="high"), max_tokens=2000)

    assert (found["thinking"]["budget_tokens"], dropped) == (1600, ("reasoning_effort",))


def test_newer_models_are_told_an_effort() -> None:
    found, dropped = written(model=EFFORTS, reasoning=Reasoning(effort="medium"))

    assert (found["thinking"], found["output_config"], dropped) == ({"type": "adaptive"}, {"effort": "medium"}, ())


@pytest.mark.parametrize(
    ("model", "prompt", "kept", "dropped"),
    [
        (OLD, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}, ()),
        (OLD, {"temperature": 1.7}, {"temperature": 1.0}, ("temperature",)),
        (BUDGETS, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
        (BUDGETS, {"temperature": 0.5, "top_p": 1.0}, {"temperature": 0.5}, ()),
        (BUDGETS, {"top_p": 0.9}, {"top_p": 0.9}, ()),
        (EFFORTS, {"temperature": 0.5, "top_k": 1}, {}, ("temperature", "top_k")),
        (EFFORTS, {"temperature": 1.0, "top_p": 1.0}, {}, ()),
        (
            OLD,
            {"temperature": 0.5, "top_p": 0.5, "top_k": 5, "reasoning": Reasoning(budget=2000)},
            {},
            ("temperature", "top_k", "top_p"),
        ),
        (OLD, {"temperature": 1.0, "top_p": 0.97, "reasoning": Reasoning(budget=2000)}, {"top_p": 0.97}, ()),
        (OLD, {"temperature": 0.5, "reasoning": Reasoning(effort="none")}, {"temperature": 0.5}, ()),
    ],
)
def test_sampling_is_written_as_far_as_the_model_takes_it(
    model: str, prompt: dict[str, Any], kept: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    found, named = written(model=model, **prompt)

    assert {name: found[name] for name in ("temperature", "top_p", "top_k") if name in found} == kept
    assert named == dropped


@pytest.mark.parametrize(
    ("prompt", "dropped"),
    [
        ({"seed": 7}, ("seed",)),
        ({"presence_penalty": 0.5, "frequency_penalty": 0.0}, ("presence_penalty",)),
        ({"top_logprobs": 3, "verbosity": "low", "cache_key": "k"}, ("prompt_cache_key", "top_logprobs", "verbosity")),
        ({"metadata": msgspec.Raw(b"{}"), "extras": {"store": msgspec.Raw(b"true")}}, ("metadata", "store")),
        ({"shape": Shape(ShapeKind.JSON_OBJECT)}, ("response_format",)),
        ({"shape": Shape(ShapeKind.JSON_SCHEMA)}, ("response_format",)),
        ({"shape": Shape(ShapeKind.JSON_SCHEMA, schema=SCHEMA, description="d")}, ("response_format.description",)),
        ({"shape": Shape(ShapeKind.TEXT)}, ()),
        (
            {"shape": Shape(ShapeKind.JSON_SCHEMA, schema=msgspec.Raw(b'{"minimum": 1}'))},
            ("response_format.schema.minimum",),
        ),
        ({"stop": ("a", "\n")}, ("stop",)),
        ({"user": "u" * 257}, ("user",)),
        ({"service_tier": "flex"}, ("service_tier",)),
        (
            {
                "reasoning": Reasoning(effort="high"),
                "tools": (Tool("f"),),
                "tool_choice": ToolChoice(ChoiceMode.REQUIRED),
            },
            ("reasoning_effort",),
        ),
    ],
)
def test_what_cannot_be_carried_is_named(prompt: dict[str, Any], dropped: tuple[str, ...]) -> None:
    assert written(**prompt)[1] == dropped


CALL = ToolCall("t", "f", "{}")
RESULT = Turn(Role.USER, (ToolResult("t", (Text("1"),)),))
OWN = Thinking("Hm", "EqQ", ApiFormat.ANTHROPIC_MESSAGES)


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        ((HELLO,), True),
        ((HELLO, Turn(Role.ASSISTANT, (Text("Hi"),)), HELLO), True),
        ((HELLO, Turn(Role.ASSISTANT, (CALL,)), RESULT), False),
        ((HELLO, Turn(Role.ASSISTANT, (OWN, CALL)), RESULT), True),
        ((HELLO, Turn(Role.ASSISTANT, (CALL,)), RESULT, Turn(Role.ASSISTANT, (Text("1"),)), HELLO), True),
        ((HELLO, Turn(Role.ASSISTANT, (Text("The answer is"),))), False),
    ],
)
def test_a_turn_that_goes_on_must_have_begun_with_a_thought(turns: tuple[Turn, ...], thinks: bool) -> None:
    found, dropped = written(*turns, reasoning=Reasoning(budget=2000))

    assert ("thinking" in found, dropped) == (thinks, () if thinks else ("reasoning_effort",))


def test_the_beginning_of_an_answer_does_not_end_with_white_space() -> None:
    begun = Turn(Role.ASSISTANT, (Text("The answer is \n"),))
    twice = Turn(Role.ASSISTANT, (Text("So. "), Text("It is ")))

    assert written(HELLO, begun)[0]["messages"][-1]["content"] == "The answer is"
    assert [block["text"] for block in written(HELLO, twice)[0]["messages"][-1]["content"]] == ["So. ", "It is"]


def test_no_more_is_marked_for_the_cache_than_anthropic_takes() -> None:
    result = ToolResult("t", (Text("in", "5m"),), cache="5m")

    found, dropped = written(
        Turn(Role.SYSTEM, (Text("s", "1h"),)),
        HELLO,
        Turn(Role.ASSISTANT, (ToolCall("t", "f", "{}"),)),
        Turn(Role.USER, (result, Text("a", "5m"), Text("b", "5m"))),
        tools=(Tool("f", cache="1h"),),
    )

    assert dropped == ("cache_control",)
    assert "cache_control" not in found["tools"][0]
    assert "cache_control" not in found["system"][0]
    assert json.dumps(found["messages"]).count("cache_control") == 4


WORDS = st.text(min_size=1, max_size=8).filter(lambda words: words.strip() == words)
CACHE = st.sampled_from(
    [
        {},
        {},
        {},
        {},
        {},
        {},
        {"cache_control": {"type": "ephemeral"}},
        {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]
)


def cached(block: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda found, cache: {**found, **cache}, block, CACHE)


TEXT = cached(st.builds(lambda words: {"type": "text", "text": words}, WORDS))
SOURCES = st.sampled_from(
    [
        {"type": "url", "url": "https://example.com/a"},
        {"type": "file", "file_id": "file_1"},
    ]
)
IMAGE = cached(
    st.builds(
        lambda source: {"type": "image", "source": source},
        SOURCES | st.just({"type": "base64", "media_type": "image/png", "data": "AA=="}),
    )
)
DOCUMENT = cached(
    st.builds(
        lambda source, title: {"type": "document", "source": source, **({"title": title} if title else {})},
        SOURCES
        | st.just({"type": "base64", "media_type": "application/pdf", "data": "AA=="})
        | st.builds(lambda words: {"type": "text", "media_type": "text/plain", "data": words}, WORDS),
        WORDS | st.none(),
    )
)
SEEN = st.lists(TEXT | IMAGE | DOCUMENT, min_size=1, max_size=3)
THOUGHTS = st.lists(
    st.builds(lambda words: {"type": "thinking", "thinking": words, "signature": "EqQ="}, st.text(max_size=5))
    | st.just({"type": "redacted_thinking", "data": "EmI="}),
    max_size=2,
)
INPUTS = st.dictionaries(
    WORDS, st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS | st.none(), max_size=3
)
RESULTS = st.one_of(
    st.builds(lambda words: {"content": words}, WORDS),
    st.builds(lambda seen: {"content": seen}, SEEN),
    st.just({}),
    st.just({"content": "no", "is_error": True}),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Conversations that Anthropic takes: a thought first where tools are called."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": draw(WORDS | SEEN)}]
    for number in range(draw(st.integers(0, 3))):
        calls = [
            {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": "weather", "input": given}
            for index, given in enumerate(draw(st.lists(INPUTS, max_size=2)))
        ]
        thoughts = draw(THOUGHTS) or ([{"type": "redacted_thinking", "data": "EmI="}] if calls else [])
        answer = {"role": "assistant", "content": [*thoughts, *draw(st.lists(TEXT, min_size=1, max_size=2)), *calls]}
        results = [{"type": "tool_result", "tool_use_id": call["id"], **draw(RESULTS)} for call in calls]
        messages += [answer, {"role": "user", "content": [*results, *draw(SEEN)]}]
    return messages


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


CLOSED = {"type": "object", "n": 2**70, "additionalProperties": False}
SAYABLE = optional(
    system=WORDS | st.lists(TEXT, min_size=1, max_size=2),
    stop_sequences=st.lists(WORDS, min_size=1, max_size=3),
    metadata=st.just({"user_id": "u"}),
    service_tier=st.sampled_from(["auto", "standard_only"]),
    stream=st.booleans(),
    tools=st.lists(
        cached(st.just(WEATHER) | st.just({"name": "now", "input_schema": {"type": "object"}, "strict": False}))
    ).map(lambda tools: [*tools, {**WEATHER, "name": "last"}]),
    output_format=st.just(
        {"type": "json_schema", "schema": {"type": "object", "n": 2**70, "additionalProperties": False}}
    ),
)
BY_BUDGET = optional(
    thinking=st.sampled_from(
        [
            {"type": "enabled", "budget_tokens": 1500, "display": "omitted"},
            {"type": "disabled"},
            {"type": "enabled", "budget_tokens": 1024},
        ]
    )
)
BY_EFFORT = st.sampled_from(
    [
        {},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
        {"thinking": {"type": "disabled"}},
        {"output_config": {"effort": "low"}},
    ]
)
SAMPLED = optional(temperature=st.floats(0, 1), top_k=st.integers(0, 100)) | optional(top_p=st.floats(0, 1))
CHOSEN = st.sampled_from(
    [
        {},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {"tool_choice": {"type": "none"}},
        {"tool_choice": {"type": "auto"}},
    ]
)
FORCED = st.sampled_from(
    [
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": False}},
        {"tool_choice": {"type": "tool", "name": "last"}},
    ]
)
KINDS = st.one_of(
    st.builds(lambda a, b: (BUDGETS, a | b), BY_BUDGET, CHOSEN),
    st.builds(lambda a, b: (EFFORTS, a | b), BY_EFFORT, CHOSEN),
    st.builds(lambda a, b: (BUDGETS, a | b), SAMPLED, FORCED),
)


@settings(max_examples=100)
@given(conversations(), SAYABLE, KINDS)
def test_what_is_read_is_written_and_read_again_the_same(
    messages: list[dict[str, Any]], body: dict[str, Any], kind: tuple[str, dict[str, Any]]
) -> None:
    model, choices = kind
    tools = {"tools": [WEATHER, {**WEATHER, "name": "last"}]} | body
    prompt = read_prompt(request(*messages, **{**tools, **choices, "max_tokens": 2000}))

    found = write_prompt(prompt, Destination(model, 8000))

    judged_request(found.body)
    assert prompt.lost == ()
    if found.dropped == ("cache_control",):  # more marks than Anthropic takes
        return
    assert found.dropped == ()
    assert read_prompt(read_request(Asked(found.body))) == prompt


def test_raw_values_come_through_to_the_byte() -> None:
    given = '{"b": 123456789012345678901234567890, "a": 1.50, "z": -0.0, "é": "\\u00e9"}'
    schema = '{"type": "object", "maximum": 1E400}'
    call = f'{{"type":"tool_use","id":"t","name":"f","input":{given}}}'
    result = '{"type":"tool_result","tool_use_id":"t"}'
    body = (
        f'{{"model":"m","max_tokens":9,"tools":[{{"name":"f","input_schema":{schema}}}],"messages":['
        f'{{"role":"user","content":"x"}},{{"role":"assistant","content":[{call}]}},{{"role":"user","content":[{result}]}}]}}'
    )

    sent = write_prompt(read_prompt(read_request(Asked(body.encode()))), Destination("m")).body

    assert given.encode() in sent
    assert schema.encode() in sent


def test_a_hello_is_a_hello() -> None:
    found = write_prompt(read_prompt(request(USER)), Destination("claude-x"))

    assert found.body == b'{"model":"claude-x","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}'
